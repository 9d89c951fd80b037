package otelaudit_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

func TestForPropagated(t *testing.T) {
	t.Parallel()
	propagated := func(a otelaudit.Actor) otelaudit.Actor {
		a.Trust = otelaudit.TrustPropagated
		return a
	}
	var (
		orders = otelaudit.Actor{Type: otelaudit.ActorService, ID: "orders", AuthMethod: "mtls", Trust: otelaudit.TrustVerified}
		alice  = propagated(otelaudit.User("alice"))
		edge   = propagated(otelaudit.Service("edge")).For(alice)
	)
	for name, tc := range map[string]struct {
		own, propagated otelaudit.Actor
		refuse          bool
		want            *otelaudit.Actor // on whose behalf own acts then
		unasked         bool
	}{
		"allowed":                   {own: orders, propagated: edge, want: &edge},
		"refused":                   {own: orders, propagated: edge, refuse: true},
		"the same party":            {own: orders, propagated: propagated(otelaudit.Service("orders")).For(alice), want: &alice},
		"the same party, alone":     {own: orders, propagated: propagated(otelaudit.Service("orders"))},
		"the same party, refused":   {own: orders, propagated: propagated(otelaudit.Service("orders")).For(alice), refuse: true},
		"the same id, another type": {own: otelaudit.User("orders"), propagated: propagated(otelaudit.Service("orders")), want: new(propagated(otelaudit.Service("orders")))},
		"acts for somebody already": {own: orders.For(otelaudit.User("bo")), propagated: edge, want: new(otelaudit.User("bo")), unasked: true},
		"declared":                  {own: orders, propagated: otelaudit.Service("edge").For(alice), unasked: true},
		"verified":                  {own: otelaudit.User("bo"), propagated: orders, unasked: true},
		"nobody propagated":         {own: orders, unasked: true},
		"own is zero":               {propagated: edge, unasked: true},
		"own is anonymous":          {own: otelaudit.Anonymous(), propagated: edge, unasked: true},
		"own is unknown":            {own: otelaudit.Actor{Type: otelaudit.ActorUnknown}, propagated: edge, unasked: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := tc.own
			want.OnBehalfOf = tc.want
			asked := false
			got := tc.own.ForPropagated(tc.propagated, func(own, from otelaudit.Actor) bool {
				asked = true
				require.Equal(t, tc.own, own)
				require.Equal(t, tc.propagated, from)
				return !tc.refuse
			})
			require.Equal(t, want, got)
			require.Equal(t, tc.unasked, !asked)
			require.Equal(t, tc.own, tc.own.ForPropagated(tc.propagated, nil), "nil allows nothing")
		})
	}
}

func TestForPropagatedKeepsATenant(t *testing.T) {
	t.Parallel()
	propagated := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", Tenant: "theirs", Trust: otelaudit.TrustPropagated}
	for _, allowed := range []bool{true, false} {
		allow := func(otelaudit.Actor, otelaudit.Actor) bool { return allowed }
		want := ""
		if allowed {
			want = "theirs"
		}
		own := otelaudit.Service("orders")
		require.Equal(t, want, own.ForPropagated(propagated, allow).Tenant)
		own.Tenant = "own"
		require.Equal(t, "own", own.ForPropagated(propagated, allow).Tenant)
	}
}

// A reason that came with a propagated actor says nothing of why somebody else acts.
func TestAPropagatedReasonGoesWithItsActor(t *testing.T) {
	t.Parallel()
	alice := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", Trust: otelaudit.TrustPropagated}
	own := otelaudit.Service("orders")
	for name, tc := range map[string]struct {
		ctx    func(context.Context) context.Context
		reason string
	}{
		"as it came":   {func(ctx context.Context) context.Context { return ctx }, "theirs"},
		"on behalf":    {func(ctx context.Context) context.Context { return otelaudit.ContextWithActor(ctx, own.For(alice)) }, "theirs"},
		"an own actor": {func(ctx context.Context) context.Context { return otelaudit.ContextWithActor(ctx, own) }, ""},
		"anonymous": {func(ctx context.Context) context.Context {
			return otelaudit.ContextWithActor(ctx, otelaudit.Anonymous())
		}, ""},
		"on behalf of somebody else": {func(ctx context.Context) context.Context {
			return otelaudit.ContextWithActor(ctx, own.For(otelaudit.User("bo")))
		}, ""},
		"an own reason": {func(ctx context.Context) context.Context {
			return otelaudit.ContextWithActor(otelaudit.ContextWithReason(ctx, "own"), own)
		}, "own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := otelaudit.ContextWithReason(otelaudit.ContextWithOperation(t.Context(), "before"), "before")
			ctx = tc.ctx(otelaudit.ContextWithPropagated(ctx, alice, "op", "theirs"))
			reason, _ := otelaudit.ReasonFromContext(ctx)
			require.Equal(t, tc.reason, reason)
			operation, _ := otelaudit.OperationFromContext(ctx)
			require.Equal(t, "op", operation)
		})
	}
	ctx := otelaudit.ContextWithReason(otelaudit.ContextWithOperation(t.Context(), "before"), "before")
	ctx = otelaudit.ContextWithActor(otelaudit.ContextWithPropagated(ctx, alice, "", ""), own)
	reason, _ := otelaudit.ReasonFromContext(ctx)
	operation, _ := otelaudit.OperationFromContext(ctx)
	require.Equal(t, []string{"before", "before"}, []string{operation, reason}, "what the token left open is ctx's own")
}
