package trail

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// maxSpanEvents is how many events one TrackAll adds at most: a span holds few (128 by default), and they are not all ours.
const maxSpanEvents = 8

// addSpanEvents notes on the active span what was recorded: id, action, target and outcome only, since traces are read by more
// people than the trail is.
func addSpanEvents(ctx context.Context, records []*otelaudit.Record) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	e := spanEvents.Get().(*spanEvent)
	for _, r := range records[:min(len(records), maxSpanEvents)] {
		span.AddEvent(r.Action, e.of(r)...) // the API copies the attributes
	}
	spanEvents.Put(e)
}

// spanEvent is memory for the options of an event, to be used again: they would be the most that a Track allocates.
type spanEvent struct {
	attrs   [5]attribute.KeyValue
	options [6][]trace.EventOption // by how many attributes there are: each the option for so many of attrs
}

var spanEvents = sync.Pool{New: func() any {
	e := new(spanEvent)
	for n := range e.options {
		e.options[n] = []trace.EventOption{trace.WithAttributes(e.attrs[:n]...)}
	}
	return e
}}

// of returns the options of r's event. They are good until the next call.
func (e *spanEvent) of(r *otelaudit.Record) []trace.EventOption {
	n := 0
	str := func(key, value string) {
		if value != "" {
			e.attrs[n] = attribute.String(key, value)
			n++
		}
	}
	str(otelaudit.KeyRecordID, r.ID.String())
	str(otelaudit.KeyTargetType, r.Target.Type)
	str(otelaudit.KeyTargetID, r.Target.ID)
	if r.Outcome == otelaudit.Denied { // which the draft has no word for
		str(otelaudit.KeyOutcome, string(otelaudit.Failure))
		str(otelaudit.KeyDetailedOutcome, string(otelaudit.Denied))
	} else {
		str(otelaudit.KeyOutcome, string(r.Outcome))
	}
	return e.options[n]
}
