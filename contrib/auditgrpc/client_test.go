package auditgrpc_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rj-gamer/go-activity-tracker/contrib/auditgrpc"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

type grpcConn = grpc.ClientConn

func received(ctx context.Context, key string) []string {
	return metadata.ValueFromIncomingContext(ctx, key)
}

func requireStatus(t *testing.T, want string, err error) {
	t.Helper()
	require.Equal(t, want, status.Code(err).String(), err)
}

// A token goes to listed targets, and to no other.
func TestAudiences(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		listed func(target string) string // as in the list
		dialed func(target string) string
		sent   bool
	}{
		"as written":            {as(""), as(""), true},
		"canonical":             {as("dns:///"), as(""), true},
		"written canonically":   {as("dns:///"), as("dns:///"), true},
		"another scheme":        {as("passthrough:///"), as(""), false},
		"listed without scheme": {as(""), as("dns:///"), false},
		"another host":          {func(target string) string { return "x" + target }, as(""), false},
		"a prefix":              {func(target string) string { return target[:len(target)-1] }, as(""), false},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				edge := newService(t, "edge", ours)
				var baggage string
				target := serve(t, func(ctx context.Context, _ string) error {
					baggage = strings.Join(received(ctx, "baggage"), ",")
					return nil
				})
				audiences := map[string]string{tc.listed(target): "orders"}
				conn := edge.dial(t, tc.dialed(target), audiences)
				clear(audiences) // the interceptors have a list of their own

				ctx := otelaudit.ContextWithActor(t.Context(), otelaudit.User("alice"))
				ctx = propagation.ContextWithAudience(ctx, "somebody-else")
				ctx = send(ctx, map[string]string{"baggage": "colour=blue,otelaudit.actor=r1.k1.copied.in"})
				require.NoError(t, call(ctx, conn))
				require.Equal(t, tc.sent, strings.Contains(baggage, "otelaudit.actor=r1.k1."), baggage)
				require.NotContains(t, baggage, "copied")
				require.NoError(t, call(t.Context(), conn))
				require.Empty(t, baggage, "no actor, no token")
			})
		}
	}
}

// What a proxy copies from its callers' metadata does not go on, also where nothing injects, and the context is not changed.
func TestTokensThatWereCopied(t *testing.T) {
	t.Parallel()
	const copied = "otelaudit.actor=r1.k1.copied.in"
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var baggage []string
			target := serve(t, func(ctx context.Context, _ string) error {
				baggage = received(ctx, "baggage")
				return nil
			})
			conn := dial(t, target,
				grpc.WithUnaryInterceptor(auditgrpc.UnaryClientInterceptor(nil)),
				grpc.WithStreamInterceptor(auditgrpc.StreamClientInterceptor(nil)))
			ctx := metadata.AppendToOutgoingContext(t.Context(), "baggage", "colour=blue", "Baggage", copied)
			require.NoError(t, call(ctx, conn))
			require.Equal(t, []string{"colour=blue"}, baggage)
			md, _ := metadata.FromOutgoingContext(ctx)
			require.Equal(t, []string{"colour=blue", copied}, md["baggage"])

			require.NoError(t, call(metadata.AppendToOutgoingContext(t.Context(), "baggage", copied), conn))
			require.Empty(t, baggage)
		})
	}
}

func as(scheme string) func(string) string {
	return func(target string) string { return scheme + target }
}
