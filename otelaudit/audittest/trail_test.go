package audittest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestTrailKeepsRecordsInOrder(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	require.Empty(t, tr.Records())

	require.NoError(t, otelaudit.Track(ctx, otelaudit.Activity{Action: "a.create"}))
	require.NoError(t, otelaudit.TrackAll(ctx, []otelaudit.Activity{{Action: "b.create"}, {Action: "c.create"}}))
	require.NoError(t, otelaudit.TrackAll(ctx, nil))

	var actions []string
	for _, r := range tr.Records() {
		actions = append(actions, r.Action)
		require.Equal(t, otelaudit.User("ana"), r.Actor)
	}
	require.Equal(t, []string{"a.create", "b.create", "c.create"}, actions)
}

func TestTrailRecordsAreCopies(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	activity := otelaudit.Activity{
		Action:   "a.update",
		Actor:    otelaudit.Actor{Type: otelaudit.ActorUser, ID: "ana", Roles: []string{"admin"}},
		Related:  []otelaudit.Target{{Type: "b", ID: "1"}},
		Changes:  otelaudit.Changes{{Field: "f", New: attribute.StringValue("new")}},
		Metadata: []attribute.KeyValue{attribute.Int("k", 1)},
	}
	require.NoError(t, otelaudit.Track(tr.Context(), activity))
	// What the caller does to its slices afterwards is no matter of the record …
	activity.Actor.Roles[0], activity.Related[0].ID = "x", "x"
	activity.Changes[0].Field, activity.Metadata[0].Key = "x", "x"
	// … nor is what is done to a record that the trail returned.
	first := tr.Records()[0]
	first.Actor.Roles[0], first.Related[0].ID = "y", "y"
	first.Changes[0].Field, first.Metadata[0].Key = "y", "y"

	r := tr.Require("a.update",
		audittest.Related("b", "1"),
		audittest.Change("f", nil, "new"),
		audittest.Metadata(attribute.Int("k", 1)))
	require.Equal(t, []string{"admin"}, r.Actor.Roles)
}

func TestTrailHasThePolicyOfProduction(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t, audittest.WithPolicy(otelaudit.Policy{
		Ignore:        []string{"health.*"},
		RequireTenant: true,
		RequireActor:  true,
		Now:           func() time.Time { return noon },
	}))
	ctx := tr.Context()
	require.True(t, otelaudit.Enabled(ctx))
	require.Equal(t, noon, tr.Now())

	require.ErrorIs(t, otelaudit.Track(ctx, otelaudit.Activity{Action: "a.create"}), otelaudit.ErrInvalid)
	receipt, err := otelaudit.TrackReceipt(ctx, otelaudit.Activity{Action: "health.check"})
	require.NoError(t, err)
	require.True(t, receipt.Ignored)
	require.Empty(t, tr.Records())

	ctx = otelaudit.ContextWithTenant(otelaudit.ContextWithActor(ctx, otelaudit.System("cron")), "acme")
	receipt, err = otelaudit.TrackReceipt(ctx, otelaudit.Activity{Action: "a.create", Wait: otelaudit.Delivered})
	require.NoError(t, err)
	require.Equal(t, noon, receipt.Time)
	require.Equal(t, noon, receipt.Delivered)
	require.False(t, receipt.Ignored)
	r := tr.Require("a.create", audittest.Tenant("acme"))
	require.Equal(t, receipt.ID, r.ID)
}

func TestTrailDisabled(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t, audittest.WithPolicy(otelaudit.Policy{Disabled: true}))
	require.False(t, otelaudit.Enabled(tr.Context()))
	require.NoError(t, otelaudit.Track(tr.Context(), otelaudit.Activity{Action: "a.create"}))
	tr.RequireNone("a.create")
}

func TestNewRefusesAWrongPolicy(t *testing.T) {
	t.Parallel()
	f := &fakeTB{}
	said := f.run(func() { audittest.New(f, audittest.WithPolicy(otelaudit.Policy{Ignore: []string{"*"}})) })
	require.Contains(t, said, "Policy.Ignore")
}

func TestUnknownActorFailsTheTest(t *testing.T) {
	t.Parallel()
	f := &fakeTB{}
	tr := audittest.New(f)
	said := f.run(func() {
		require.NoError(t, otelaudit.Track(tr.Context(), otelaudit.Activity{Action: "invoice.approve"}))
	})
	require.Contains(t, said, `the actor of "invoice.approve" is unknown`)
	require.Contains(t, said, "otelaudit.ContextWithActor")
	require.Contains(t, said, "AllowUnknownActor")
	require.Len(t, tr.Records(), 1)

	f = &fakeTB{}
	tr = audittest.New(f, audittest.AllowUnknownActor())
	require.Empty(t, f.run(func() {
		require.NoError(t, otelaudit.Track(tr.Context(), otelaudit.Activity{Action: "invoice.approve"}))
	}))
}

func TestSameIDAgain(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	a := otelaudit.Activity{Action: "a.import", ID: otelaudit.DeriveID("test", "1"), Time: noon}
	require.NoError(t, otelaudit.Track(ctx, a))
	require.NoError(t, otelaudit.Track(ctx, a), "the same activity")
	require.Len(t, tr.Records(), 1)

	other := a
	other.Reason = "another"
	err := otelaudit.Track(ctx, other)
	require.ErrorIs(t, err, otelaudit.ErrRejected)
	require.ErrorContains(t, err, `another activity, "a.import"`)
	require.False(t, otelaudit.IsRetryable(err))

	// All or none, also where the conflict lies within the call.
	require.ErrorIs(t, otelaudit.TrackAll(ctx, []otelaudit.Activity{{Action: "b.create"}, other}), otelaudit.ErrRejected)
	later, unlike := a, other
	later.Time, unlike.Time = noon.Add(time.Second), noon.Add(time.Second)
	require.ErrorIs(t, otelaudit.TrackAll(ctx, []otelaudit.Activity{later, unlike}), otelaudit.ErrRejected)
	require.Len(t, tr.Records(), 1)

	// The key is (time, id): at another time it is another record.
	require.NoError(t, otelaudit.TrackAll(ctx, []otelaudit.Activity{later, later}))
	require.Len(t, tr.Records(), 2)
}

func TestFailWith(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t, audittest.WithPolicy(otelaudit.Policy{Ignore: []string{"health.check"}}))
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	tr.FailWith(otelaudit.ErrTimeout)

	err := otelaudit.Track(otelaudit.ContextWithReason(ctx, "ticket 7"), otelaudit.Activity{Action: "a.create"})
	require.True(t, otelaudit.IsRetryable(err))
	var failed *otelaudit.TrackError
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Activities, 1)
	fixed := failed.Activities[0]
	require.False(t, fixed.ID.IsZero())
	require.False(t, fixed.Time.IsZero())
	require.Equal(t, otelaudit.User("ana"), fixed.Actor)

	err = otelaudit.TrackAll(ctx, []otelaudit.Activity{{Action: "b.create"}, {Action: "health.check"}})
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Activities, 1, "an ignored activity needs no second attempt")
	require.Empty(t, tr.Records())

	require.ErrorIs(t, otelaudit.Track(ctx, otelaudit.Activity{}), otelaudit.ErrInvalid)
	require.NoError(t, otelaudit.Track(ctx, otelaudit.Activity{Action: "health.check"}))

	tr.FailWith(nil)
	// Whatever context it is tracked in, it is the same activity.
	for range 2 {
		other := otelaudit.ContextWithReason(otelaudit.ContextWithTenant(tr.Context(), "other"), "again")
		require.NoError(t, otelaudit.Track(other, fixed))
	}
	require.Len(t, tr.Records(), 1)
	require.Equal(t, "ticket 7", tr.Records()[0].Reason)
	tr.Require("a.create", audittest.Actor(otelaudit.User("ana")), audittest.Tenant(""))
}

func TestFailWithNotDelivered(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	tr.FailWith(fmt.Errorf("disk: %w", otelaudit.ErrNotDelivered))
	err := otelaudit.Track(ctx, otelaudit.Activity{Action: "a.create"})
	require.ErrorIs(t, err, otelaudit.ErrNotDelivered)
	require.Len(t, tr.Records(), 1, "it is safe, as the error says")
}

func TestTrackAllRefuses(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	err := otelaudit.TrackAll(ctx, []otelaudit.Activity{{Action: "a.create"}, {}})
	require.ErrorIs(t, err, otelaudit.ErrInvalid)
	require.ErrorContains(t, err, "activity 1")
	err = otelaudit.TrackAll(ctx, make([]otelaudit.Activity, otelaudit.MaxBatch+1))
	require.ErrorIs(t, err, otelaudit.ErrInvalid)
	require.ErrorContains(t, err, "MaxBatch")
	require.Empty(t, tr.Records())
}

func TestDoAsksCheck(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	err := otelaudit.Do(tr.Context(), otelaudit.Activity{}, func(context.Context, *otelaudit.Activity) error {
		t.Error("f must not run")
		return nil
	})
	require.ErrorIs(t, err, otelaudit.ErrInvalid)
	var failed *otelaudit.TrackError
	require.ErrorAs(t, err, &failed)
}

func TestTrailAfterTheTest(t *testing.T) {
	t.Parallel()
	f := &fakeTB{}
	tr := audittest.New(f)
	ctx := tr.Context()
	f.end()
	require.ErrorIs(t, otelaudit.Track(ctx, otelaudit.Activity{Action: "a.create"}), otelaudit.ErrShutdown)
	require.ErrorIs(t, tr.Check(ctx, otelaudit.Activity{Action: "a.create"}), otelaudit.ErrShutdown)
	require.Empty(t, f.failures, "a testing.TB panics when it is used after its test")
}

func TestTrailConcurrently(t *testing.T) {
	t.Parallel()
	const workers, each = 16, 20
	f := &fakeTB{}
	tr := audittest.New(f)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User(fmt.Sprint("user-", i)))
			for j := range each {
				a := otelaudit.Activity{Action: "a.create", Target: otelaudit.Target{Type: "by", ID: fmt.Sprint("user-", i)}}
				err := otelaudit.Track(ctx, a)
				if failed, ok := errors.AsType[*otelaudit.TrackError](err); ok {
					err = otelaudit.TrackAll(ctx, failed.Activities)
				}
				if err != nil && !errors.Is(err, otelaudit.ErrFull) {
					t.Errorf("Track: %v", err)
				}
				if j%5 == 0 { // from any goroutine
					_ = otelaudit.Track(tr.Context(), otelaudit.Activity{Action: "nobody.knows"})
					tr.FailWith(otelaudit.ErrFull)
					tr.FailWith(nil)
					tr.Records()
				}
			}
		})
	}
	wg.Wait()
	for _, r := range tr.Records() {
		if r.Action == "a.create" {
			require.Equal(t, r.Target.ID, r.Actor.ID)
		}
	}
	require.NotEmpty(t, f.failures)
}
