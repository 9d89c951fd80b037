package propagation

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

func service(tb testing.TB, name string, k *Keyring, now *time.Time) *Propagator {
	tb.Helper()
	p, err := New(Config{Service: name, Keys: k, Now: func() time.Time { return *now }})
	require.NoError(tb, err)
	return p
}

func span() trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
}

// sender is the context in which orders works on what alice has asked the edge for.
func sender(ctx context.Context) context.Context {
	ctx = trace.ContextWithSpanContext(ctx, span())
	edge := otelaudit.Actor{Type: otelaudit.ActorService, ID: "edge", AuthMethod: "actor_token", Trust: otelaudit.TrustPropagated}
	ctx = otelaudit.ContextWithActor(ctx, edge.For(otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", AuthMethod: "oidc", Trust: otelaudit.TrustPropagated}))
	ctx = otelaudit.ContextWithTenant(ctx, "acme")
	ctx = otelaudit.ContextWithOperation(ctx, "op-1")
	return otelaudit.ContextWithReason(ctx, "ticket 7")
}

func TestMessage(t *testing.T) {
	t.Parallel()
	now := testTime
	k := keyring(t, hmacKey(t, "k1"))
	body := []byte(`{"invoice": 42}`)
	token, err := service(t, "orders", k, &now).Message(sender(t.Context()), "billing", body)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(token, "m1.k1."))

	now = now.Add(24 * time.Hour)
	own := otelaudit.ContextWithReason(otelaudit.ContextWithActor(t.Context(), otelaudit.System("worker")), "own")
	ctx, link, err := service(t, "billing", k, &now).FromMessage(own, token, body)
	require.NoError(t, err)
	actor, _ := otelaudit.ActorFromContext(ctx)
	require.Equal(t, otelaudit.Actor{
		Type: otelaudit.ActorService, ID: "orders", Tenant: "acme", AuthMethod: "message_token", Trust: otelaudit.TrustPropagated,
		OnBehalfOf: &otelaudit.Actor{
			Type: otelaudit.ActorService, ID: "edge", AuthMethod: "actor_token", Trust: otelaudit.TrustPropagated,
			OnBehalfOf: &otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", AuthMethod: "oidc", Trust: otelaudit.TrustPropagated},
		},
	}, actor)
	tenant, _ := otelaudit.TenantFromContext(ctx)
	operation, _ := otelaudit.OperationFromContext(ctx)
	reason, _ := otelaudit.ReasonFromContext(ctx)
	require.Equal(t, []string{"", "op-1", "ticket 7"}, []string{tenant, operation, reason}, "the tenant is the actor's")
	require.Equal(t, trace.Link{SpanContext: span().WithTraceFlags(0).WithRemote(true)}, link)
	require.False(t, trace.SpanContextFromContext(ctx).IsValid(), "the link is the caller's to use")
}

func TestMessageOfNoTrace(t *testing.T) {
	t.Parallel()
	now := testTime
	p := service(t, "billing", keyring(t, ed25519Key(t, "k2")), &now)
	token, err := p.Message(otelaudit.ContextWithActor(t.Context(), otelaudit.System("nightly-billing")), "billing", nil)
	require.NoError(t, err)
	ctx, link, err := p.FromMessage(sender(t.Context()), token, []byte{})
	require.NoError(t, err)
	require.Equal(t, trace.Link{SpanContext: trace.SpanContext{}.WithRemote(true)}, link)
	require.False(t, link.SpanContext.IsValid())
	_, ok := otelaudit.TenantFromContext(ctx)
	require.False(t, ok, "of the message, not of who handles it")
}

func TestFromMessageRefuses(t *testing.T) {
	t.Parallel()
	k := keyring(t, hmacKey(t, "k1"))
	sent := testTime
	orders := service(t, "orders", k, &sent)
	body := []byte("body")
	good, err := orders.Message(sender(t.Context()), "billing", body)
	require.NoError(t, err)
	elsewhere, err := orders.Message(sender(t.Context()), "archive", body)
	require.NoError(t, err)
	day := 24 * time.Hour

	for name, test := range map[string]struct {
		token string
		body  string
		after time.Duration
		want  Rejection
	}{
		"nothing":            {"", "body", 0, RejectionMalformed},
		"a request's token":  {sealed(t, k, exampleClaims()), "body", 0, RejectionVersion},
		"another message":    {good, "bodY", 0, RejectionMessage},
		"no message":         {good, "", 0, RejectionMessage},
		"for another":        {elsewhere, "body", 0, RejectionAudience},
		"for another's body": {elsewhere, "", 0, RejectionAudience},
		"too late":           {good, "body", day + Skew, RejectionExpired},
		"too early":          {good, "body", -6 * time.Second, RejectionNotYetValid},
		"forged":             {good[:len(good)-1] + "_", "body", 0, RejectionMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := testTime.Add(test.after)
			own := otelaudit.ContextWithActor(t.Context(), otelaudit.System("worker"))
			ctx, link, err := service(t, "billing", k, &now).FromMessage(own, test.token, []byte(test.body))
			var rejected *RejectedError
			require.ErrorAs(t, err, &rejected)
			require.Equal(t, test.want, rejected.Reason)
			require.EqualError(t, err, "propagation: token rejected: "+string(test.want))
			rejection, _ := RejectionFromContext(ctx)
			require.Equal(t, test.want, rejection)
			actor, _ := otelaudit.ActorFromContext(ctx)
			require.Equal(t, otelaudit.System("worker"), actor)
			require.Zero(t, link)
		})
	}

	old := messageClaims()
	old.lifetime = int64(30*day/time.Second) + 1
	now := testTime
	_, _, err = service(t, "orders", k, &now).FromMessage(t.Context(), sealed(t, k, old), body)
	require.EqualError(t, err, "propagation: token rejected: lifetime")
}

func TestMessageRefuses(t *testing.T) {
	t.Parallel()
	now := testTime
	k := keyring(t, hmacKey(t, "k1"))
	p := service(t, "orders", k, &now)
	for name, test := range map[string]struct {
		ctx      context.Context //nolint:containedctx // of a case
		audience string
		want     string
	}{
		"nobody":      {t.Context(), "billing", ErrNoActor.Error()},
		"no audience": {sender(t.Context()), "", "propagation: the audience has 0 bytes: want 1 to 128"},
		"a long one":  {sender(t.Context()), strings.Repeat("b", 129), "propagation: the audience has 129 bytes: want 1 to 128"},
	} {
		token, err := p.Message(test.ctx, test.audience, nil)
		require.EqualError(t, err, test.want, name)
		require.Empty(t, token, name)
	}
	k.Revoke("k1")
	_, err := p.Message(sender(t.Context()), "billing", nil)
	require.ErrorIs(t, err, ErrNoKey)
}
