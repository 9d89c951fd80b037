package otelaudit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
)

// exampleT is the t of an example's trail. A service has a trail of package trail instead.
type exampleT struct{ testing.TB }

func (exampleT) Helper()                  {}
func (exampleT) Cleanup(func())           {}
func (exampleT) Context() context.Context { return context.Background() }
func (exampleT) Errorf(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stdout, format+"\n", args...)
}
func (exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// show shows records as a reader might see them.
func show(records []*otelaudit.Record) {
	for _, r := range records {
		_, _ = fmt.Fprintf(os.Stdout, "%s %s: %s %s %s: %s\n", r.Actor.Type, r.Actor.ID, r.Verb, r.Target.Type, r.Target.ID, r.Outcome)
		for _, ch := range r.Changes {
			_, _ = fmt.Fprintf(os.Stdout, "  %s: %s → %s\n", ch.Field, ch.Old.String(), ch.New.String())
		}
	}
}

func ExampleTrack() {
	trail := audittest.New(exampleT{})
	ctx := otelaudit.ContextWithTrail(context.Background(), trail)        // or otelaudit.SetDefault, at start-up
	ctx = otelaudit.ContextWithActor(ctx, otelaudit.User("ana"))          // audithttp does this
	ctx = otelaudit.ContextWithRequest(ctx, otelaudit.Request{ID: "r-1"}) // and this

	err := otelaudit.Track(ctx, otelaudit.Activity{
		Action: "invoice.approve",
		Target: otelaudit.Target{Type: "invoice", ID: "42"},
		Reason: "within the approver's limit",
	})
	if err != nil {
		fmt.Println(err)
	}
	show(trail.Records())
	// Output:
	// user ana: APPROVE invoice 42: success
}

func ExampleDo() {
	trail := audittest.New(exampleT{})
	ctx := otelaudit.ContextWithActor(trail.Context(), otelaudit.User("ana"))
	overLimit := fmt.Errorf("over the limit: %w", otelaudit.ErrDenied)

	a := otelaudit.Activity{Action: "invoice.approve", Target: otelaudit.Target{Type: "invoice", ID: "42"}}
	err := otelaudit.Do(ctx, a, func(context.Context, *otelaudit.Activity) error { return overLimit })
	fmt.Println(err)

	// A new thing has its id only once it is made.
	a = otelaudit.Activity{Action: "invoice.create", Target: otelaudit.Target{Type: "invoice"}}
	err = otelaudit.Do(ctx, a, func(_ context.Context, a *otelaudit.Activity) error {
		a.Target.ID = "43"
		return nil
	})
	fmt.Println(err)
	show(trail.Records())
	// Output:
	// over the limit: denied
	// <nil>
	// user ana: APPROVE invoice 42: denied
	// user ana: CREATE invoice 43: success
}

// Customer says which of its fields an audit trail may hold.
type Customer struct {
	Name  string `json:"name"  audit:"track"`
	IBAN  string `json:"iban"  audit:"sensitive"`
	Token string `json:"token"`
}

func ExampleDiff() {
	before := Customer{Name: "Ana", IBAN: "AT01", Token: "t1"}
	after := Customer{Name: "Anna", IBAN: "AT02", Token: "t2"}
	for _, ch := range otelaudit.Diff(before, after) {
		fmt.Printf("%s: %s → %s\n", ch.Field, ch.Old.String(), ch.New.String())
	}
	// Output:
	// iban: ***REDACTED*** → ***REDACTED***
	// name: Ana → Anna
}

func ExampleFields_Diff() {
	before := map[string]any{"title": "Draft", "secret": "s1", "other": 1}
	after := map[string]any{"title": "Final", "secret": "s2", "other": 2}
	changes, err := otelaudit.Fields{Track: []string{"title"}, Sensitive: []string{"secret"}}.Diff(before, after)
	if err != nil {
		fmt.Println(err)
	}
	for _, ch := range changes {
		fmt.Printf("%s: %s → %s\n", ch.Field, ch.Old.String(), ch.New.String())
	}
	// Output:
	// secret: ***REDACTED*** → ***REDACTED***
	// title: Draft → Final
}

func ExampleTrackError() {
	trail := audittest.New(exampleT{})
	ctx := otelaudit.ContextWithActor(trail.Context(), otelaudit.User("ana"))

	trail.FailWith(otelaudit.ErrTimeout) // the sink is slow, say
	err := otelaudit.Track(ctx, otelaudit.Activity{Action: "invoice.approve", Target: otelaudit.Target{Type: "invoice", ID: "42"}})

	// Later, perhaps elsewhere: the id and the time are fixed, so that twice is once.
	trail.FailWith(nil)
	var failed *otelaudit.TrackError
	if errors.As(err, &failed) && otelaudit.IsRetryable(err) {
		fmt.Println(otelaudit.TrackAll(trail.Context(), failed.Activities))
		fmt.Println(otelaudit.TrackAll(trail.Context(), failed.Activities))
	}
	show(trail.Records())
	// Output:
	// <nil>
	// <nil>
	// user ana: APPROVE invoice 42: success
}

func ExampleFallback() {
	trail := audittest.New(exampleT{})
	ctx := otelaudit.ContextWithActor(trail.Context(), otelaudit.User("ana"))

	ctx, end := otelaudit.ContextWithFallback(ctx) // middleware, around a request
	row := func(id string) otelaudit.Activity {
		return otelaudit.Activity{Action: "row.update", Target: otelaudit.Target{Type: "invoice", ID: id}}
	}
	_ = otelaudit.Fallback(ctx, row("42")) // an ORM's hook
	_ = otelaudit.Fallback(ctx, row("43"))
	_ = otelaudit.Track(ctx, otelaudit.Activity{Action: "invoice.approve", Target: otelaudit.Target{Type: "invoice", ID: "42"}})
	fmt.Println(end(ctx))
	show(trail.Records())
	// Output:
	// <nil>
	// user ana: APPROVE invoice 42: success
	// user ana: UPDATE invoice 43: success
}

// A handler hands work to a pool and answers. What the workers do later is still recorded as done for who asked for it.
func ExampleDetach() {
	trail := audittest.New(exampleT{})
	jobs := make(chan func(), 16)
	var pool sync.WaitGroup
	for range 4 {
		pool.Go(func() {
			for job := range jobs {
				job()
			}
		})
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /reports/{id}", func(w http.ResponseWriter, r *http.Request) {
		ctx := otelaudit.Detach(r.Context()) // r's own ends when the handler returns
		a := otelaudit.Activity{Action: "report.send", Target: otelaudit.Target{Type: "report", ID: r.PathValue("id")}}
		jobs <- func() {
			if err := otelaudit.Track(ctx, a); err != nil {
				fmt.Println(err)
			}
		}
		w.WriteHeader(http.StatusAccepted)
	})

	for id, user := range map[string]string{"1": "ana", "2": "bo"} {
		ctx, cancel := context.WithCancel(otelaudit.ContextWithActor(trail.Context(), otelaudit.User(user))) // audithttp does this
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/reports/"+id, http.NoBody))
		cancel()
	}
	close(jobs)
	pool.Wait()
	show(trail.Records())
	// Unordered output:
	// user ana: SEND report 1: success
	// user bo: SEND report 2: success
}

// A cron job acts as itself: nobody asked for it. One operation holds its run together.
func ExampleSystem() {
	trail := audittest.New(exampleT{})

	ctx := otelaudit.ContextWithActor(trail.Context(), otelaudit.System("nightly-billing"))
	ctx = otelaudit.ContextWithOperation(ctx, "nightly-billing/2026-03-01")
	ctx = otelaudit.ContextWithReason(ctx, "the month is over")
	for _, id := range []string{"42", "43"} {
		if err := otelaudit.Track(ctx, otelaudit.Activity{Action: "invoice.issue", Target: otelaudit.Target{Type: "invoice", ID: id}}); err != nil {
			fmt.Println(err)
		}
	}
	show(trail.Records())
	fmt.Println(trail.Records()[1].Operation, "because", trail.Records()[1].Reason)
	// Output:
	// system nightly-billing: ISSUE invoice 42: success
	// system nightly-billing: ISSUE invoice 43: success
	// nightly-billing/2026-03-01 because the month is over
}
