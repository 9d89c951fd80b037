package trail

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// rebuilder serves an exporter that takes the SDK's log records and nothing else. Those have no constructor, so it emits each
// record into a LoggerProvider of its own and collects what that makes of it. It belongs to one deliverer.
type rebuilder struct {
	exporter sdklog.Exporter
	loggers  map[attribute.Distinct]log.Logger // by the resource of the process that recorded
	made     collector
	attrs    []attribute.KeyValue
}

// NewBatchExporter returns e as a [BatchExporter]: itself where it is one; else it gets each batch rebuilt as OpenTelemetry log
// records, each with the resource of the process that recorded it. For one goroutine at a time.
func NewBatchExporter(e sdklog.Exporter) BatchExporter {
	if b, ok := e.(BatchExporter); ok {
		return b
	}
	return &rebuilder{exporter: e, loggers: map[attribute.Distinct]log.Logger{}}
}

// maxResources is how many resources a rebuilder remembers: as many processes as one adopts at a time, and more.
const maxResources = 64

// logger returns the logger that emits records of a resource. The SDK adds what OTEL_RESOURCE_ATTRIBUTES of this process says and
// the resource does not: there is no way around that.
func (r *rebuilder) logger(set attribute.Set) log.Logger {
	if logger, ok := r.loggers[set.Equivalent()]; ok {
		return logger
	}
	if len(r.loggers) == maxResources {
		clear(r.loggers)
	}
	// Without explicit limits the application's OTEL_LOGRECORD_* variables would cut audit records. Keys are unique already.
	provider := sdklog.NewLoggerProvider(
		sdklog.WithResource(resource.NewSchemaless(set.ToSlice()...)),
		sdklog.WithProcessor(&r.made),
		sdklog.WithAttributeCountLimit(-1),
		sdklog.WithAttributeValueLengthLimit(-1),
		sdklog.WithAttributeValueDepthLimit(-1),
		sdklog.WithAllowKeyDuplication(),
	)
	logger := provider.Logger("") // the draft has audit records without a scope
	r.loggers[set.Equivalent()] = logger
	return logger
}

// ExportBatch implements [BatchExporter]. Any error of the exporter is one to retry.
func (r *rebuilder) ExportBatch(ctx context.Context, b *Batch) error {
	if len(b.Records) == 0 {
		return nil
	}
	r.made.records = r.made.records[:0]
	for _, record := range b.Records {
		r.emit(record)
	}
	err := r.exporter.Export(ctx, r.made.records)
	clear(r.made.records)
	if err != nil {
		return passing{err}
	}
	return nil
}

// passing is an error that is retried whatever it wraps: an exporter of the SDK does not know a trail's errors, and what it
// passes on may look like one.
type passing struct{ err error }

func (p passing) Error() string { return p.err.Error() }

func (r *rebuilder) emit(record *otelaudit.Record) {
	r.attrs = record.AppendAttributes(r.attrs[:0])
	var lr log.Record
	lr.SetEventName(record.Action)
	lr.SetTimestamp(record.Time)
	lr.SetObservedTimestamp(record.Observed)
	lr.AddAttributes(r.attrs...)
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    record.TraceID,
		SpanID:     record.SpanID,
		TraceFlags: record.TraceFlags,
	}))
	r.logger(record.Resource).Emit(ctx, lr)
}

// collector is the processor that keeps what the provider made.
type collector struct {
	records []sdklog.Record
}

var _ sdklog.Processor = (*collector)(nil)

func (*collector) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

func (c *collector) OnEmit(_ context.Context, r *sdklog.Record) error {
	c.records = append(c.records, *r)
	return nil
}

func (*collector) Shutdown(context.Context) error   { return nil }
func (*collector) ForceFlush(context.Context) error { return nil }
