package otelaudit

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// logRecord is an OTel log record without the SDK.
type logRecord struct {
	event          string
	time, observed time.Time
	body           attribute.Value
	traceID        trace.TraceID
	spanID         trace.SpanID
	flags          trace.TraceFlags
	attributes     []attribute.KeyValue
}

func (l *logRecord) EventName() string            { return l.event }
func (l *logRecord) Timestamp() time.Time         { return l.time }
func (l *logRecord) ObservedTimestamp() time.Time { return l.observed }
func (l *logRecord) Body() attribute.Value        { return l.body }
func (l *logRecord) TraceID() trace.TraceID       { return l.traceID }
func (l *logRecord) SpanID() trace.SpanID         { return l.spanID }
func (l *logRecord) TraceFlags() trace.TraceFlags { return l.flags }

func (l *logRecord) WalkAttributes(f func(attribute.KeyValue) bool) {
	for _, kv := range l.attributes {
		if !f(kv) {
			return
		}
	}
}

func logRecordOf(r *Record) *logRecord {
	return &logRecord{
		event: r.Action, time: r.Time, observed: r.Observed, traceID: r.TraceID, spanID: r.SpanID, flags: r.TraceFlags,
		attributes: r.AppendAttributes(nil),
	}
}

// comparableForm is r with what is empty nil, so that require.Equal compares it to the bit.
func comparableForm(r *Record) *Record {
	c := *r
	if len(c.Related) == 0 {
		c.Related = nil
	}
	if len(c.Changes) == 0 {
		c.Changes = nil
	}
	if len(c.Metadata) == 0 {
		c.Metadata = nil
	}
	if len(c.Sanitized) == 0 {
		c.Sanitized = nil
	}
	c.Actor = *c.Actor.clone()
	for a := &c.Actor; a != nil; a = a.OnBehalfOf {
		if len(a.Roles) == 0 {
			a.Roles = nil
		}
	}
	return &c
}

// bytesOf is how many bytes of keys, text and numbers a record's attributes hold: a measure of its own, to hold size to.
func bytesOf(r *Record) int {
	n := len(r.Action)
	for _, kv := range r.AppendAttributes(nil) {
		n += len(kv.Key) + bytesOfValue(kv.Value)
	}
	return n
}

func bytesOfValue(v attribute.Value) int {
	n := 0
	switch v.Type() {
	case attribute.EMPTY:
		return 0
	case attribute.STRING:
		return len(v.AsString())
	case attribute.BYTESLICE:
		return len(v.AsByteSlice())
	case attribute.BOOLSLICE:
		return len(v.AsBoolSlice())
	case attribute.INT64SLICE:
		return 8 * len(v.AsInt64Slice())
	case attribute.FLOAT64SLICE:
		return 8 * len(v.AsFloat64Slice())
	case attribute.STRINGSLICE:
		for _, s := range v.AsStringSlice() {
			n += len(s)
		}
		return n
	case attribute.SLICE:
		for _, e := range v.AsSlice() {
			n += bytesOfValue(e)
		}
		return n
	case attribute.MAP:
		for _, kv := range v.AsMap() {
			n += len(kv.Key) + bytesOfValue(kv.Value)
		}
		return n
	default:
		return 8
	}
}

// textsOf are all texts of a record, as it would be written.
func textsOf(r *Record) []string {
	texts := []string{r.Action}
	for _, kv := range r.AppendAttributes(nil) {
		texts = append(append(texts, string(kv.Key)), textsOfValue(kv.Value)...)
	}
	return texts
}

func textsOfValue(v attribute.Value) []string {
	switch v.Type() {
	case attribute.STRING:
		return []string{v.AsString()}
	case attribute.STRINGSLICE:
		return v.AsStringSlice()
	case attribute.SLICE:
		var texts []string
		for _, e := range v.AsSlice() {
			texts = append(texts, textsOfValue(e)...)
		}
		return texts
	case attribute.MAP:
		var texts []string
		for _, kv := range v.AsMap() {
			texts = append(append(texts, string(kv.Key)), textsOfValue(kv.Value)...)
		}
		return texts
	default:
		return nil
	}
}

// depthOf is how many levels of slices and maps v has.
func depthOf(v attribute.Value) int {
	deepest := 0
	switch v.Type() {
	case attribute.BOOLSLICE, attribute.INT64SLICE, attribute.FLOAT64SLICE, attribute.STRINGSLICE:
		return 1
	case attribute.SLICE:
		for _, e := range v.AsSlice() {
			deepest = max(deepest, depthOf(e))
		}
		return deepest + 1
	case attribute.MAP:
		for _, kv := range v.AsMap() {
			deepest = max(deepest, depthOf(kv.Value))
		}
		return deepest + 1
	default:
		return 0
	}
}

func uniqueKeys(kvs []attribute.KeyValue) bool {
	keys := make([]attribute.Key, len(kvs))
	for i, kv := range kvs {
		keys[i] = kv.Key
	}
	slices.Sort(keys)
	return len(slices.Compact(keys)) == len(kvs)
}
