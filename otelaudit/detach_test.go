package otelaudit_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
)

type valueKey struct{}

func TestDetachOutlivesTheRequest(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, context.DeadlineExceeded)
	detached := otelaudit.Detach(context.WithValue(ctx, valueKey{}, "of others"))
	cancel()
	require.Error(t, ctx.Err())
	require.NoError(t, detached.Err())
	require.NoError(t, context.Cause(detached))
	require.Nil(t, detached.Done())
	_, ok := detached.Deadline()
	require.False(t, ok)
	require.Equal(t, "of others", detached.Value(valueKey{}))
}

func TestDetachKeepsWhoAndWhere(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana").For(otelaudit.User("bo")))
	ctx = otelaudit.ContextWithRequest(ctx, otelaudit.Request{Method: "POST", RouteFunc: func() string { return "/reports" }})
	ctx = otelaudit.ContextWithTenant(ctx, "acme")
	ctx = otelaudit.ContextWithOperation(ctx, "close-of-month")
	ctx = otelaudit.ContextWithReason(ctx, "ticket 7")
	ctx = trace.ContextWithSpanContext(ctx, spanContext)

	require.NoError(t, otelaudit.Track(otelaudit.Detach(ctx), otelaudit.Activity{Action: "report.send"}))
	r := tr.Records()[0]
	require.Equal(t, otelaudit.User("ana").For(otelaudit.User("bo")), r.Actor)
	require.Equal(t, otelaudit.Request{Method: "POST", Route: "/reports"}, r.Request)
	require.Equal(t, "acme", r.Tenant)
	require.Equal(t, "close-of-month", r.Operation)
	require.Equal(t, "ticket 7", r.Reason)
	require.Equal(t, spanContext.TraceID(), r.TraceID)
	require.Equal(t, spanContext.SpanID(), r.SpanID)
	require.Equal(t, spanContext.TraceFlags(), r.TraceFlags)
}

var spanContext = trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})

func TestDetachFromNothing(t *testing.T) {
	t.Parallel()
	detached := otelaudit.Detach(t.Context())
	require.False(t, trace.SpanContextFromContext(detached).IsValid())
	_, ok := otelaudit.ActorFromContext(detached)
	require.False(t, ok)
	r := record(t, otelaudit.Policy{}, detached, otelaudit.Activity{Action: "a.create"})
	require.Equal(t, otelaudit.ActorUnknown, r.Actor.Type)
	require.False(t, r.TraceID.IsValid())
}

func TestDetachLeavesTheScope(t *testing.T) {
	t.Parallel()
	tr, ctx, end := scope(t, otelaudit.Policy{})
	detached := otelaudit.Detach(ctx)
	require.NoError(t, otelaudit.Fallback(ctx, hook("1")))
	require.NoError(t, otelaudit.Fallback(detached, hook("2")))
	require.Len(t, tr.Records(), 1, "recorded at once")
	require.NoError(t, otelaudit.Track(detached, approve("1")))
	require.NoError(t, end(ctx))
	require.Len(t, tr.Records(), 3, "the job's activity covers nothing in the request")
	require.NoError(t, otelaudit.Fallback(detached, hook("3")))
	require.Len(t, tr.Records(), 4, "also when the scope is gone")
}

func TestDetachLeavesTheSpan(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	ctx, span := tracer.Start(t.Context(), "request")
	detached := otelaudit.Detach(ctx)

	for range 2 { // while the span lives, and when it has ended
		late := trace.SpanFromContext(detached)
		require.False(t, late.IsRecording())
		late.AddEvent("late")
		late.End()
		span.End()
	}
	_, job := tracer.Start(detached, "job", trace.WithNewRoot(), trace.WithLinks(trace.LinkFromContext(detached)))
	job.End()

	ended := spans.Ended()
	require.Len(t, ended, 2)
	require.Empty(t, ended[0].Events())
	require.NotEqual(t, span.SpanContext().TraceID(), ended[1].SpanContext().TraceID())
	require.Equal(t, []sdktrace.Link{{SpanContext: span.SpanContext()}}, ended[1].Links())
}

// 64 requests, each with a job that goes on when the request and its span are gone.
func TestDetachedJobsKeepTheirActors(t *testing.T) {
	t.Parallel()
	const requests = 64
	tr := audittest.New(t)
	tracer := sdktrace.NewTracerProvider().Tracer("test")
	over, done := make(chan struct{}), make(chan error, 2*requests)
	want := map[string]trace.TraceID{}
	for i := range requests {
		user := fmt.Sprintf("user-%02d", i)
		ctx, cancel := context.WithCancel(otelaudit.ContextWithActor(tr.Context(), otelaudit.User(user)))
		ctx, span := tracer.Start(ctx, "request")
		ctx, end := otelaudit.ContextWithFallback(ctx)
		want[user] = span.SpanContext().TraceID()
		go func() {
			detached := otelaudit.Detach(ctx)
			done <- otelaudit.Track(detached, otelaudit.Activity{Action: "while.running"})
			<-over
			done <- otelaudit.Fallback(detached, otelaudit.Activity{Action: "when.over", Target: otelaudit.Target{Type: "user", ID: user}})
		}()
		span.End()
		require.NoError(t, end(ctx))
		cancel()
	}
	close(over)
	for range 2 * requests {
		require.NoError(t, <-done)
	}
	records := tr.Records()
	require.Len(t, records, 2*requests)
	for _, r := range records {
		require.Equal(t, want[r.Actor.ID], r.TraceID)
		if r.Action == "when.over" {
			require.Equal(t, r.Target.ID, r.Actor.ID)
		}
	}
}
