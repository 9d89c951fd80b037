package propagation_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// Alice's request goes through the edge, five services, a queue and a job, which calls one more: each records her, the services
// in between as far as a token holds them, a mark where it does not, and one operation.
func TestChainOfEight(t *testing.T) {
	t.Parallel()
	trail := audittest.New(t)
	record := func(ctx context.Context, at string) string {
		require.NoError(t, otelaudit.Track(ctx, otelaudit.Activity{Action: "work.do", Target: otelaudit.Target{Type: "service", ID: at}}))
		r := trail.Records()[len(trail.Records())-1]
		require.Equal(t, "op-1", r.Operation, at)
		require.Equal(t, "acme", r.Tenant, at)
		require.Empty(t, r.Sanitized, at)
		var parties []string
		for a := &r.Actor; a != nil; a = a.OnBehalfOf {
			party := a.ID
			if a.Type == otelaudit.ActorUnknown {
				party = string(a.Type)
			}
			if a.AuthMethod != "actor_token" {
				party += ":" + a.AuthMethod
			}
			parties = append(parties, party)
		}
		return strings.Join(parties, " ")
	}
	call := func(ctx context.Context, from *propagation.Propagator, to string) (context.Context, *propagation.Propagator) {
		carrier := otelpropagation.MapCarrier{}
		from.Inject(propagation.ContextWithAudience(ctx, to), carrier)
		callee := newPropagator(t, to)
		return callee.Extract(trail.Context(), carrier), callee
	}

	at := newPropagator(t, "edge")
	ctx := otelaudit.ContextWithOperation(trail.Context(), "op-1")
	ctx = otelaudit.ContextWithActor(ctx, otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", Tenant: "acme", AuthMethod: "oidc"})
	require.Equal(t, "alice:oidc", record(ctx, "edge"))
	for _, hop := range []struct{ to, want string }{
		{"s1", "edge alice:oidc"},
		{"s2", "s1 edge alice:oidc"},
		{"s3", "s2 s1 edge alice:oidc"},
		{"s4", "s3 s2 s1 edge alice:oidc"},
		{"s5", "s4 s3 s2 s1 edge alice:oidc"},
	} {
		ctx, at = call(ctx, at, hop.to)
		require.Equal(t, hop.want, record(ctx, hop.to))
	}

	body := []byte("body")
	token, err := at.Message(ctx, "job", body)
	require.NoError(t, err)
	job := newPropagator(t, "job")
	ctx, _, err = job.FromMessage(trail.Context(), token, body)
	require.NoError(t, err)
	require.Equal(t, "s5:message_token s4 s3 unknown:omitted edge alice:oidc", record(ctx, "job"))
	ctx, at = call(ctx, job, "ledger")
	require.Equal(t, "job s5:message_token s4 unknown:omitted edge alice:oidc", record(ctx, "ledger"))
	ctx, _ = call(ctx, at, "archive")
	require.Equal(t, "ledger job s5:message_token unknown:omitted edge alice:oidc", record(ctx, "archive"))
}
