package otelaudit

import (
	"crypto/sha256"
	"math"
	"slices"

	"go.opentelemetry.io/otel/attribute"
)

// value cleans one value of metadata or of a change.
func (c *cleaner) value(field string, v *attribute.Value) {
	switch v.Type() {
	case attribute.EMPTY, attribute.BOOL, attribute.INT64, attribute.BOOLSLICE, attribute.INT64SLICE:
		return
	case attribute.STRING:
		s := v.AsString()
		if len(s) <= MaxValueBytes && isPlain(s) {
			return
		}
		c.text(field, &s, MaxValueBytes)
		*v = attribute.StringValue(s)
	default:
		if cleaned, changed := c.nested(field, *v, 1); changed {
			*v = cleaned
		}
	}
}

// nested returns v cleaned, and whether that changed anything; depth is v's own, from 1.
func (c *cleaner) nested(field string, v attribute.Value, depth int) (attribute.Value, bool) {
	if depth >= MaxDepth && isLevel(v.Type()) {
		c.flagValue(field, ReasonTooDeep, v)
		return attribute.Value{}, true
	}
	switch v.Type() {
	case attribute.STRING:
		s := v.AsString()
		c.text(field, &s, MaxValueBytes)
		return attribute.StringValue(s), s != v.AsString()
	case attribute.BYTESLICE:
		if b := v.AsByteSlice(); len(b) > MaxValueBytes {
			c.flag(field, ReasonTooLong, len(b), sha256.Sum256(b))
			return attribute.ByteSliceValue(b[:MaxValueBytes]), true
		}
	case attribute.FLOAT64:
		if name, bad := nonFinite(v.AsFloat64()); bad {
			c.flagText(field, ReasonNonFinite, name)
			return attribute.StringValue(name), true
		}
	case attribute.FLOAT64SLICE:
		fs := v.AsFloat64Slice()
		if !slices.ContainsFunc(fs, func(f float64) bool { _, bad := nonFinite(f); return bad }) {
			return v, false
		}
		vs := make([]attribute.Value, len(fs))
		for i, f := range fs {
			vs[i], _ = c.nested(field, attribute.Float64Value(f), depth)
		}
		return attribute.SliceValue(vs...), true
	case attribute.STRINGSLICE:
		ss, changed := v.AsStringSlice(), false
		for i, s := range ss {
			c.text(field, &ss[i], MaxValueBytes)
			changed = changed || ss[i] != s
		}
		return attribute.StringSliceValue(ss), changed
	case attribute.SLICE:
		vs, changed := v.AsSlice(), false
		for i := range vs {
			cleaned, did := c.nested(field, vs[i], depth+1)
			vs[i], changed = cleaned, changed || did
		}
		return attribute.SliceValue(vs...), changed
	case attribute.MAP:
		return c.nestedMap(field, v, depth)
	default: // nothing can be wrong with it
	}
	return v, false
}

func (c *cleaner) nestedMap(field string, v attribute.Value, depth int) (attribute.Value, bool) {
	kvs, changed := v.AsMap(), false
	for i := range kvs {
		key := string(kvs[i].Key)
		c.line(field, &key, MaxKeyBytes)
		cleaned, did := c.nested(field, kvs[i].Value, depth+1)
		changed = changed || did || key != string(kvs[i].Key)
		kvs[i] = attribute.KeyValue{Key: attribute.Key(key), Value: cleaned}
	}
	sortMetadata(kvs)
	unique := kvs[:0]
	for i, kv := range kvs {
		if i+1 < len(kvs) && kvs[i+1].Key == kv.Key {
			c.flagValue(field, ReasonDuplicate, kv.Value)
			changed = true
			continue
		}
		unique = append(unique, kv)
	}
	return attribute.MapValue(unique...), changed
}

// isLevel reports whether values of type t count for MaxDepth.
func isLevel(t attribute.Type) bool {
	switch t {
	case attribute.SLICE, attribute.MAP, attribute.BOOLSLICE, attribute.INT64SLICE, attribute.FLOAT64SLICE, attribute.STRINGSLICE:
		return true
	default:
		return false
	}
}

// flagValue flags a value that is gone, by OpenTelemetry's string form of it.
func (c *cleaner) flagValue(field string, reason SanitizeReason, v attribute.Value) {
	c.flagText(field, reason, v.String())
}

func nonFinite(f float64) (string, bool) {
	switch {
	case math.IsNaN(f):
		return "NaN", true
	case math.IsInf(f, 1):
		return "Infinity", true
	case math.IsInf(f, -1):
		return "-Infinity", true
	}
	return "", false
}
