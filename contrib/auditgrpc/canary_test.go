package auditgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rj-gamer/go-activity-tracker/contrib/auditgrpc"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// What comes in the metadata, in errors and in panics is in no record.
func TestNoSecretIsRecorded(t *testing.T) {
	t.Parallel()
	const secret, allowed = "canary-secret", "canary-allowed"
	a := otelaudit.Activity{Action: "word.hear", Target: otelaudit.Target{Type: "word", ID: "1"}, Reason: allowed}
	do := func(ctx context.Context, f func(context.Context, *otelaudit.Activity) error) error {
		defer func() { _ = recover() }() // or the server would end
		return otelaudit.Do(ctx, a, f)
	}
	refuse := func(context.Context, string) (otelaudit.Actor, error) { return otelaudit.Actor{}, errors.New(secret) }
	for name, tc := range map[string]struct {
		actor actorFunc
		opts  []auditgrpc.Option
		act   func(context.Context, *otelaudit.Activity) error
	}{
		"metadata": {actor: nobody, act: func(context.Context, *otelaudit.Activity) error { return nil }},
		"status":   {actor: nobody, act: func(context.Context, *otelaudit.Activity) error { return status.Error(codes.Internal, secret) }},
		"panic":    {actor: nobody, act: func(context.Context, *otelaudit.Activity) error { panic(secret) }},
		"actor function": {
			actor: refuse,
			opts:  []auditgrpc.Option{auditgrpc.WithAnonymousOnError()},
			act:   func(context.Context, *otelaudit.Activity) error { return nil },
		},
		"refusal": {actor: refuse, opts: []auditgrpc.Option{auditgrpc.WithUnauthenticated(func(ctx context.Context, _ string, err error) error {
			return do(ctx, func(context.Context, *otelaudit.Activity) error { return err })
		})}},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				orders := newService(t, "orders", ours)
				conn := dial(t, orders.serve(t, orders.handler(), tc.actor, func(ctx context.Context, _ string) error {
					return do(ctx, tc.act)
				}, tc.opts...))
				ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+secret, "x-custom", secret,
					"cookie", secret, "baggage", "session="+secret, "baggage", "other="+secret)
				_ = call(ctx, conn)

				shown := fmt.Sprintf("%+v", only(t, orders.tr))
				require.Contains(t, shown, allowed)
				require.NotContains(t, shown, secret)
			})
		}
	}
}
