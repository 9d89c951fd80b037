package propagation_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// rejected returns a context in which a token was rejected.
func rejected(t *testing.T, ctx context.Context) context.Context {
	t.Helper()
	ctx = newWorld(t, "orders").Extract(ctx, carrierOf(ofToken("", "canary", "")))
	rejection, ok := propagation.RejectionFromContext(ctx)
	require.True(t, ok)
	require.Equal(t, propagation.RejectionMalformed, rejection)
	return ctx
}

func TestTrackRejection(t *testing.T) {
	t.Parallel()
	for name, actor := range map[string]otelaudit.Actor{
		"nobody is known":  {},
		"somebody else is": otelaudit.User("bo"),
	} {
		trail := audittest.New(t)
		ctx := trail.Context()
		want := otelaudit.Anonymous()
		if !actor.IsZero() {
			ctx, want = otelaudit.ContextWithActor(ctx, actor), actor
		}
		require.NoError(t, propagation.TrackRejection(ctx), name)
		require.Empty(t, trail.Records(), "nothing was rejected")
		require.NoError(t, propagation.TrackRejection(rejected(t, ctx)), name)
		r := trail.Require("otelaudit.actor_token.reject", audittest.Actor(want))
		require.Equal(t, otelaudit.Denied, r.Outcome)
		require.Equal(t, "REJECT", r.Verb)
		require.Len(t, r.Metadata, 1)
		require.Equal(t, "malformed", r.Metadata[0].Value.AsString())
	}
}

// What cannot be recorded does not go on.
func TestTrackRejectedAnswers503(t *testing.T) {
	t.Parallel()
	trail := audittest.New(t)
	called := 0
	h := propagation.TrackRejected(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }))
	serve := func(ctx context.Context) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody))
		return w
	}
	require.Equal(t, http.StatusOK, serve(rejected(t, trail.Context())).Code)
	require.Equal(t, 1, called)
	require.Len(t, trail.Records(), 1)

	trail.FailWith(otelaudit.ErrTimeout)
	w := serve(rejected(t, trail.Context()))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "Service Unavailable\n", w.Body.String())
	require.Equal(t, 1, called)
	require.Equal(t, http.StatusOK, serve(trail.Context()).Code, "nothing was rejected")
	require.Equal(t, 2, called)
}

// A rejection is recorded by whom the service knows, and also where the request goes no further, with where it came from.
func TestWhoseTokenWasRejected(t *testing.T) {
	t.Parallel()
	alice := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", Trust: otelaudit.TrustVerified}
	is := func(a otelaudit.Actor, err error) func(*http.Request) (otelaudit.Actor, error) {
		return func(*http.Request) (otelaudit.Actor, error) { return a, err }
	}
	for name, tc := range map[string]struct {
		actor  func(*http.Request) (otelaudit.Actor, error)
		want   otelaudit.Actor
		status int
	}{
		"authenticated":     {is(alice, nil), alice, http.StatusOK},
		"no credentials":    {is(otelaudit.Actor{}, nil), otelaudit.Anonymous(), http.StatusOK},
		"nobody asks":       {nil, otelaudit.Anonymous(), http.StatusOK},
		"wrong credentials": {is(alice, audithttp.ErrUnauthenticated), otelaudit.Anonymous(), http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trail := audittest.New(t)
			next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
			h := audithttp.NewMiddleware(tc.actor, audithttp.WithRejectionsTracked(propagation.TrackRejection))(next)
			serve := func(ctx context.Context) int {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/orders", http.NoBody))
				return w.Code
			}
			require.Equal(t, tc.status, serve(trail.Context()))
			require.Empty(t, trail.Records(), "nothing was rejected")
			require.Equal(t, tc.status, serve(rejected(t, trail.Context())))
			r := trail.Require("otelaudit.actor_token.reject", audittest.Actor(tc.want))
			require.Equal(t, "/orders", r.Request.Path)
			require.Equal(t, "192.0.2.1", r.Request.PeerAddress)

			trail.FailWith(otelaudit.ErrTimeout)
			require.Equal(t, http.StatusServiceUnavailable, serve(rejected(t, trail.Context())))
			require.Equal(t, tc.status, serve(trail.Context()))
		})
	}
}
