package otelaudit

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// Detach returns a context for work that outlives the request of ctx, in the same process: a goroutine, a job in a pool. It
// is not cancelled with ctx and has no deadline. It keeps every value of ctx, and so the trail, the actor, the request's facts,
// tenant, operation and reason: what the work tracks says who started it, and where.
//
// Two things belong to the request and stay behind. The scope of [ContextWithFallback]: what the work tracks covers nothing in
// it, and its fallbacks are recorded at once. And the span, which ends with the request: only its [trace.SpanContext] is kept,
// so that records have the trace id, nothing is written to a span that has ended, and the work's own span can link to it:
//
//	ctx, span := tracer.Start(ctx, "send reports", trace.WithNewRoot(), trace.WithLinks(trace.LinkFromContext(ctx)))
//
// What it keeps of the request is kept in memory until the work is done. Work of nobody's request, such as a cron job, names
// its own actor with [ContextWithActor] and [System].
func Detach(ctx context.Context) context.Context {
	ctx = trace.ContextWithSpanContext(context.WithoutCancel(ctx), trace.SpanContextFromContext(ctx))
	return contextWithLedger(ctx, nil)
}
