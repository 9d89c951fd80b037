package auditgrpc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// 64 streams on one connection, each for somebody else: no activity ever carries another's actor, neither in the handler nor
// in a goroutine of the stream, which may outlive it.
func TestNoActivityCarriesAnothersActor(t *testing.T) {
	t.Parallel()
	const streams, words = 64, 20
	edge, orders := newService(t, "edge", ours), newService(t, "orders", ours)
	late := make(chan error, streams*words)
	target := orders.serve(t, orders.handler(), nobody, func(ctx context.Context, word string) error {
		go func() { late <- track(ctx, word) }()
		return track(ctx, word)
	})
	conn := edge.dial(t, target, map[string]string{target: "orders"})

	done := make(chan error, streams)
	for i := range streams {
		user := fmt.Sprintf("user-%02d", i)
		said := make([]string, words)
		for n := range said {
			said[n] = fmt.Sprintf("%s/%d", user, n)
		}
		ctx := otelaudit.ContextWithActor(t.Context(), otelaudit.User(user))
		ctx = otelaudit.ContextWithTenant(ctx, "tenant of "+user)
		go func() { done <- talk(ctx, conn, said...) }()
	}
	for range streams {
		require.NoError(t, <-done)
	}
	for range streams * words {
		require.NoError(t, <-late)
	}

	records := orders.tr.Records()
	require.Len(t, records, 2*streams*words)
	seen := map[string]int{}
	for _, r := range records {
		user, _, _ := strings.Cut(r.Target.ID, "/")
		require.Equal(t, "edge>"+user, chain(r.Actor))
		require.Equal(t, "tenant of "+user, r.Tenant)
		seen[r.Target.ID]++
	}
	require.Len(t, seen, streams*words)
}
