package otelaudit_test

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

// hook is what an ORM's hook would track of an invoice's row.
func hook(id string) otelaudit.Activity {
	return otelaudit.Activity{Action: "row.update", Target: otelaudit.Target{Type: "invoice", ID: id}}
}

func approve(id string) otelaudit.Activity {
	return otelaudit.Activity{Action: "invoice.approve", Target: otelaudit.Target{Type: "invoice", ID: id}}
}

// scope is a request's scope under a policy, by ana.
func scope(t *testing.T, p otelaudit.Policy) (*audittest.Trail, context.Context, func(context.Context) error) {
	t.Helper()
	tr := audittest.New(t, audittest.WithPolicy(p))
	ctx, end := otelaudit.ContextWithFallback(otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana")))
	return tr, ctx, end
}

func TestFallbackIsCovered(t *testing.T) {
	t.Parallel()
	track := func(a otelaudit.Activity) func(context.Context) error {
		return func(ctx context.Context) error { return otelaudit.Track(ctx, a) }
	}
	related := approve("1")
	related.Related = []otelaudit.Target{{Type: "invoice", ID: "42"}}
	failed, denied, unknown := approve("42"), approve("42"), approve("42")
	failed.Err, denied.Outcome, unknown.Outcome = errors.New("x"), otelaudit.Denied, otelaudit.OutcomeUnknown
	said := approve("42")
	said.Err, said.Outcome = errors.New("a warning"), otelaudit.Success
	elsewhere := approve("42")
	elsewhere.Tenant = "other"
	with := func(action string) otelaudit.Activity {
		a := approve("42")
		a.Action = action
		return a
	}
	for name, tc := range map[string]struct {
		explicit func(ctx context.Context) error
		covered  bool
	}{
		"its target":       {track(approve("42")), true},
		"a related target": {track(related), true},
		"of several": {func(ctx context.Context) error {
			return otelaudit.TrackAll(ctx, []otelaudit.Activity{approve("1"), approve("42")})
		}, true},
		"done": {func(ctx context.Context) error {
			return otelaudit.Do(ctx, approve("42"), func(context.Context, *otelaudit.Activity) error { return nil })
		}, true},
		"a success with a cause": {track(said), true},
		"nothing":                {func(context.Context) error { return nil }, false},
		"another instance":       {track(approve("43")), false},
		"another type":           {track(otelaudit.Activity{Action: "order.approve", Target: otelaudit.Target{Type: "order", ID: "42"}}), false},
		"the type only":          {track(otelaudit.Activity{Action: "invoice.approve", Target: otelaudit.Target{Type: "invoice"}}), false},
		"another tenant":         {track(elsewhere), false},
		"a failure":              {track(failed), false},
		"a denial":               {track(denied), false},
		"who knows":              {track(unknown), false},
		"read":                   {track(with("invoice.read")), false},
		"export":                 {track(with("invoice.export")), false},
		"login":                  {track(with("user.login")), false},
		"reading, in capitals":   {track(with("invoice.List")), false},
		"an unknown verb":        {track(with("invoice.frobnicate")), true},
		"one that was ignored":   {track(with("noise.update")), false},
		"ignored, of several": {func(ctx context.Context) error {
			return otelaudit.TrackAll(ctx, []otelaudit.Activity{with("noise.update"), approve("1")})
		}, false},
		"one that was refused": {func(ctx context.Context) error {
			a := approve("42")
			a.Time = time.Unix(-1, 0)
			if otelaudit.Track(ctx, a) == nil {
				return errors.New("accepted")
			}
			return nil
		}, false},
	} {
		for when, first := range map[string]bool{"before": true, "after": false} {
			tr, ctx, end := scope(t, otelaudit.Policy{Ignore: []string{"noise.*"}})
			if first {
				require.NoError(t, tc.explicit(ctx), name)
			}
			require.NoError(t, otelaudit.Fallback(ctx, hook("42")))
			tr.RequireNone("row.update")
			if !first {
				require.NoError(t, tc.explicit(ctx), name)
			}
			require.NoError(t, end(ctx))
			n := 0
			for _, r := range tr.Records() {
				if r.Action == "row.update" {
					n++
				}
			}
			require.Equal(t, tc.covered, n == 0, "%s, %s the fallback", name, when)
		}
	}
}

func TestFallbackUnderATrailThatDelivers(t *testing.T) {
	t.Parallel()
	tr, ctx, end := scope(t, otelaudit.Policy{})
	require.NoError(t, otelaudit.Fallback(ctx, hook("1")))
	require.NoError(t, otelaudit.Fallback(ctx, hook("2")))
	tr.FailWith(otelaudit.ErrNotDelivered) // recorded all the same
	require.Error(t, otelaudit.Track(ctx, approve("1")))
	tr.FailWith(otelaudit.ErrTimeout) // not confirmed
	require.Error(t, otelaudit.Track(ctx, approve("2")))
	tr.FailWith(nil)
	require.NoError(t, end(ctx))
	tr.RequireNone("row.update", audittest.Target("invoice", "1"))
	tr.Require("row.update", audittest.Target("invoice", "2"))
}

func TestFallbackCountsTenants(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ana := otelaudit.User("ana")
	ana.Tenant = "acme"
	ctx, end := otelaudit.ContextWithFallback(otelaudit.ContextWithActor(tr.Context(), ana))
	require.NoError(t, otelaudit.Fallback(otelaudit.ContextWithTenant(ctx, "acme"), hook("1")), "the same tenant, however it is said")
	require.NoError(t, otelaudit.Fallback(otelaudit.ContextWithTenant(ctx, "other"), hook("1")))
	require.NoError(t, otelaudit.Track(ctx, approve("1")))
	require.NoError(t, end(ctx))
	require.Len(t, tr.Records(), 2)
	tr.Require("row.update", audittest.Tenant("other"))
}

func TestFallbackHasTheTimeAndContextOfTheChange(t *testing.T) {
	t.Parallel()
	clock := noon
	tr, ctx, end := scope(t, otelaudit.Policy{Now: func() time.Time { return clock }})
	inner, cancel := context.WithCancel(otelaudit.ContextWithOperation(ctx, "import"))
	a := hook("1")
	a.Related = []otelaudit.Target{{Type: "order", ID: "7"}}
	a.Changes = otelaudit.Changes{{Field: "total", New: attribute.IntValue(1)}}
	a.Metadata = []attribute.KeyValue{attribute.Int("n", 1)}
	a.Actor = otelaudit.Actor{Type: otelaudit.ActorSystem, ID: "orm", Roles: []string{"r"}}
	require.NoError(t, otelaudit.Fallback(inner, a))
	a.Related[0].ID, a.Changes[0].Field, a.Metadata[0].Key, a.Actor.Roles[0] = "x", "x", "x", "x" // the hook reuses what it gave

	clock = noon.Add(time.Minute)
	cancel()
	require.NoError(t, end(t.Context()))
	r := tr.Require("row.update",
		audittest.Actor(otelaudit.Actor{Type: otelaudit.ActorSystem, ID: "orm", Roles: []string{"r"}}),
		audittest.Operation("import"), audittest.Related("order", "7"),
		audittest.Change("total", nil, 1), audittest.Metadata(attribute.Int("n", 1)))
	require.Equal(t, noon, r.Time)
	require.Equal(t, clock, r.Observed)

	own := hook("2")
	own.ID, own.Time = otelaudit.DeriveID("orm", "2"), noon.Add(-time.Hour)
	ctx, end = otelaudit.ContextWithFallback(ctx)
	require.NoError(t, otelaudit.Fallback(ctx, own))
	require.NoError(t, end(ctx))
	require.Equal(t, own.ID, tr.Require("row.update", audittest.Target("invoice", "2")).ID)
}

func TestFallbackWithoutScope(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	require.NoError(t, otelaudit.Fallback(ctx, hook("1")))
	tr.Require("row.update")
	require.ErrorIs(t, otelaudit.Fallback(ctx, otelaudit.Activity{}), otelaudit.ErrInvalid)
	require.ErrorIs(t, otelaudit.Fallback(t.Context(), hook("1")), otelaudit.ErrNoTrail)
}

func TestFallbackAfterTheScope(t *testing.T) {
	t.Parallel()
	tr, ctx, end := scope(t, otelaudit.Policy{})
	require.NoError(t, otelaudit.Fallback(ctx, hook("1")))
	require.NoError(t, end(ctx))
	require.Len(t, tr.Records(), 1)
	require.NoError(t, end(ctx), "a second end has nothing to do")
	require.Len(t, tr.Records(), 1)

	require.NoError(t, otelaudit.Track(ctx, approve("2")))
	require.NoError(t, otelaudit.Fallback(ctx, hook("2")))
	tr.Require("row.update", audittest.Target("invoice", "2"))
}

func TestFallbackErrors(t *testing.T) {
	t.Parallel()
	tr, ctx, end := scope(t, otelaudit.Policy{})
	for _, id := range []string{"1", "2"} {
		require.NoError(t, otelaudit.Fallback(ctx, hook(id)))
	}
	circle := hook("3")
	circle.Actor = otelaudit.User("x")
	circle.Actor.OnBehalfOf = &circle.Actor
	require.NoError(t, otelaudit.Fallback(ctx, circle), "refused when it is tracked")
	tr.FailWith(otelaudit.ErrTimeout)
	err := end(ctx)
	require.ErrorIs(t, err, otelaudit.ErrTimeout)
	require.ErrorIs(t, err, otelaudit.ErrInvalid)
	require.Empty(t, tr.Records())
}

// Where the hook's context has no trail, the one that ends the scope may.
func TestFallbackFindsTheTrailAtTheEnd(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx, end := otelaudit.ContextWithFallback(otelaudit.ContextWithActor(t.Context(), otelaudit.User("ana")))
	require.NoError(t, otelaudit.Fallback(ctx, hook("1")))
	require.NoError(t, end(tr.Context()))
	tr.Require("row.update", audittest.Actor(otelaudit.User("ana")))

	ctx, end = otelaudit.ContextWithFallback(t.Context())
	require.NoError(t, otelaudit.Fallback(ctx, hook("1")))
	require.ErrorIs(t, end(t.Context()), otelaudit.ErrNoTrail)
}

// A scope is bounded. What it cannot hold is recorded rather than suppressed.
func TestFallbackOverflow(t *testing.T) {
	t.Parallel()
	const waiting, covered = 1024, 4096
	tr, ctx, end := scope(t, otelaudit.Policy{})
	for i := range waiting {
		require.NoError(t, otelaudit.Fallback(ctx, hook(fmt.Sprint(i))))
	}
	require.Empty(t, tr.Records())
	require.NoError(t, otelaudit.Fallback(ctx, hook("one more")))
	require.Len(t, tr.Records(), 1, "recorded at once")
	require.NoError(t, otelaudit.Track(ctx, approve("0")))
	require.NoError(t, end(ctx))
	require.Len(t, tr.Records(), 1+1+waiting-1)

	tr, ctx, end = scope(t, otelaudit.Policy{})
	var as []otelaudit.Activity
	for i := range covered {
		as = append(as, approve(fmt.Sprint(i)))
	}
	require.NoError(t, otelaudit.TrackAll(ctx, as))
	require.NoError(t, otelaudit.Track(ctx, approve("one more")))
	require.NoError(t, otelaudit.Fallback(ctx, hook("0")))
	require.NoError(t, otelaudit.Fallback(ctx, hook("one more")))
	require.NoError(t, end(ctx))
	tr.RequireNone("row.update", audittest.Target("invoice", "0"))
	tr.Require("row.update", audittest.Target("invoice", "one more"))
}

// A fallback speaks for nothing, not even for another of its target.
func TestFallbackDoesNotCover(t *testing.T) {
	t.Parallel()
	tr, ctx, end := scope(t, otelaudit.Policy{})
	require.NoError(t, otelaudit.Fallback(ctx, hook("1")))
	require.NoError(t, otelaudit.Fallback(ctx, hook("1")))
	require.NoError(t, end(ctx))
	require.Len(t, tr.Records(), 2)
}

func TestFallbackConcurrently(t *testing.T) {
	t.Parallel()
	tr, ctx, end := scope(t, otelaudit.Policy{})
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			id := fmt.Sprint(i)
			if err := otelaudit.Fallback(ctx, hook(id)); err != nil {
				t.Error(err)
			}
			if i%2 == 0 {
				if err := otelaudit.Track(ctx, approve(id)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, end(ctx))
	require.Len(t, tr.Records(), 32)
}

func TestAnInnerScopeCoversTheOuter(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	invoice := otelaudit.Target{Type: "invoice", ID: "42"}
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	outer, endOuter := otelaudit.ContextWithFallback(ctx)
	require.NoError(t, otelaudit.Fallback(outer, otelaudit.Activity{Action: "invoice.update", Target: invoice}))
	inner, endInner := otelaudit.ContextWithFallback(outer)
	require.NoError(t, otelaudit.Track(inner, otelaudit.Activity{Action: "invoice.approve", Target: invoice}))
	require.NoError(t, endInner(ctx))
	require.NoError(t, endOuter(ctx))
	tr.RequireNone("invoice.update")
}

func TestWhatAScopeCouldNotRecordIsOneRetry(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	inner, end := otelaudit.ContextWithFallback(ctx)
	for _, id := range []string{"1", "2", "3"} {
		require.NoError(t, otelaudit.Fallback(inner, otelaudit.Activity{Action: "row.update", Target: otelaudit.Target{Type: "row", ID: id}}))
	}
	require.NoError(t, otelaudit.Fallback(inner, otelaudit.Activity{})) // which will never be recorded
	tr.FailWith(otelaudit.ErrTimeout)
	err := end(ctx)
	require.ErrorIs(t, err, otelaudit.ErrInvalid)
	require.True(t, otelaudit.IsRetryable(err))
	var failed *otelaudit.TrackError
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Activities, 3)
	tr.FailWith(nil)
	require.NoError(t, otelaudit.TrackAll(ctx, failed.Activities))
	require.Len(t, tr.Records(), 3)
}

func TestAnOuterScopeCoversTheInner(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	invoice := otelaudit.Target{Type: "invoice", ID: "42"}
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	outer, endOuter := otelaudit.ContextWithFallback(ctx)
	require.NoError(t, otelaudit.Track(outer, otelaudit.Activity{Action: "invoice.approve", Target: invoice}))
	inner, endInner := otelaudit.ContextWithFallback(outer)
	require.NoError(t, otelaudit.Fallback(inner, otelaudit.Activity{Action: "invoice.update", Target: invoice}))
	require.NoError(t, endInner(ctx))
	require.NoError(t, endOuter(ctx))
	tr.RequireNone("invoice.update")
}

// What counts is the outcome as recorded, which the policy may have decided.
func TestTheOutcomeAsRecordedCovers(t *testing.T) {
	t.Parallel()
	warning, broken := errors.New("a warning"), errors.New("broken")
	classify := func(err error) otelaudit.Outcome {
		if errors.Is(err, warning) {
			return otelaudit.Success
		}
		return otelaudit.Failure
	}
	for _, all := range []bool{false, true} {
		for _, delivered := range []bool{true, false} {
			tr, ctx, end := scope(t, otelaudit.Policy{Classify: classify})
			for id, err := range map[string]error{"1": warning, "2": broken} {
				require.NoError(t, otelaudit.Fallback(ctx, hook(id)))
				var failure error
				if !delivered {
					failure = otelaudit.ErrNotDelivered
				}
				tr.FailWith(failure)
				a := approve(id)
				a.Err = err
				if all {
					require.ErrorIs(t, otelaudit.TrackAll(ctx, []otelaudit.Activity{a}), failure)
				} else {
					require.ErrorIs(t, otelaudit.Track(ctx, a), failure)
				}
				tr.FailWith(nil)
			}
			require.NoError(t, end(ctx))
			tr.RequireNone("row.update", audittest.Target("invoice", "1"))
			tr.Require("row.update", audittest.Target("invoice", "2"))
		}
	}
}
