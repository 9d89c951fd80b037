package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// silent is a trail that confirms nothing.
type silent struct{}

func (silent) Track(_ context.Context, a otelaudit.Activity) (otelaudit.Receipt, error) {
	return otelaudit.Receipt{}, &otelaudit.TrackError{Activities: []otelaudit.Activity{a}, Err: otelaudit.ErrTimeout}
}

func (silent) TrackAll(_ context.Context, as []otelaudit.Activity) ([]otelaudit.Receipt, error) {
	return nil, &otelaudit.TrackError{Activities: as, Err: otelaudit.ErrTimeout}
}

// ask sends a request of user's to the API, whose trail is silent.
func (s *api) ask(t *testing.T, user, method, path, body string) int {
	t.Helper()
	r := httptest.NewRequestWithContext(otelaudit.ContextWithTrail(t.Context(), silent{}), method, path, strings.NewReader(body))
	if user != "" {
		r.Header.Set("Authorization", "Bearer "+s.sessions.begin(s.users.byID[user].actor()).Session)
	}
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(w, r)
	return w.Code
}

func TestWhatIsNotRecordedHasNotHappened(t *testing.T) {
	t.Parallel()
	s := newAPI(demoUsers(1), providerDown)
	before := invoice{ID: "41", Status: statusOpen, Customer: "carol", terms: terms{Cents: 1}}
	s.invoices.byID["41"] = before

	require.Equal(t, http.StatusServiceUnavailable, s.ask(t, "bob", "POST", "/invoices", `{"cents":1}`))
	require.Equal(t, http.StatusServiceUnavailable, s.ask(t, "bob", "PATCH", "/invoices/41", `{"cents":2}`))
	require.Equal(t, http.StatusServiceUnavailable, s.ask(t, "alice", "POST", "/invoices/41/approve", ``))
	require.Equal(t, map[string]invoice{"41": before}, s.invoices.byID)

	sessions := len(s.sessions.byToken)
	require.Equal(t, http.StatusServiceUnavailable, s.ask(t, "", "POST", "/login", `{"user":"bob","password":"bob-demo"}`))
	require.Len(t, s.sessions.byToken, sessions)
	require.Equal(t, http.StatusServiceUnavailable, s.ask(t, "dana", "POST", "/users/carol/impersonate", `{"reason":"r"}`))
	require.Len(t, s.sessions.byToken, sessions+1) // dana's own
}

func TestWhatCannotBeUndoneIsAnsweredAsItIs(t *testing.T) {
	t.Parallel()
	s := newAPI(demoUsers(1), func(context.Context, invoice) error { return nil })
	s.invoices.byID["41"] = invoice{ID: "41", Status: statusApproved}

	require.Equal(t, http.StatusOK, s.ask(t, "alice", "POST", "/invoices/41/pay", ``))
	require.Equal(t, statusPaid, s.invoices.byID["41"].Status)

	// Refusals and failures are what they are, too.
	require.Equal(t, http.StatusForbidden, s.ask(t, "bob", "POST", "/invoices/41/pay", ``))
	require.Equal(t, http.StatusConflict, s.ask(t, "alice", "POST", "/invoices/41/pay", ``))
	require.Equal(t, http.StatusUnauthorized, s.ask(t, "", "POST", "/login", `{"user":"bob","password":"no"}`))

	require.Equal(t, http.StatusOK, s.ask(t, "bob", "POST", "/logout", ``))
}
