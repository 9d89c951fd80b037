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
	for i, r := range records {
		if i == maxSpanEvents {
			return
		}
		attrs := spanAttributes.Get().(*[]attribute.KeyValue)
		*attrs = appendSpanAttributes((*attrs)[:0], r)
		span.AddEvent(r.Action, trace.WithAttributes(*attrs...)) // the API copies them
		spanAttributes.Put(attrs)
	}
}

// spanAttributes are slices to be used again: they would be the most that a Track allocates.
var spanAttributes = sync.Pool{New: func() any { return new([]attribute.KeyValue) }}

func appendSpanAttributes(attrs []attribute.KeyValue, r *otelaudit.Record) []attribute.KeyValue {
	str := func(key, value string) {
		if value != "" {
			attrs = append(attrs, attribute.String(key, value))
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
	return attrs
}
