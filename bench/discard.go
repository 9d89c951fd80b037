package main

import (
	"context"
	"fmt"
	"sync/atomic"

	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/rj-gamer/go-activity-tracker/trail"
)

// discard is a sink that throws away what it gets, and counts it.
type discard struct{ records atomic.Int64 }

var (
	_ trail.BatchExporter = (*discard)(nil)
	_ sdklog.Exporter     = (*discard)(nil)
)

func (d *discard) ExportBatch(_ context.Context, b *trail.Batch) error {
	d.records.Add(int64(len(b.Records)))
	return nil
}

func (d *discard) Export(_ context.Context, records []sdklog.Record) error {
	d.records.Add(int64(len(records)))
	return nil
}

func (*discard) ForceFlush(context.Context) error { return nil }
func (*discard) Shutdown(context.Context) error   { return nil }

// openTrail opens a trail whose one required sink is exporter, with all else as it is by default.
func openTrail(ctx context.Context, exporter sdklog.Exporter) (*trail.Trail, error) {
	t, err := trail.Open(ctx, trail.Config{
		NoJournal: true,
		Service:   "billing",
		Sinks:     []trail.Sink{{Name: "discard", Exporter: exporter}},
	})
	if err != nil {
		return nil, fmt.Errorf("open a trail: %w", err)
	}
	return t, nil
}

// noLogs is a log processor that does nothing.
type noLogs struct{}

func (noLogs) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (noLogs) OnEmit(context.Context, *sdklog.Record) error           { return nil }
func (noLogs) ForceFlush(context.Context) error                       { return nil }
func (noLogs) Shutdown(context.Context) error                         { return nil }

// noSpans is a span processor that drops every span.
type noSpans struct{}

func (noSpans) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (noSpans) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (noSpans) ForceFlush(context.Context) error                { return nil }
func (noSpans) Shutdown(context.Context) error                  { return nil }
