package trail_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

func TestTrackReturnsOnceStored(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := open(t, d)
	ctx := otelaudit.ContextWithActor(otelaudit.ContextWithTrail(t.Context(), tr), otelaudit.User("u-7"))

	receipt, err := otelaudit.TrackReceipt(ctx, otelaudit.Activity{Action: "invoice.approve", Target: otelaudit.Target{Type: "invoice", ID: "42"}})

	require.NoError(t, err)
	stored := d.stored()
	require.Len(t, stored, 1)
	require.Equal(t, receipt.ID, stored[0].ID)
	require.Equal(t, receipt.Time, stored[0].Time)
	require.False(t, receipt.Delivered.IsZero())
	require.Equal(t, "u-7", stored[0].Actor.ID)
	require.Equal(t, "APPROVE", stored[0].Verb)
	name, ok := stored[0].Resource.Value("service.name")
	require.True(t, ok)
	require.Equal(t, "billing", name.AsString())
}

func TestTheFirstRecordIsThePolicy(t *testing.T) {
	t.Parallel()
	d := newDouble()
	var first []string
	var ignore []string
	d.answerWith(func(_ context.Context, b *trail.Batch) error {
		for _, r := range b.Records {
			first = append(first, r.Action)
			for _, kv := range r.Metadata {
				if kv.Key == "policy.ignore" {
					ignore = kv.Value.AsStringSlice()
				}
			}
		}
		return nil
	})
	tr := open(t, d, func(c *trail.Config) { c.Policy.Ignore = []string{"health.*"} })
	_, err := tr.Track(t.Context(), activity("a.create"))
	require.NoError(t, err)
	require.NoError(t, tr.Close())
	require.Equal(t, []string{"otelaudit.trail.open", "a.create"}, first)
	require.Equal(t, []string{"health.*"}, ignore)
}

func TestIgnoredIsSaidAndCountedOnceThePolicyIsStored(t *testing.T) {
	t.Parallel()
	d := newDouble()
	release := make(chan struct{})
	d.answerWith(func(context.Context, *trail.Batch) error { <-release; return nil })
	tr := open(t, d, func(c *trail.Config) { c.Policy.Ignore = []string{"health.*"} })
	d.next(t) // the policy is under way, and not confirmed
	ignored := track(tr, activity("health.read"))
	select {
	case err := <-ignored:
		require.FailNow(t, "Track returned before the policy was stored", "%v", err)
	default:
	}
	close(release)
	require.NoError(t, await(t, ignored))

	receipt, err := tr.Track(t.Context(), activity("health.read"))
	require.NoError(t, err)
	require.True(t, receipt.Ignored)
	require.Empty(t, d.stored())
	require.Equal(t, uint64(2), tr.Status().Ignored)
}

// A retry from another context must not record another actor: also where what the policy ignores is what failed.
func TestWhatWaitsForThePolicyIsFixed(t *testing.T) {
	t.Parallel()
	d := newDouble()
	d.failWith(errors.New("down"))
	tr := open(t, d, func(c *trail.Config) {
		c.TrackTimeout, c.Policy.Ignore = 50*time.Millisecond, []string{"health.*"}
	})
	ctx := otelaudit.ContextWithTenant(otelaudit.ContextWithActor(t.Context(), otelaudit.User("ana")), "acme")
	ignored := otelaudit.Activity{Action: "health.read", Reason: "probe", Outcome: otelaudit.Failure}
	as := []otelaudit.Activity{{Action: "a.create"}, ignored, {Action: "b.create"}}

	_, err := tr.Track(ctx, ignored)
	one := retryable(t, err)
	require.Len(t, one, 1)
	_, err = tr.TrackAll(ctx, as)
	all := retryable(t, err)
	require.Len(t, all, len(as))
	for _, a := range append(one, all...) {
		require.False(t, a.ID.IsZero(), a.Action)
		require.False(t, a.Time.IsZero(), a.Action)
		require.Equal(t, otelaudit.User("ana"), a.Actor, a.Action)
		require.Equal(t, "acme", a.Tenant, a.Action)
	}
	require.Equal(t, "probe", one[0].Reason)
	require.Equal(t, otelaudit.Failure, one[0].Outcome)
	require.Equal(t, []otelaudit.Activity{{Action: "a.create"}, ignored, {Action: "b.create"}}, as, "the caller's are as they were")

	d.answerWith(nil)
	require.Eventually(t, func() bool {
		_, err := tr.TrackAll(otelaudit.ContextWithActor(t.Context(), otelaudit.User("somebody else")), all)
		return err == nil
	}, patience, time.Millisecond)
	ids := map[string]otelaudit.ID{}
	for _, r := range d.stored() { // more than once where the answer came late
		require.Equal(t, otelaudit.User("ana"), r.Actor)
		ids[r.Action] = r.ID
	}
	require.Equal(t, map[string]otelaudit.ID{"a.create": all[0].ID, "b.create": all[2].ID}, ids)
}

// retryable is the activities of a retryable error.
func retryable(t *testing.T, err error) []otelaudit.Activity {
	t.Helper()
	require.True(t, otelaudit.IsRetryable(err), "%v", err)
	var te *otelaudit.TrackError
	require.ErrorAs(t, err, &te)
	return te.Activities
}

func TestARefusalLeavesTheCallersActivitiesAlone(t *testing.T) {
	t.Parallel()
	tr := open(t, newDouble())
	require.NoError(t, tr.Close())
	as := []otelaudit.Activity{activity("a.create"), activity("b.create")}
	_, err := tr.TrackAll(t.Context(), as)
	require.ErrorIs(t, err, otelaudit.ErrShutdown)
	require.Equal(t, []otelaudit.Activity{activity("a.create"), activity("b.create")}, as)
	var te *otelaudit.TrackError
	require.ErrorAs(t, err, &te)
	require.Len(t, te.Activities, 2)
	for _, a := range te.Activities {
		require.False(t, a.ID.IsZero(), "it can be tracked elsewhere, and is the same activity there")
	}
}

// An exporter that panics over the policy is as one that refuses it: it holds up nobody, and what the policy ignores is not
// said to be accounted for.
func TestAnExporterThatPanicsOverThePolicy(t *testing.T) {
	t.Parallel()
	d := newDouble()
	d.answerWith(func(_ context.Context, b *trail.Batch) error {
		for _, r := range b.Records {
			if r.Action == "otelaudit.trail.open" {
				panic("a map")
			}
		}
		return nil
	})
	tr := open(t, d, func(c *trail.Config) { c.Service, c.Policy.Ignore = "panicked", []string{"health.*"} })
	_, err := tr.Track(t.Context(), activity("a.create"))
	require.NoError(t, err)
	require.Equal(t, []string{"a.create"}, d.actions())
	reports.await(t, "a required sink refused the record", "otelaudit.trail.open", "the exporter panicked: a map")

	_, err = tr.Track(t.Context(), activity("health.read"))
	require.ErrorIs(t, err, otelaudit.ErrRejected)
	require.ErrorContains(t, err, "the policy that ignores this is not recorded")
	require.False(t, otelaudit.IsRetryable(err))
	status := tr.Status()
	require.Equal(t, uint64(1), status.Emitted)
	require.Equal(t, uint64(1), status.Sinks[0].Dropped)
	require.NoError(t, tr.ForceFlush(t.Context()))
}

func TestDisabledRecordsNothingButItsPolicy(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := open(t, d, func(c *trail.Config) { c.Policy.Disabled = true })
	receipt, err := tr.Track(t.Context(), activity("invoice.approve"))
	require.NoError(t, err)
	require.True(t, receipt.Ignored)
	require.False(t, otelaudit.Enabled(otelaudit.ContextWithTrail(t.Context(), tr)))
	require.Equal(t, uint64(1), tr.Status().Sinks[0].Exported)
}

func TestTrackErrsWhenNothingAnswers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(context.Context, *trail.Batch) error{
		"an exporter that fails": func(context.Context, *trail.Batch) error { return errors.New("connection refused") },
		"an exporter that hangs": func(ctx context.Context, _ *trail.Batch) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble()
			tr := openQuiet(t, d, func(c *trail.Config) {
				c.TrackTimeout, c.ExportTimeout = 100*time.Millisecond, 100*time.Millisecond
			})
			d.answerWith(answer)
			started := time.Now()
			_, err := tr.Track(t.Context(), activity("invoice.approve"))
			require.ErrorIs(t, err, otelaudit.ErrTimeout)
			require.True(t, otelaudit.IsRetryable(err))
			require.Less(t, time.Since(started), patience)
			var te *otelaudit.TrackError
			require.ErrorAs(t, err, &te)
			require.Len(t, te.Activities, 1)

			// The safe retry: the same id and time, whatever the context says by then.
			d.answerWith(nil)
			ctx := otelaudit.ContextWithActor(t.Context(), otelaudit.User("somebody else"))
			require.Eventually(t, func() bool { _, err := tr.TrackAll(ctx, te.Activities); return err == nil }, patience, time.Millisecond)
			last := d.stored()[len(d.stored())-1]
			require.Equal(t, te.Activities[0].ID, last.ID)
			require.Equal(t, te.Activities[0].Time, last.Time)
			require.Equal(t, "u-1", last.Actor.ID)
		})
	}
}

func TestAnExporterThatIgnoresItsContextHoldsNobody(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d, func(c *trail.Config) {
		c.TrackTimeout, c.CloseTimeout = 50*time.Millisecond, 50*time.Millisecond
	})
	release := make(chan struct{})
	d.answerWith(func(context.Context, *trail.Batch) error { <-release; return nil })
	_, err := tr.Track(t.Context(), activity("a.create"))
	require.ErrorIs(t, err, otelaudit.ErrTimeout)
	_, err = tr.Track(t.Context(), activity("b.create")) // queued behind the one that hangs, and taken back
	require.ErrorIs(t, err, otelaudit.ErrTimeout)
	require.Equal(t, 1, tr.Status().Sinks[0].Waiting, "only what is under way is left")
	require.ErrorContains(t, tr.Close(), "1 records were not confirmed")
	close(release)
}

func TestAPassingFaultIsOnlyADelay(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d)
	failures := 3
	d.answerWith(func(context.Context, *trail.Batch) error {
		if failures--; failures >= 0 {
			return errors.New("connection reset")
		}
		return nil
	})
	_, err := tr.Track(t.Context(), activity("invoice.approve"))
	require.NoError(t, err)
	require.Equal(t, []string{"invoice.approve"}, d.actions())
	status := tr.Status().Sinks[0]
	require.Equal(t, trail.Running, status.State)
	require.EqualError(t, status.LastError, "connection reset")
}

func TestACancelledRequestIsStillRecorded(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := open(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := tr.Track(ctx, activity("invoice.approve"))
	require.NoError(t, err)
	require.Len(t, d.stored(), 1)
}

func TestABadRecordFailsItsOwnTrackOnly(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d)
	// Hold one batch back, so that the next holds several calls.
	release := make(chan struct{})
	d.answerWith(func(context.Context, *trail.Batch) error { <-release; return nil })
	first := track(tr, activity("first.create"))
	d.next(t)
	conflict := errors.New("conflict")
	d.answerWith(func(_ context.Context, b *trail.Batch) error {
		var bad []trail.BadRecord
		for i, r := range b.Records {
			if r.Action == "bad.create" {
				bad = append(bad, trail.BadRecord{ID: r.ID, Index: i, Reason: conflict})
			}
		}
		return &trail.BadRecordsError{Records: bad}
	})
	var good []<-chan error
	for i := range 5 {
		good = append(good, track(tr, activity(fmt.Sprintf("good%d.create", i))))
	}
	bad := track(tr, activity("bad.create"))
	require.Eventually(t, func() bool { return tr.Status().Sinks[0].Waiting == 7 }, patience, time.Millisecond)
	close(release)

	require.NoError(t, await(t, first))
	for _, g := range good {
		require.NoError(t, await(t, g))
	}
	err := await(t, bad)
	require.ErrorIs(t, err, otelaudit.ErrRejected)
	require.ErrorIs(t, err, conflict)
	require.False(t, otelaudit.IsRetryable(err))
	require.Equal(t, 6, d.next(t), "one batch for all who waited")
}

func TestBadRecordsThatAreNotInTheBatchAreNoAnswer(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d, func(c *trail.Config) { c.TrackTimeout = 50 * time.Millisecond })
	d.failWith(&trail.BadRecordsError{Records: []trail.BadRecord{{Index: 3, Reason: errors.New("x")}}})
	_, err := tr.Track(t.Context(), activity("a.create"))
	require.ErrorIs(t, err, otelaudit.ErrTimeout)
}

func TestAStoppedSinkFailsAtOnceAndComesBack(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d, func(c *trail.Config) { c.ProbeInterval = 20 * time.Millisecond })
	fault := errors.New(`relation "otelaudit.activity" does not exist`)
	d.failWith(&trail.StopError{Err: fault})

	_, err := tr.Track(t.Context(), activity("a.create"))
	require.ErrorIs(t, err, otelaudit.ErrUnavailable)
	require.ErrorIs(t, err, fault)
	require.Equal(t, trail.Stopped, tr.Status().Sinks[0].State)
	require.False(t, tr.Status().Healthy())
	_, err = tr.Track(t.Context(), activity("b.create"))
	require.ErrorIs(t, err, otelaudit.ErrUnavailable)

	reports.await(t, "is stopped", fault.Error())
	d.next(t)
	require.Zero(t, d.next(t), "a stopped sink is probed with an empty batch")
	d.answerWith(nil) // mended, without a restart
	require.Eventually(t, func() bool { return tr.Status().Healthy() }, patience, time.Millisecond)
	_, err = tr.Track(t.Context(), activity("c.create"))
	require.NoError(t, err)
	require.Equal(t, []string{"c.create"}, d.actions())
}

func TestThePolicySurvivesASinkThatIsStoppedAtFirst(t *testing.T) {
	t.Parallel()
	d := newDouble()
	d.failWith(&trail.StopError{Err: errors.New("no table")})
	tr := open(t, d, func(c *trail.Config) {
		c.ProbeInterval, c.Policy.Ignore = 20*time.Millisecond, []string{"health.*"}
	})
	d.next(t)
	require.Eventually(t, func() bool { return !tr.Status().Healthy() }, patience, time.Millisecond)
	_, err := tr.Track(t.Context(), activity("health.read"))
	require.ErrorIs(t, err, otelaudit.ErrUnavailable, "what the policy ignores is not accounted for")

	opened := make(chan string, 1)
	d.answerWith(func(_ context.Context, b *trail.Batch) error {
		if len(b.Records) > 0 {
			select {
			case opened <- b.Records[0].Action:
			default:
			}
		}
		return nil
	})
	require.Eventually(t, func() bool { _, err := tr.Track(t.Context(), activity("health.read")); return err == nil }, patience, time.Millisecond)
	require.Equal(t, "otelaudit.trail.open", <-opened)
}

func TestEveryRequiredSinkMustHaveIt(t *testing.T) {
	t.Parallel()
	a, b := newDouble(), newDouble()
	tr, err := trail.Open(t.Context(), trail.Config{
		NoJournal: true, Service: "billing", TrackTimeout: 100 * time.Millisecond,
		Sinks: []trail.Sink{{Name: "a", Exporter: a}, {Name: "b", Exporter: b}},
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, tr.Close()) }()
	_, err = tr.Track(t.Context(), activity("one.create"))
	require.NoError(t, err)
	require.Len(t, a.stored(), 1)
	require.Len(t, b.stored(), 1)

	b.failWith(errors.New("down"))
	_, err = tr.Track(t.Context(), activity("two.create"))
	require.ErrorIs(t, err, otelaudit.ErrTimeout)
	require.ErrorContains(t, err, `sink "b"`)
	b.answerWith(nil)
}

func TestFullIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d, func(c *trail.Config) { c.MaxWaitingBytes = otelaudit.MaxRecordBytes })
	release := make(chan struct{})
	d.answerWith(func(context.Context, *trail.Batch) error { <-release; return nil })
	under := track(tr, activity("first.create"))
	d.next(t)
	big := activity("big.create")
	big.Reason = string(make([]byte, otelaudit.MaxReasonBytes)) // NULs become three bytes each, and are cut
	var waiting []<-chan error
	var full error
	for full == nil {
		result := track(tr, big)
		before := len(waiting)
		require.Eventually(t, func() bool {
			select {
			case full = <-result:
				return true
			default:
			}
			return tr.Status().Sinks[0].Waiting == before+2
		}, patience, time.Millisecond)
		if full == nil {
			waiting = append(waiting, result)
		}
		require.Less(t, len(waiting), 100)
	}
	require.ErrorIs(t, full, otelaudit.ErrFull)
	require.True(t, otelaudit.IsRetryable(full))
	close(release)
	require.NoError(t, await(t, under))
	for _, w := range waiting {
		require.NoError(t, await(t, w))
	}
}

func TestTrackAllIsOneBatchOrNone(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d, func(c *trail.Config) { c.MaxBatch = 3; c.Policy.Ignore = []string{"health.*"} })
	as := []otelaudit.Activity{activity("a.create"), activity("b.create"), activity("health.read"), activity("c.create"), activity("d.create")}
	receipts, err := tr.TrackAll(t.Context(), as)
	require.NoError(t, err)
	require.Len(t, receipts, 5)
	require.True(t, receipts[2].Ignored)
	require.Equal(t, 4, d.next(t), "a call is not split")

	as[1].Action = ""
	_, err = tr.TrackAll(t.Context(), as)
	require.ErrorIs(t, err, otelaudit.ErrInvalid)
	require.ErrorContains(t, err, "activity 1")
	require.Len(t, d.stored(), 4, "nothing of the second call")

	_, err = tr.TrackAll(t.Context(), make([]otelaudit.Activity, otelaudit.MaxBatch+1))
	require.ErrorIs(t, err, otelaudit.ErrInvalid)
	receipts, err = tr.TrackAll(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, receipts)
}

func TestBatchesAreBounded(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d, func(c *trail.Config) { c.MaxBatch = 4 })
	release := make(chan struct{})
	d.answerWith(func(context.Context, *trail.Batch) error { <-release; return nil })
	results := []<-chan error{track(tr, activity("first.create"))}
	d.next(t)
	for i := range 10 {
		results = append(results, track(tr, activity(fmt.Sprintf("n%d.create", i))))
	}
	require.Eventually(t, func() bool { return tr.Status().Sinks[0].Waiting == 11 }, patience, time.Millisecond)
	close(release)
	for _, r := range results {
		require.NoError(t, await(t, r))
	}
	require.Equal(t, []int{4, 4, 2}, []int{d.next(t), d.next(t), d.next(t)})
}

func TestAnExporterCannotTrackOnItsOwnTrail(t *testing.T) {
	t.Parallel()
	d := newDouble()
	var tr *trail.Trail
	result := make(chan error, 1)
	ready := make(chan struct{})
	d.answerWith(func(ctx context.Context, _ *trail.Batch) error {
		<-ready
		select {
		case result <- otelaudit.Track(otelaudit.ContextWithTrail(ctx, tr), activity("self.create")):
		default:
		}
		return nil
	})
	tr = open(t, d)
	close(ready)
	_, err := tr.Track(t.Context(), activity("a.create"))
	require.NoError(t, err)
	require.ErrorIs(t, <-result, otelaudit.ErrInvalid)
}

func TestDoRefusesBeforeItRuns(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := open(t, d, func(c *trail.Config) { c.Policy.RequireActor = true })
	ctx := otelaudit.ContextWithTrail(t.Context(), tr)
	err := otelaudit.Do(ctx, otelaudit.Activity{Action: "invoice.approve"}, func(context.Context, *otelaudit.Activity) error {
		require.FailNow(t, "f ran")
		return nil
	})
	require.ErrorIs(t, err, otelaudit.ErrInvalid)
	require.NoError(t, tr.Close())
	err = otelaudit.Do(ctx, activity("a.b"), func(context.Context, *otelaudit.Activity) error {
		require.FailNow(t, "f ran")
		return nil
	})
	require.ErrorIs(t, err, otelaudit.ErrShutdown)
}

// Each activity has the actor of its own context, also when many are tracked at once and share batches.
func TestNoActivityHasAnothersActor(t *testing.T) {
	t.Parallel()
	const goroutines, each = 64, 200
	d := newDouble()
	d.asked = make(chan int, goroutines*each+1)
	tr := open(t, d)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			id := fmt.Sprintf("user-%d", g)
			customer := otelaudit.User("customer of " + id)
			actor := otelaudit.User(id).For(customer)
			actor.Roles, actor.Session = []string{"role of " + id}, "session of "+id
			ctx := otelaudit.ContextWithActor(otelaudit.ContextWithTrail(context.Background(), tr), actor)
			ctx = otelaudit.ContextWithTenant(ctx, "tenant of "+id)
			for i := range each {
				if err := otelaudit.Track(ctx, otelaudit.Activity{Action: "own.update", Target: otelaudit.Target{Type: "own", ID: id}, Reason: fmt.Sprint(i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	stored := d.stored()
	require.Len(t, stored, goroutines*each)
	seen := map[otelaudit.ID]bool{}
	for _, r := range stored {
		id := r.Target.ID
		require.Equal(t, id, r.Actor.ID)
		require.Equal(t, []string{"role of " + id}, r.Actor.Roles)
		require.Equal(t, "customer of "+id, r.Actor.OnBehalfOf.ID)
		require.Equal(t, "tenant of "+id, r.Tenant)
		require.False(t, seen[r.ID], "an id twice")
		seen[r.ID] = true
	}
}
