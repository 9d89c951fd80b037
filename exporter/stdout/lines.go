package stdout

import (
	"encoding/hex"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/rj-gamer/go-activity-tracker/internal/attrjson"
)

// lines is JSON Lines. Its fields are scratch memory.
type lines struct {
	kvs  []attribute.KeyValue
	last map[attribute.Key]int
}

func (*lines) restart() {}

func (l *lines) append(dst []byte, r *sdklog.Record) []byte {
	start := len(dst)
	o := object{dst: append(dst, '{')}
	o.time("time", r.Timestamp())
	o.time("observed_time", r.ObservedTimestamp())
	o.string("event_name", r.EventName())
	if s := r.Severity(); s != log.SeverityUndefined {
		o.key("severity_number")
		o.dst = strconv.AppendInt(o.dst, int64(s), 10)
	}
	o.string("severity_text", r.SeverityText())
	if body := r.Body(); body.Type() != attribute.EMPTY {
		o.key("body")
		o.dst = attrjson.Append(o.dst, body)
	}
	if id := r.TraceID(); id.IsValid() {
		o.hex("trace_id", id[:])
	}
	if id := r.SpanID(); id.IsValid() {
		o.hex("span_id", id[:])
		o.hex("trace_flags", []byte{byte(r.TraceFlags())})
	}
	o.attributes("attributes", l.attributes(r))
	if n := r.DroppedAttributes(); n > 0 {
		o.key("dropped_attributes")
		o.dst = strconv.AppendInt(o.dst, int64(n), 10)
	}
	o.scope(r.InstrumentationScope())
	o.attributes("resource", r.Resource().Attributes())
	o.dst = append(o.dst, '}')
	clear(l.kvs)
	clear(l.last)
	return append(escapeFrom(o.dst, start), '\n')
}

// attributes returns r's attributes, valid until the next call. Of attributes with the same key, which only a provider that
// allows them gives, it has the last.
func (l *lines) attributes(r *sdklog.Record) []attribute.KeyValue {
	if l.last == nil {
		l.last = make(map[attribute.Key]int)
	}
	kvs := l.kvs[:0]
	r.WalkAttributes(func(kv attribute.KeyValue) bool {
		l.last[kv.Key] = len(kvs)
		kvs = append(kvs, kv)
		return true
	})
	l.kvs = kvs
	if len(l.last) == len(kvs) {
		return kvs
	}
	unique := kvs[:0]
	for i, kv := range kvs {
		if l.last[kv.Key] == i {
			unique = append(unique, kv)
		}
	}
	return unique
}

// object is a JSON object in the making.
type object struct {
	dst   []byte
	comma bool
}

func (o *object) key(name string) {
	if o.comma {
		o.dst = append(o.dst, ',')
	}
	o.comma = true
	o.dst = append(o.dst, '"')
	o.dst = append(o.dst, name...)
	o.dst = append(o.dst, '"', ':')
}

func (o *object) string(name, value string) {
	if value != "" {
		o.key(name)
		o.dst = attrjson.AppendString(o.dst, value)
	}
}

func (o *object) time(name string, t time.Time) {
	if !t.IsZero() {
		o.key(name)
		o.dst = t.UTC().AppendFormat(o.dst, `"2006-01-02T15:04:05.000000Z"`)
	}
}

func (o *object) hex(name string, value []byte) {
	o.key(name)
	o.dst = append(o.dst, '"')
	o.dst = hex.AppendEncode(o.dst, value)
	o.dst = append(o.dst, '"')
}

func (o *object) attributes(name string, kvs []attribute.KeyValue) {
	if len(kvs) > 0 {
		o.key(name)
		o.dst = attrjson.AppendObject(o.dst, kvs)
	}
}

func (o *object) scope(s instrumentation.Scope) {
	if s.Name == "" && s.Version == "" && s.SchemaURL == "" && s.Attributes.Len() == 0 {
		return
	}
	o.key("scope")
	o.dst, o.comma = append(o.dst, '{'), false
	o.string("name", s.Name)
	o.string("version", s.Version)
	o.string("schema_url", s.SchemaURL)
	o.attributes("attributes", s.Attributes.ToSlice())
	o.dst, o.comma = append(o.dst, '}'), true
}
