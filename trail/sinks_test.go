package trail_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// plain is an exporter of the SDK's kind, which knows nothing of batches.
type plain struct {
	mu      sync.Mutex // guards records, largest and fail
	records []sdklog.Record
	largest int // batch
	fail    error
	asked   chan struct{}
}

func newPlain() *plain { return &plain{asked: make(chan struct{}, 1000)} }

func (p *plain) Export(_ context.Context, records []sdklog.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked <- struct{}{}
	p.largest = max(p.largest, len(records))
	if p.fail != nil {
		return p.fail
	}
	for i := range records {
		if records[i].EventName() != "otelaudit.trail.open" {
			p.records = append(p.records, records[i].Clone())
		}
	}
	return nil
}

func (*plain) Shutdown(context.Context) error   { return nil }
func (*plain) ForceFlush(context.Context) error { return nil }

func (p *plain) setFail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = err
}

func (p *plain) stored() []sdklog.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]sdklog.Record(nil), p.records...)
}

// An exporter of the SDK gets the record whole: its limits are not the application's, and it reads back as it was made.
// Not parallel: it sets environment variables.
func TestAnSDKExporterGetsTheWholeRecord(t *testing.T) {
	t.Setenv("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "2")
	t.Setenv("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment.name=test")
	p, d := newPlain(), newDouble()
	tr, err := trail.Open(t.Context(), trail.Config{
		NoJournal: true, Service: "billing",
		Sinks: []trail.Sink{{Name: "plain", Exporter: p}, {Name: "double", Exporter: d}},
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, tr.Close()) }()

	tp := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	ctx, span := tp.Tracer("t").Start(t.Context(), "unsampled")
	defer span.End()
	a := activity("invoice.update")
	a.Actor = otelaudit.User("admin").For(otelaudit.User("customer"))
	a.Reason = "a reason longer than three bytes"
	a.Changes = otelaudit.Changes{{Field: "amount", Old: attribute.IntValue(1), New: attribute.Float64Value(1)}}
	a.Metadata = []attribute.KeyValue{attribute.Map("deep", attribute.Slice("s", attribute.StringValue("x"), attribute.Value{}))}
	_, err = tr.Track(ctx, a)
	require.NoError(t, err)

	require.Len(t, p.stored(), 1)
	lr := p.stored()[0]
	require.Equal(t, span.SpanContext().TraceID(), lr.TraceID())
	require.Empty(t, lr.InstrumentationScope().Name)
	got, err := otelaudit.ParseRecord(&lr, *lr.Resource().Set())
	require.NoError(t, err)
	require.Equal(t, d.stored()[0], got)
	name, _ := got.Resource.Value("service.name")
	require.Equal(t, "billing", name.AsString(), "the configured service goes before the environment")
	environment, _ := got.Resource.Value("deployment.environment.name")
	require.Equal(t, "test", environment.AsString())
}

func TestAnSDKExportersErrorsAreRetried(t *testing.T) {
	t.Parallel()
	p := newPlain()
	p.setFail(&trail.StopError{Err: errors.New("looks final")})
	tr, err := trail.Open(t.Context(), trail.Config{NoJournal: true, Service: "billing", Sinks: []trail.Sink{{Name: "plain", Exporter: p}}})
	require.NoError(t, err)
	defer func() { require.NoError(t, tr.Close()) }()
	result := track(tr, activity("a.create"))
	for range 3 {
		<-p.asked
	}
	p.setFail(nil)
	require.NoError(t, await(t, result))
}

func TestABestEffortSinkSlowsNobody(t *testing.T) {
	t.Parallel()
	d, slow := newDouble(), newDouble()
	release := make(chan struct{})
	slow.answerWith(func(context.Context, *trail.Batch) error { <-release; return nil })
	tr := open(t, d, func(c *trail.Config) {
		c.Sinks = append(c.Sinks, trail.Sink{Name: "slow", Exporter: slow, BestEffort: true})
	})
	slow.next(t)
	const n = 500
	var want []string
	for i := range n {
		action := fmt.Sprintf("n%d.create", i)
		want = append(want, action)
		_, err := tr.Track(t.Context(), activity(action))
		require.NoError(t, err)
	}
	status := tr.Status().Sinks[1]
	require.False(t, status.Required)
	require.Equal(t, n+1, status.Waiting)
	require.Positive(t, status.Oldest)
	close(release)
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Equal(t, want, slow.actions(), "all of them, in order, though the caller's memory was used again")
}

func TestABestEffortSinkGivesUpItsOldest(t *testing.T) {
	t.Parallel()
	d, slow := newDouble(), newDouble()
	release := make(chan struct{})
	slow.answerWith(func(context.Context, *trail.Batch) error { <-release; return nil })
	const fit = 20
	tr := open(t, d, func(c *trail.Config) {
		c.MaxWaitingBytes = otelaudit.MaxRecordBytes
		c.Sinks = append(c.Sinks, trail.Sink{Name: "slow", Exporter: slow, BestEffort: true})
	})
	slow.next(t)
	big := activity("big.create")
	big.Metadata = []attribute.KeyValue{attribute.String("pad", fmt.Sprintf("%012000d", 1))}
	for range 2 * fit {
		_, err := tr.Track(t.Context(), big)
		require.NoError(t, err)
	}
	status := tr.Status().Sinks[1]
	require.Positive(t, status.Dropped)
	require.Equal(t, uint64(2*fit+1), status.Dropped+uint64(status.Waiting), "each is waiting or counted as dropped")
	close(release)
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Equal(t, uint64(2*fit+1), tr.Status().Sinks[1].Exported+status.Dropped)
}

func TestABestEffortSinkThatIsStoppedKeepsWhatItCan(t *testing.T) {
	t.Parallel()
	d, other := newDouble(), newDouble()
	other.failWith(&trail.StopError{Err: errors.New("no permission")})
	tr := open(t, d, func(c *trail.Config) {
		c.ProbeInterval = 20 * time.Millisecond
		c.Sinks = append(c.Sinks, trail.Sink{Name: "other", Exporter: other, BestEffort: true})
	})
	_, err := tr.Track(t.Context(), activity("a.create"))
	require.NoError(t, err)
	require.True(t, tr.Status().Healthy(), "it is not a required one")
	require.Eventually(t, func() bool { return tr.Status().Sinks[1].State == trail.Stopped }, patience, time.Millisecond)
	other.answerWith(nil)
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Equal(t, []string{"a.create"}, other.actions())
}

// recordedSpan is a context with a sampled span, and what ends it and gives its events.
func recordedSpan(t *testing.T) (context.Context, func() []sdktrace.Event) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	ctx, span := tp.Tracer("t").Start(t.Context(), "request")
	return ctx, func() []sdktrace.Event {
		span.End()
		return recorder.Ended()[0].Events()
	}
}

func TestASpanEventSaysLittle(t *testing.T) {
	t.Parallel()
	for _, off := range []bool{false, true} {
		t.Run(fmt.Sprintf("NoSpanEvent=%v", off), func(t *testing.T) {
			t.Parallel()
			tr := open(t, newDouble(), func(c *trail.Config) { c.NoSpanEvent = off })
			ctx, recorded := recordedSpan(t)
			a := activity("invoice.approve")
			a.Reason = "secret"
			receipt, err := tr.Track(ctx, a)
			require.NoError(t, err)
			events := recorded()
			if off {
				require.Empty(t, events)
				return
			}
			require.Len(t, events, 1)
			require.Equal(t, "invoice.approve", events[0].Name)
			require.Equal(t, []attribute.KeyValue{
				attribute.String("audit.record.id", receipt.ID.String()),
				attribute.String("audit.target.type", "invoice"),
				attribute.String("audit.target.id", "42"),
				attribute.String("audit.outcome", "success"),
			}, events[0].Attributes)
		})
	}
}

func TestLogRecordsOfTheApplicationBecomeRecords(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := open(t, d, func(c *trail.Config) { c.Policy.Ignore = []string{"noise.*"} })
	logger := sdklog.NewLoggerProvider(sdklog.WithProcessor(tr.Processor())).Logger("app")
	emit := func(event string, attrs ...attribute.KeyValue) {
		var lr log.Record
		lr.SetEventName(event)
		lr.SetTimestamp(time.Now())
		lr.AddAttributes(attrs...)
		logger.Emit(t.Context(), lr)
	}
	mandatory := []attribute.KeyValue{
		attribute.String("audit.record.id", "order-77/approve"),
		attribute.String("audit.actor.id", "u-1"),
		attribute.String("audit.actor.type", "user"),
		attribute.String("audit.action", "APPROVE"),
		attribute.String("audit.outcome", "success"),
		attribute.String("otelaudit.actor.trust", "verified"),
		attribute.String("custom", "kept"),
	}
	emit("app.started", attribute.String("not", "audit"))
	emit("order.incomplete", attribute.String("audit.record.id", "x"))
	emit("noise.approve", mandatory...)
	require.Empty(t, d.stored())

	emit("order.approve", mandatory...)
	require.Len(t, d.stored(), 1, "it is stored when Emit returns")
	r := d.stored()[0]
	require.Equal(t, "order.approve", r.Action)
	require.Equal(t, "u-1", r.Actor.ID)
	require.Equal(t, otelaudit.TrustDeclared, r.Actor.Trust, "a log record is no proof")
	require.Contains(t, r.Metadata, attribute.String("custom", "kept"))
	require.Equal(t, otelaudit.DeriveID("audit.record.id", "order-77/approve"), r.ID)
	name, _ := r.Resource.Value("service.name")
	require.Equal(t, "billing", name.AsString())
}

// Nobody sees the errors of a processor but OpenTelemetry's error handler, so they are counted as those of Track are.
// Not parallel: others count, too.
func TestFailuresOfTheProcessorAreCounted(t *testing.T) { //nolint:paralleltest // as said
	d := newDouble()
	tr := openQuiet(t, d)
	caught := &catching{Processor: tr.Processor()}
	logger := sdklog.NewLoggerProvider(sdklog.WithProcessor(caught)).Logger("app")
	emit := func(event string) error {
		var lr log.Record
		lr.SetEventName(event)
		lr.SetTimestamp(time.Now())
		lr.AddAttributes(
			attribute.String("audit.record.id", "order-77/approve"),
			attribute.String("audit.actor.id", "u-1"),
			attribute.String("audit.actor.type", "user"),
			attribute.String("audit.action", "APPROVE"),
			attribute.String("audit.outcome", "success"),
		)
		logger.Emit(t.Context(), lr)
		return caught.err
	}
	counted := func(reason string, f func()) {
		t.Helper()
		before := failures(t, reason)
		f()
		require.Equal(t, before+1, failures(t, reason), reason)
	}
	counted("invalid", func() { require.ErrorIs(t, emit(""), otelaudit.ErrInvalid) })
	d.failWith(&trail.StopError{Err: errors.New("no table")})
	counted("unavailable", func() { require.ErrorIs(t, emit("order.approve"), otelaudit.ErrUnavailable) })
	require.NoError(t, tr.Close())
	counted("shutdown", func() { require.ErrorIs(t, emit("order.approve"), otelaudit.ErrShutdown) })
}

// catching is a processor that keeps the latest error of another.
type catching struct {
	sdklog.Processor

	err error
}

func (c *catching) OnEmit(ctx context.Context, lr *sdklog.Record) error {
	c.err = c.Processor.OnEmit(ctx, lr)
	return c.err
}
