package otelaudit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func accept(context.Context, otelaudit.Activity) (otelaudit.Receipt, error) {
	return otelaudit.Receipt{}, nil
}

func TestDefaultTrail(t *testing.T) { //nolint:paralleltest // it sets the default trail
	ctx := t.Context()
	require.Nil(t, otelaudit.TrailFromContext(ctx))
	require.False(t, otelaudit.Enabled(ctx))

	before := failureCount(t, "no_trail")
	require.ErrorIs(t, otelaudit.Track(ctx, otelaudit.Activity{Action: "a.create"}), otelaudit.ErrNoTrail)
	_, err := otelaudit.TrackReceipt(ctx, otelaudit.Activity{Action: "a.create"})
	require.ErrorIs(t, err, otelaudit.ErrNoTrail)
	require.ErrorIs(t, otelaudit.TrackAll(ctx, nil), otelaudit.ErrNoTrail)
	require.ErrorIs(t, otelaudit.Do(ctx, otelaudit.Activity{Action: "a.create"}, func(context.Context, *otelaudit.Activity) error {
		t.Error("f must not run without a trail")
		return nil
	}), otelaudit.ErrNoTrail)
	require.Equal(t, before+4, failureCount(t, "no_trail"))

	shared, own := audittest.New(t), audittest.New(t)
	otelaudit.SetDefault(shared)
	t.Cleanup(func() { otelaudit.SetDefault(nil) })
	actor := otelaudit.ContextWithActor(ctx, otelaudit.User("ana"))
	require.True(t, otelaudit.Enabled(ctx))
	require.Same(t, shared, otelaudit.TrailFromContext(ctx))
	require.NoError(t, otelaudit.Track(actor, otelaudit.Activity{Action: "a.create"}))

	actor = otelaudit.ContextWithTrail(actor, own)
	require.Same(t, own, otelaudit.TrailFromContext(actor))
	require.NoError(t, otelaudit.Track(actor, otelaudit.Activity{Action: "b.create"}))

	shared.Require("a.create")
	shared.RequireNone("b.create")
	own.Require("b.create")
	own.RequireNone("a.create")

	otelaudit.SetDefault(nil)
	require.Nil(t, otelaudit.TrailFromContext(ctx))
}

func TestFailuresAreCounted(t *testing.T) { //nolint:paralleltest // it compares counts
	for reason, err := range map[string]error{
		"invalid":       otelaudit.ErrInvalid,
		"shutdown":      otelaudit.ErrShutdown,
		"timeout":       otelaudit.ErrTimeout,
		"full":          fmt.Errorf("sink x: %w", otelaudit.ErrFull),
		"unavailable":   otelaudit.ErrUnavailable,
		"rejected":      otelaudit.ErrRejected,
		"not_delivered": &otelaudit.TrackError{Err: otelaudit.ErrNotDelivered},
		"_OTHER":        errors.New("something else"),
	} {
		before := failureCount(t, reason)
		ctx := otelaudit.ContextWithTrail(t.Context(), stub(func(context.Context, otelaudit.Activity) (otelaudit.Receipt, error) {
			return otelaudit.Receipt{}, err
		}))
		require.ErrorIs(t, otelaudit.Track(ctx, otelaudit.Activity{}), err)
		require.ErrorIs(t, otelaudit.TrackAll(ctx, []otelaudit.Activity{{}}), err)
		require.Equal(t, before+2, failureCount(t, reason), reason)
	}
}

func TestEnabledAsksTheTrail(t *testing.T) {
	t.Parallel()
	require.True(t, otelaudit.Enabled(otelaudit.ContextWithTrail(t.Context(), stub(accept))), "a trail that does not say")
	off := audittest.New(t, audittest.WithPolicy(otelaudit.Policy{Disabled: true}))
	require.False(t, otelaudit.Enabled(off.Context()))
}

func TestTrackReceipt(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t, audittest.WithPolicy(otelaudit.Policy{Now: func() time.Time { return noon }}))
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	receipt, err := otelaudit.TrackReceipt(ctx, otelaudit.Activity{Action: "a.create"})
	require.NoError(t, err)
	r := tr.Require("a.create")
	require.Equal(t, otelaudit.Receipt{ID: r.ID, Time: noon, Outcome: otelaudit.Success}, receipt)
}

func TestTrackAllIsOneOrNothing(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	require.ErrorIs(t, otelaudit.TrackAll(ctx, []otelaudit.Activity{{Action: "a.create"}, {Outcome: "odd", Action: "b.create"}}), otelaudit.ErrInvalid)
	require.Empty(t, tr.Records())
	require.NoError(t, otelaudit.TrackAll(ctx, []otelaudit.Activity{{Action: "a.create"}, {Action: "b.create"}}))
	require.Len(t, tr.Records(), 2)
}

func TestTrackIsNotStoppedByCancellation(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx, cancel := context.WithCancel(otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana")))
	cancel()
	require.NoError(t, otelaudit.Track(ctx, otelaudit.Activity{Action: "a.create"}))
	tr.Require("a.create", audittest.Actor(otelaudit.User("ana")))
}

// Tracking the activities of a TrackError again is one record, also in another context and after the first had arrived.
func TestTrackErrorIsSafeToRetry(t *testing.T) {
	t.Parallel()
	for name, activity := range map[string]otelaudit.Activity{
		"from context":  {Action: "a.create", Reason: "why"},
		"of its own":    {Action: "a.create", Actor: otelaudit.Actor{Type: otelaudit.ActorUser, ID: "bo", Session: "cookie", Roles: []string{"r"}}.For(otelaudit.User("cy"))},
		"failed":        {Action: "a.create", Err: otelaudit.ErrDenied},
		"unstorable":    {Action: "a.create", Actor: otelaudit.User("anonymous"), Tenant: "a\x00b", Target: otelaudit.Target{Type: "t", ID: "\xff"}},
		"reserved name": {Action: "a.create", Actor: otelaudit.Anonymous()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := audittest.New(t)
			ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
			tr.FailWith(otelaudit.ErrNotDelivered) // the record arrives all the same
			err := otelaudit.Track(ctx, activity)
			var failed *otelaudit.TrackError
			require.ErrorAs(t, err, &failed)
			require.Len(t, tr.Records(), 1)
			tr.FailWith(nil)

			other := otelaudit.ContextWithTenant(otelaudit.ContextWithActor(tr.Context(), otelaudit.Service("worker")), "other")
			require.NoError(t, otelaudit.Track(other, failed.Activities[0]))
			require.NoError(t, otelaudit.TrackAll(tr.Context(), failed.Activities))
			require.Len(t, tr.Records(), 1)
		})
	}
}

func TestTrackErrorOfAnUnknownActor(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t, audittest.AllowUnknownActor())
	tr.FailWith(otelaudit.ErrTimeout)
	var failed *otelaudit.TrackError
	require.ErrorAs(t, otelaudit.Track(tr.Context(), otelaudit.Activity{Action: "a.create"}), &failed)
	tr.FailWith(nil)
	require.NoError(t, otelaudit.Track(otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana")), failed.Activities[0]))
	require.Equal(t, otelaudit.ActorUnknown, tr.Require("a.create").Actor.Type, "who retries did not do it")
}

func TestTrackErrorSays(t *testing.T) {
	t.Parallel()
	id := otelaudit.DeriveID("test", "1")
	one := otelaudit.Activity{Action: "a.create", ID: id}
	for want, as := range map[string][]otelaudit.Activity{
		"otelaudit: not confirmed in time":                                                        nil,
		"otelaudit: not confirmed in time (a.create " + id.String() + ")":                         {one},
		"otelaudit: not confirmed in time (2 activities, the first a.create " + id.String() + ")": {one, one},
	} {
		err := error(&otelaudit.TrackError{Activities: as, Err: otelaudit.ErrTimeout})
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, otelaudit.ErrTimeout)
	}
}

func TestIsRetryable(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		nil:                       false,
		otelaudit.ErrNoTrail:      false,
		otelaudit.ErrInvalid:      false,
		otelaudit.ErrShutdown:     false,
		otelaudit.ErrTimeout:      true,
		otelaudit.ErrFull:         true,
		otelaudit.ErrUnavailable:  true,
		otelaudit.ErrRejected:     false,
		otelaudit.ErrNotDelivered: false,
		context.DeadlineExceeded:  false,
		fmt.Errorf("approve: %w", &otelaudit.TrackError{Err: otelaudit.ErrTimeout}): true,
		errors.Join(errors.New("f"), &otelaudit.TrackError{Err: otelaudit.ErrFull}): true,
	} {
		require.Equal(t, want, otelaudit.IsRetryable(err), "%v", err)
	}
}

func TestContextPairs(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	_, ok := otelaudit.ActorFromContext(ctx)
	require.False(t, ok)
	_, ok = otelaudit.RequestFromContext(ctx)
	require.False(t, ok)
	_, ok = otelaudit.TenantFromContext(ctx)
	require.False(t, ok)
	_, ok = otelaudit.OperationFromContext(ctx)
	require.False(t, ok)

	outer := otelaudit.ContextWithActor(ctx, otelaudit.User("ana"))
	outer = otelaudit.ContextWithRequest(outer, otelaudit.Request{Method: "GET"})
	outer = otelaudit.ContextWithTenant(outer, "acme")
	outer = otelaudit.ContextWithOperation(outer, "import")
	inner := otelaudit.ContextWithActor(outer, otelaudit.User("bo"))

	actor, ok := otelaudit.ActorFromContext(inner)
	require.True(t, ok)
	require.Equal(t, "bo", actor.ID)
	actor, _ = otelaudit.ActorFromContext(outer)
	require.Equal(t, "ana", actor.ID, "an inner context leaves the outer one alone")
	request, ok := otelaudit.RequestFromContext(inner)
	require.True(t, ok)
	require.Equal(t, "GET", request.Method)
	tenant, ok := otelaudit.TenantFromContext(inner)
	require.True(t, ok)
	require.Equal(t, "acme", tenant)
	operation, ok := otelaudit.OperationFromContext(inner)
	require.True(t, ok)
	require.Equal(t, "import", operation)
}

func TestActorFor(t *testing.T) {
	t.Parallel()
	middle := otelaudit.Service("gateway").For(otelaudit.User("ana"))
	chain := otelaudit.Service("mailer").For(middle)
	require.Equal(t, "ana", chain.OnBehalfOf.OnBehalfOf.ID)
	longer := middle.For(otelaudit.User("bo"))
	require.Equal(t, "bo", longer.OnBehalfOf.OnBehalfOf.ID, "whom the last one acts for comes behind")
	require.Nil(t, middle.OnBehalfOf.OnBehalfOf, "the chain it was made from stays")
}
