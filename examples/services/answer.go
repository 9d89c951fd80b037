package main

import (
	"encoding/json"
	"errors"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

const maxBody = 64 << 10

// endpoint takes a request's body and returns what to answer with.
func endpoint[In, Out any](f func(*http.Request, In) (Out, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&in); err != nil {
			http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
			return
		}
		out, err := f(r, in)
		if err != nil {
			http.Error(w, http.StatusText(statusOf(err)), statusOf(err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // fails when the client has gone, and there is nobody else to tell
	})
}

var errCredentials = errors.New("wrong credentials")

// statusOf is how to answer err.
func statusOf(err error) int {
	_, unrecorded := errors.AsType[*otelaudit.TrackError](err)
	switch {
	case errors.Is(err, errCredentials):
		return http.StatusUnauthorized
	case errors.Is(err, otelaudit.ErrDenied), status.Code(err) == codes.PermissionDenied:
		return http.StatusForbidden
	case unrecorded:
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadGateway
	}
}
