package main

import (
	"errors"
	"net/http"
	"strings"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// problem is an error that the API has an answer for.
type problem struct {
	status int    // of the answer
	name   string // what the trail records as error.type; an error's text it never records
}

var (
	errBadRequest   = problem{http.StatusBadRequest, "bad_request"}
	errNotFound     = problem{http.StatusNotFound, "not_found"}
	errCredentials  = problem{http.StatusUnauthorized, "wrong_credentials"}
	errSession      = problem{http.StatusUnauthorized, "no_such_session"}
	errForbidden    = problem{http.StatusForbidden, "forbidden"}
	errStatus       = problem{http.StatusConflict, "wrong_status"}
	errProviderDown = problem{http.StatusBadGateway, "payment_provider_down"}
)

func (p problem) Error() string { return strings.ReplaceAll(p.name, "_", " ") }

// ErrorType is what OpenTelemetry's semantic conventions ask an error for.
func (p problem) ErrorType() string { return p.name }

// Is makes a refusal one for the trail as well: its outcome is then "denied", and not "failure".
func (p problem) Is(target error) bool {
	return target == otelaudit.ErrDenied && p.status == http.StatusForbidden
}

// statusOf is how to answer err. A change that could not be recorded has not been made, and may be tried again.
func statusOf(err error) int {
	if p, ok := errors.AsType[problem](err); ok {
		return p.status
	}
	if isUnrecorded(err) {
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// isUnrecorded reports whether err says that the trail has not confirmed something.
func isUnrecorded(err error) bool {
	_, ok := errors.AsType[*otelaudit.TrackError](err)
	return ok
}
