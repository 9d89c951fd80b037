package main

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
)

type api struct {
	users    users
	sessions *sessions
	invoices *invoices
	charge   charge
}

func newAPI(users users, charge charge) *api {
	return &api{users: users, sessions: newSessions(), invoices: newInvoices(), charge: charge}
}

// handler is the API behind the two middlewares that make its activities complete: otelhttp, outside, starts the span; then
// audithttp puts the actor and the request into the context, where otelaudit.Track finds them.
func (s *api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /login", endpoint(s.login))
	mux.Handle("POST /logout", endpoint(s.logout))
	mux.Handle("POST /users/{user}/impersonate", endpoint(s.impersonate))
	mux.Handle("POST /invoices", endpoint(s.createInvoice))
	mux.Handle("PATCH /invoices/{id}", endpoint(s.updateInvoice))
	mux.Handle("POST /invoices/{id}/approve", endpoint(s.approveInvoice))
	mux.Handle("POST /invoices/{id}/dispute", endpoint(s.disputeInvoice))
	mux.Handle("POST /invoices/{id}/pay", endpoint(s.payInvoice))

	audit := audithttp.NewMiddleware(s.sessions.actor, audithttp.WithChallenge("Bearer"))
	return otelhttp.NewHandler(audit(mux), "invoices")
}

// endpoint returns what to answer with.
type endpoint func(*http.Request) (any, error)

const maxBody = 64 << 10

func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	status := http.StatusOK
	v, err := e(r)
	if err != nil {
		report(r, err)
		status = statusOf(err)
		v = map[string]string{"error": http.StatusText(status)}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // fails when the client has gone, and there is nobody else to tell
}

// report is for errors that no client can mend: above all for a record that the trail has not confirmed. Those are also
// counted, in the metric otelaudit.track.failures, which is the thing to have an alert on.
func report(r *http.Request, err error) {
	if isUnrecorded(err) || statusOf(err) == http.StatusInternalServerError {
		slog.ErrorContext(r.Context(), "request failed", "route", r.Pattern, "error", err)
	}
}

// read decodes the body. No body is an empty T.
func read[T any](r *http.Request) (v T, err error) {
	err = json.NewDecoder(r.Body).Decode(&v)
	if err != nil && !errors.Is(err, io.EOF) {
		return v, errBadRequest
	}
	return v, nil
}
