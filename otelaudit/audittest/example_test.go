package audittest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
)

// approve is the code under test.
func approve(ctx context.Context, invoice string) error {
	return otelaudit.Track(ctx, otelaudit.Activity{
		Action:  "invoice.approve",
		Target:  otelaudit.Target{Type: "invoice", ID: invoice},
		Changes: otelaudit.Diff(Invoice{State: "open"}, Invoice{State: "approved"}),
	})
}

// Invoice is what the code under test changes.
type Invoice struct {
	State string `audit:"track" json:"state"`
}

// printed is the t of an example, which has none: it prints its failures.
type printed struct{ testing.TB }

func (printed) Helper()                  {}
func (printed) Cleanup(func())           {}
func (printed) Context() context.Context { return context.Background() }
func (printed) Errorf(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stdout, format+"\n", args...)
}

func (printed) Fatalf(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stdout, format+"\n", args...)
}

func ExampleTrail_Require() {
	t := printed{} // in a test: the *testing.T
	trail := audittest.New(t)
	ctx := otelaudit.ContextWithActor(trail.Context(), otelaudit.User("ana"))

	if err := approve(ctx, "42"); err != nil {
		t.Fatalf("approve: %v", err)
	}

	r := trail.Require("invoice.approve",
		audittest.Actor(otelaudit.User("ana")),
		audittest.Target("invoice", "42"),
		audittest.Change("state", "open", "approved"))
	fmt.Println(r.Verb, r.Outcome)

	trail.Require("invoice.approve", audittest.Actor(otelaudit.User("bo")), audittest.Target("invoice", "43"))
	// Output:
	// APPROVE success
	// audittest: no "invoice.approve" is as required; 1 was recorded:
	//   1. by user "ana", target invoice "42", success
	//      actor:
	//        want user "bo"
	//        got  user "ana"
	//      target:
	//        want invoice "43"
	//        got  invoice "42"
}

func ExampleTrail_FailWith() {
	trail := audittest.New(printed{})
	ctx := otelaudit.ContextWithActor(trail.Context(), otelaudit.User("ana"))

	trail.FailWith(otelaudit.ErrTimeout)
	err := approve(ctx, "42")
	fmt.Println("retryable:", otelaudit.IsRetryable(err))

	trail.FailWith(nil)
	if failed, ok := errors.AsType[*otelaudit.TrackError](err); ok {
		fmt.Println("again:", otelaudit.TrackAll(ctx, failed.Activities))
	}
	fmt.Println("records:", len(trail.Records()))
	// Output:
	// retryable: true
	// again: <nil>
	// records: 1
}

func ExampleNew_unknownActor() {
	trail := audittest.New(printed{})
	_ = approve(trail.Context(), "42")
	// Output:
	// audittest: the actor of "invoice.approve" is unknown: put one into the context (otelaudit.ContextWithActor) or into the activity, or allow it with audittest.AllowUnknownActor()
}
