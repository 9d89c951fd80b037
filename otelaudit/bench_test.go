package otelaudit_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// benchmarked is an activity and its context that end in 18 attributes, as many as a usual one of a web service has.
func benchmarked() (context.Context, otelaudit.Activity) {
	actor := otelaudit.User("u-1846")
	actor.Name, actor.Trust = "Ana", otelaudit.TrustVerified
	ctx := otelaudit.ContextWithActor(context.Background(), actor)
	ctx = otelaudit.ContextWithRequest(ctx, otelaudit.Request{
		Method: "POST", Route: "/invoices/{id}/approve", ClientAddress: "192.0.2.7",
	})
	return ctx, otelaudit.Activity{
		Action:   "invoice.approve",
		Target:   otelaudit.Target{Type: "invoice", ID: "42"},
		Reason:   "within the approver's limit",
		Metadata: []attribute.KeyValue{attribute.String("channel", "web")},
	}
}

func TestBenchmarkedActivity(t *testing.T) {
	t.Parallel()
	ctx, a := benchmarked()
	require.Len(t, record(t, otelaudit.Policy{}, ctx, a).AppendAttributes(nil), 18)
}

func BenchmarkRecorder(b *testing.B) {
	ctx, a := benchmarked()
	rc, err := otelaudit.NewRecorder(otelaudit.Policy{})
	require.NoError(b, err)
	var r otelaudit.Record
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rc.Record(ctx, &a, &r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecorderFull has everything: roles, session, a chain, changes, related targets, metadata to be sorted.
func BenchmarkRecorderFull(b *testing.B) {
	ctx, a := benchmarked()
	actor, _ := otelaudit.ActorFromContext(ctx)
	actor.Roles, actor.Session = []string{"approver", "clerk"}, "c2Vzc2lvbg"
	ctx = otelaudit.ContextWithActor(ctx, actor.For(otelaudit.User("u-7")))
	a.Related = []otelaudit.Target{{Type: "order", ID: "7"}}
	a.Changes = otelaudit.Changes{{Field: "state", Old: attribute.StringValue("open"), New: attribute.StringValue("approved")}}
	a.Metadata = []attribute.KeyValue{attribute.String("b", "2"), attribute.String("a", "1")}
	rc, err := otelaudit.NewRecorder(otelaudit.Policy{})
	require.NoError(b, err)
	var r otelaudit.Record
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rc.Record(ctx, &a, &r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendAttributes(b *testing.B) {
	ctx, a := benchmarked()
	r := record(b, otelaudit.Policy{}, ctx, a)
	var dst []attribute.KeyValue
	b.ReportAllocs()
	for b.Loop() {
		dst = r.AppendAttributes(dst[:0])
	}
}

func BenchmarkDiff(b *testing.B) {
	before := article{Title: "T", Body: "B", By: &author{Name: "ana"}, Editors: []author{{Name: "e"}}, Updated: noon}
	after := before
	after.Title = "U"
	b.ReportAllocs()
	for b.Loop() {
		otelaudit.Diff(before, after)
	}
}
