package otelaudit_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
)

func TestDoRecordsTheOutcome(t *testing.T) {
	t.Parallel()
	odd := errors.New("odd")
	for name, tc := range map[string]struct {
		f         func(a *otelaudit.Activity) error
		outcome   otelaudit.Outcome
		errorType string
	}{
		"success": {func(*otelaudit.Activity) error { return nil }, otelaudit.Success, ""},
		"failure": {func(*otelaudit.Activity) error { return fmt.Errorf("save: %w", &fs.PathError{Err: odd}) }, otelaudit.Failure, "*fs.PathError"},
		"denied": {
			func(*otelaudit.Activity) error { return fmt.Errorf("limit: %w", otelaudit.ErrDenied) },
			otelaudit.Denied, "denied",
		},
		"an error of f's choice": {
			func(a *otelaudit.Activity) error { a.Err = otelaudit.ErrDenied; return odd },
			otelaudit.Denied, "denied",
		},
		"an outcome of f's choice": {
			func(a *otelaudit.Activity) error { a.Outcome = otelaudit.OutcomeUnknown; return nil },
			otelaudit.OutcomeUnknown, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := audittest.New(t)
			ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
			var returned error
			err := otelaudit.Do(ctx, otelaudit.Activity{Action: "a.approve"}, func(inner context.Context, a *otelaudit.Activity) error {
				require.Equal(t, ctx, inner)
				require.Empty(t, tr.Records(), "recorded before it was done")
				returned = tc.f(a)
				return returned
			})
			require.Equal(t, returned, err)
			tr.Require("a.approve", audittest.Outcome(tc.outcome), audittest.ErrorType(tc.errorType))
		})
	}
}

func TestDoLetsFCompleteTheActivity(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	a := otelaudit.Activity{Action: "invoice.create", Target: otelaudit.Target{Type: "invoice"}}
	require.NoError(t, otelaudit.Do(ctx, a, func(_ context.Context, a *otelaudit.Activity) error {
		a.Target.ID = "43"
		a.Changes = otelaudit.Changes{{Field: "total", New: attribute.IntValue(5)}}
		return nil
	}))
	tr.Require("invoice.create", audittest.Target("invoice", "43"), audittest.Change("total", nil, 5))
	require.Empty(t, a.Target.ID, "the caller's own activity is not touched")
}

func TestDoRefusesBeforeFRuns(t *testing.T) {
	t.Parallel()
	never := func(context.Context, *otelaudit.Activity) error {
		t.Error("f ran")
		return nil
	}
	tr := audittest.New(t, audittest.WithPolicy(otelaudit.Policy{RequireActor: true}))
	for name, a := range map[string]otelaudit.Activity{
		"no action":     {Actor: otelaudit.User("ana")},
		"no actor":      {Action: "a.create"},
		"id, no time":   {Action: "a.create", Actor: otelaudit.User("ana"), ID: otelaudit.DeriveID("x", "y")},
		"no such trust": {Action: "a.create", Actor: otelaudit.Actor{Type: otelaudit.ActorUser, ID: "x", Trust: 7}},
	} {
		err := otelaudit.Do(tr.Context(), a, never)
		require.ErrorIs(t, err, otelaudit.ErrInvalid, name)
	}
	require.ErrorIs(t, otelaudit.Do(tr.Context(), otelaudit.Activity{Action: "a.create", Actor: otelaudit.User("ana")}, nil), otelaudit.ErrInvalid)
	require.Empty(t, tr.Records())
}

func TestDoJoinsErrors(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	tr.FailWith(otelaudit.ErrTimeout)

	err := otelaudit.Do(ctx, otelaudit.Activity{Action: "a.create"}, func(context.Context, *otelaudit.Activity) error { return fs.ErrExist })
	require.ErrorIs(t, err, fs.ErrExist)
	require.True(t, otelaudit.IsRetryable(err))
	var failed *otelaudit.TrackError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, otelaudit.Failure, failed.Activities[0].Outcome)

	err = otelaudit.Do(ctx, otelaudit.Activity{Action: "b.create"}, func(context.Context, *otelaudit.Activity) error { return nil })
	require.ErrorAs(t, err, &failed)

	tr.FailWith(nil)
	require.NoError(t, otelaudit.TrackAll(ctx, failed.Activities))
	tr.Require("b.create", audittest.Outcome(otelaudit.Success))
}

func TestDoWithATrailThatCannotCheck(t *testing.T) {
	t.Parallel()
	var tracked []otelaudit.Activity
	ctx := otelaudit.ContextWithTrail(t.Context(), stub(func(_ context.Context, a otelaudit.Activity) (otelaudit.Receipt, error) {
		tracked = append(tracked, a)
		return otelaudit.Receipt{}, nil
	}))
	require.NoError(t, otelaudit.Do(ctx, otelaudit.Activity{Action: "a.create"}, func(context.Context, *otelaudit.Activity) error { return nil }))
	require.Len(t, tracked, 1)
}

//go:noinline
func explode(context.Context, *otelaudit.Activity) error { panic("boom") }

func TestDoRecordsAPanic(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	run := func() (value any, stack string) {
		defer func() { value, stack = recover(), string(debug.Stack()) }()
		_ = otelaudit.Do(ctx, otelaudit.Activity{Action: "a.create", Outcome: otelaudit.Success}, explode)
		return nil, ""
	}
	value, stack := run()
	require.Equal(t, "boom", value)
	require.Contains(t, stack, "otelaudit_test.explode", "the panic keeps its stack")
	require.NotContains(t, stack, "[recovered")
	tr.Require("a.create", audittest.Outcome(otelaudit.Failure), audittest.ErrorType("panic"))

	tr.FailWith(otelaudit.ErrTimeout)
	value, _ = run()
	require.Equal(t, "boom", value, "a trail that fails does not hide the panic")
}

func TestDoRecordsAGoroutineThatEnds(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = otelaudit.Do(ctx, otelaudit.Activity{Action: "a.create"}, func(context.Context, *otelaudit.Activity) error {
			runtime.Goexit()
			return nil
		})
	}()
	<-done
	tr.Require("a.create", audittest.Outcome(otelaudit.Failure), audittest.ErrorType("panic"))
}

// The outcome is f's: what the activity came with is not.
func TestDoTakesNoOutcomeBeforehand(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	odd := errors.New("odd")
	before := otelaudit.Activity{Action: "a.approve", Outcome: otelaudit.Success, Err: otelaudit.ErrDenied}
	require.ErrorIs(t, otelaudit.Do(ctx, before, func(context.Context, *otelaudit.Activity) error { return odd }), odd)
	tr.Require("a.approve", audittest.Outcome(otelaudit.Failure), audittest.ErrorType("*errors.errorString"))
	before.Action, before.Outcome = "b.approve", otelaudit.Failure
	require.NoError(t, otelaudit.Do(ctx, before, func(context.Context, *otelaudit.Activity) error { return nil }))
	tr.Require("b.approve", audittest.Outcome(otelaudit.Success), audittest.ErrorType(""))
}
