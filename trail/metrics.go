package trail

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics are those of the draft audit signal, and a few of otelaudit's own. What Status knows is read from there when
// somebody collects, so that it costs Track nothing.
type metrics struct {
	meter        metric.Meter
	drops        metric.Int64Counter
	duration     metric.Float64Histogram
	registration metric.Registration // nil until register
}

const attrSink = "otelaudit.sink.name"

func newMetrics(t *Trail) (*metrics, error) {
	provider := t.config.MeterProvider
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	m := &metrics{meter: provider.Meter("github.com/rj-gamer/go-activity-tracker/trail")}
	var err error
	if m.drops, err = m.meter.Int64Counter("audit.records.dropped",
		metric.WithDescription("Records that a sink does not get: refused, given up, or too far behind."), metric.WithUnit("{record}")); err != nil {
		return nil, err
	}
	m.duration, err = m.meter.Float64Histogram("audit.export.duration",
		metric.WithDescription("How long an exporter took for a batch."), metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10))
	return m, err
}

// ofTrail are the metrics that a trail has once.
var ofTrail = []struct {
	name, unit, description string
	gauge                   bool
	value                   func(*Status) uint64
}{
	{"audit.records.emitted", "{record}", "Records that are safe, as Track promises it.", false, func(s *Status) uint64 { return s.Emitted }},
	{"otelaudit.activities.ignored", "{activity}", "Activities that the policy left out.", false, func(s *Status) uint64 { return s.Ignored }},
	{"otelaudit.actors.unknown", "{record}", "Records whose actor nobody named.", false, func(s *Status) uint64 { return s.UnknownActors }},
	{"otelaudit.records.ahead_of_clock", "{record}", "Records whose time lay ahead of the clock.", false, func(s *Status) uint64 { return s.AheadOfClock }},
}

// ofJournal are those of the trail's own journal, where there is one.
var ofJournal = []struct {
	name, unit, description string
	gauge                   bool
	value                   func(*Status) uint64
}{
	{"otelaudit.journal.refused", "{record}", "Records that the journal did not take: their Track returned an error.", false, func(s *Status) uint64 { return s.Journal.Refused }},
	{"otelaudit.journal.lost", "{record}", "Records that were on disk and cannot be read any more, also of adopted journals.", true, func(s *Status) uint64 { return s.Lost }},
	{"otelaudit.journal.size", "By", "What the journal's segments take on disk.", true, func(s *Status) uint64 { return uint64(s.Journal.Bytes) }},
	{"otelaudit.journal.waiting", "By", "What waits for the disk.", true, func(s *Status) uint64 { return uint64(s.Journal.Waiting) }},
}

// ofSink are the metrics that each sink has.
var ofSink = []struct {
	name, unit, description string
	gauge                   bool
	value                   func(*SinkStatus) uint64
}{
	{"audit.records.exported", "{record}", "Records that a sink confirmed.", false, func(s *SinkStatus) uint64 { return s.Exported }},
	{"audit.queue.depth", "{record}", "Records that a sink has not confirmed yet.", true, func(s *SinkStatus) uint64 { return uint64(s.Waiting) }},
	{"otelaudit.queue.age", "ms", "How long the oldest of them waits.", true, func(s *SinkStatus) uint64 { return uint64(s.Oldest.Milliseconds()) }},
	{"otelaudit.sink.state", "1", "0 running, 1 retrying, 2 stopped.", true, func(s *SinkStatus) uint64 { return uint64(s.State) }},
}

// register has the metrics that Status knows observed. t is open by then.
func (m *metrics) register(t *Trail) error {
	var errs []error
	var all []metric.Observable
	instrument := func(name, unit, description string, gauge bool) metric.Int64Observable {
		var i metric.Int64Observable
		var err error
		if gauge {
			i, err = m.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		} else {
			i, err = m.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		}
		errs = append(errs, err)
		all = append(all, i)
		return i
	}
	trails := make([]metric.Int64Observable, len(ofTrail))
	for i, d := range ofTrail {
		trails[i] = instrument(d.name, d.unit, d.description, d.gauge)
	}
	journals := make([]metric.Int64Observable, len(ofJournal))
	for i, d := range ofJournal {
		if !t.config.NoJournal {
			journals[i] = instrument(d.name, d.unit, d.description, d.gauge)
		}
	}
	sinks := make([]metric.Int64Observable, len(ofSink))
	for i, d := range ofSink {
		sinks[i] = instrument(d.name, d.unit, d.description, d.gauge)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var err error
	m.registration, err = m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		status := t.Status()
		for i, d := range ofTrail {
			o.ObserveInt64(trails[i], int64(d.value(&status))) //nolint:gosec // a count
		}
		for i, d := range ofJournal {
			if status.Journal != nil {
				o.ObserveInt64(journals[i], int64(d.value(&status))) //nolint:gosec // a count
			}
		}
		for _, s := range status.Sinks {
			name := metric.WithAttributes(attribute.String(attrSink, s.Name))
			for i, d := range ofSink {
				o.ObserveInt64(sinks[i], int64(d.value(&s)), name) //nolint:gosec // a count
			}
		}
		return nil
	}, all...)
	return err
}

// nameOption is the attribute of a sink's name, made once.
func nameOption(name string) []metric.RecordOption {
	return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attribute.String(attrSink, name)))}
}

func (m *metrics) dropped(o *outlet, n int, reason string) {
	m.drops.Add(context.Background(), int64(n), metric.WithAttributes(attribute.String(attrSink, o.name), attribute.String("reason", reason)))
}

func (m *metrics) exportDuration(o *outlet, d time.Duration) {
	m.duration.Record(context.Background(), d.Seconds(), o.recording...)
}

func (m *metrics) unregister() error {
	if m.registration == nil {
		return nil
	}
	return m.registration.Unregister()
}
