package trail

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics are those of the draft audit signal, and a few of otelaudit's own. What Track counts is read from its counters
// when somebody collects, so that it costs Track nothing.
type metrics struct {
	drops        metric.Int64Counter
	duration     metric.Float64Histogram
	registration metric.Registration
}

const attrSink = "otelaudit.sink.name"

func newMetrics(t *Trail) (*metrics, error) {
	provider := t.config.MeterProvider
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	b := meterBuilder{meter: provider.Meter("github.com/rj-gamer/go-activity-tracker/trail")}
	m := &metrics{}
	for _, s := range t.sinks {
		s.recording = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attribute.String(attrSink, s.name)))}
	}
	emitted := b.counter("audit.records.emitted", "Records that every required sink confirmed.", "{record}")
	exported := b.counter("audit.records.exported", "Records that a sink confirmed.", "{record}")
	ignored := b.counter("otelaudit.activities.ignored", "Activities that the policy left out.", "{activity}")
	unknown := b.counter("otelaudit.actors.unknown", "Records whose actor nobody named.", "{record}")
	ahead := b.counter("otelaudit.records.ahead_of_clock", "Records whose time lay ahead of the clock.", "{record}")
	depth := b.gauge("audit.queue.depth", "Records that are queued for a sink or under way to it.", "{record}")
	state := b.gauge("otelaudit.sink.state", "0 running, 1 retrying, 2 stopped.", "1")
	m.drops = b.drops()
	m.duration = b.duration()
	if b.err != nil {
		return nil, b.err
	}
	var err error
	m.registration, err = b.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		status := t.Status()
		o.ObserveInt64(emitted, int64(status.Emitted))       //nolint:gosec // a count
		o.ObserveInt64(ignored, int64(status.Ignored))       //nolint:gosec // a count
		o.ObserveInt64(unknown, int64(status.UnknownActors)) //nolint:gosec // a count
		o.ObserveInt64(ahead, int64(status.AheadOfClock))    //nolint:gosec // a count
		for _, s := range status.Sinks {
			name := metric.WithAttributes(attribute.String(attrSink, s.Name))
			o.ObserveInt64(exported, int64(s.Exported), name) //nolint:gosec // a count
			o.ObserveInt64(depth, int64(s.Waiting), name)
			o.ObserveInt64(state, int64(s.State), name)
		}
		return nil
	}, emitted, exported, ignored, unknown, ahead, depth, state)
	return m, err
}

func (m *metrics) dropped(s *sink, n int, reason string) {
	m.drops.Add(context.Background(), int64(n), metric.WithAttributes(attribute.String(attrSink, s.name), attribute.String("reason", reason)))
}

func (m *metrics) exportDuration(s *sink, d time.Duration) {
	m.duration.Record(context.Background(), d.Seconds(), s.recording...)
}

func (m *metrics) unregister() error {
	if m.registration == nil {
		return nil
	}
	return m.registration.Unregister()
}

// meterBuilder makes instruments and keeps the first error.
type meterBuilder struct {
	meter metric.Meter
	err   error
}

func (b *meterBuilder) note(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *meterBuilder) counter(name, description, unit string) metric.Int64ObservableCounter {
	c, err := b.meter.Int64ObservableCounter(name, metric.WithDescription(description), metric.WithUnit(unit))
	b.note(err)
	return c
}

func (b *meterBuilder) gauge(name, description, unit string) metric.Int64ObservableGauge {
	g, err := b.meter.Int64ObservableGauge(name, metric.WithDescription(description), metric.WithUnit(unit))
	b.note(err)
	return g
}

func (b *meterBuilder) drops() metric.Int64Counter {
	c, err := b.meter.Int64Counter("audit.records.dropped",
		metric.WithDescription("Records that a sink does not get: refused, given up, or too far behind."), metric.WithUnit("{record}"))
	b.note(err)
	return c
}

func (b *meterBuilder) duration() metric.Float64Histogram {
	h, err := b.meter.Float64Histogram("audit.export.duration",
		metric.WithDescription("How long an exporter took for a batch."), metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10))
	b.note(err)
	return h
}
