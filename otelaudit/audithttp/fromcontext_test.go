package audithttp_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
)

func TestFromContext(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	for name, tc := range map[string]struct {
		got  otelaudit.Actor
		ok   bool
		want otelaudit.Actor
	}{
		"nobody": {got: otelaudit.User("ignored")},
		"zero":   {ok: true},
		"user": {
			got:  otelaudit.User("alice"),
			ok:   true,
			want: otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", Trust: otelaudit.TrustVerified},
		},
		"with method": {
			got:  otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", AuthMethod: "webauthn"},
			ok:   true,
			want: otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", AuthMethod: "webauthn", Trust: otelaudit.TrustVerified},
		},
		"propagated stays propagated": {
			got:  otelaudit.Actor{Type: otelaudit.ActorUser, ID: "bob", Trust: otelaudit.TrustPropagated},
			ok:   true,
			want: otelaudit.Actor{Type: otelaudit.ActorUser, ID: "bob", Trust: otelaudit.TrustPropagated},
		},
		"anonymous is not verified": {got: otelaudit.Anonymous(), ok: true, want: otelaudit.Anonymous()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			actor := audithttp.FromContext(func(ctx context.Context) (otelaudit.Actor, bool) {
				require.Equal(t, r.Context(), ctx)
				return tc.got, tc.ok
			})
			got, err := actor(r)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}
