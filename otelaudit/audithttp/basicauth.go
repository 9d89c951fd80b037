package audithttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// BasicAuth returns the actor function for HTTP basic authentication (RFC 7617). check gets what the client sent and
// returns whom that proves, or an error. To compare in a time that does not tell how much was right (with a password hash,
// or subtle.ConstantTimeCompare), and for unknown users as long as for known ones, is check's task. ctx carries the
// request's facts: a failed login that check tracks says where it came from.
//
// A request without an Authorization header, or with one of another scheme, has no credentials. Credentials that cannot be
// read, two Authorization headers, an error from check and a zero Actor from it are [ErrUnauthenticated]; errors do not
// repeat what the client sent.
//
// The actor is verified; AuthMethod defaults to "basic".
func BasicAuth(check func(ctx context.Context, user, password string) (otelaudit.Actor, error)) func(*http.Request) (otelaudit.Actor, error) {
	return func(r *http.Request) (otelaudit.Actor, error) {
		headers := r.Header["Authorization"]
		switch {
		case len(headers) == 0:
			return otelaudit.Actor{}, nil
		case len(headers) > 1:
			return otelaudit.Actor{}, fmt.Errorf("%w: more than one Authorization header", ErrUnauthenticated)
		}
		if scheme, _, _ := strings.Cut(headers[0], " "); !strings.EqualFold(scheme, "Basic") {
			return otelaudit.Actor{}, nil
		}
		user, password, ok := r.BasicAuth()
		if !ok {
			return otelaudit.Actor{}, fmt.Errorf("%w: basic credentials cannot be read", ErrUnauthenticated)
		}
		return proved("basic", func() (otelaudit.Actor, error) { return check(r.Context(), user, password) })
	}
}

var errNobody = errors.New("the credentials prove nobody")

// proved returns the actor that credentials prove by check. Credentials that prove nobody are an error, for whoever
// presented them wanted to be somebody.
func proved(method string, check func() (otelaudit.Actor, error)) (otelaudit.Actor, error) {
	a, err := check()
	if err == nil && a.IsZero() {
		err = errNobody
	}
	if err != nil {
		return otelaudit.Actor{}, fmt.Errorf("%w: %s: %w", ErrUnauthenticated, method, err)
	}
	return verified(a, method), nil
}
