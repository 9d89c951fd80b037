package integrity

import (
	"math"

	"go.opentelemetry.io/otel/attribute"
)

func appendAttributes(dst []byte, kvs []attribute.KeyValue) []byte {
	dst = appendCount(dst, len(kvs))
	for i := range kvs {
		dst = appendString(dst, string(kvs[i].Key))
		dst = appendValue(dst, &kvs[i].Value)
	}
	return dst
}

// appendValue appends the type of v and what the type says. What is a list is copied by the OTel API on its way out.
func appendValue(dst []byte, v *attribute.Value) []byte {
	switch v.Type() {
	case attribute.EMPTY:
		return append(dst, typeEmpty)
	case attribute.BOOL:
		return appendBool(append(dst, typeBool), v.AsBool())
	case attribute.INT64:
		return appendInt64(append(dst, typeInt64), v.AsInt64())
	case attribute.FLOAT64:
		return appendFloat64(append(dst, typeFloat64), v.AsFloat64())
	case attribute.STRING:
		return appendString(append(dst, typeString), v.AsString())
	case attribute.BYTESLICE:
		b := v.AsByteSlice()
		return append(appendCount(append(dst, typeBytes), len(b)), b...)
	case attribute.BOOLSLICE:
		return appendList(dst, typeBools, v.AsBoolSlice(), appendBool)
	case attribute.INT64SLICE:
		return appendList(dst, typeInt64s, v.AsInt64Slice(), appendInt64)
	case attribute.FLOAT64SLICE:
		return appendList(dst, typeFloat64s, v.AsFloat64Slice(), appendFloat64)
	case attribute.STRINGSLICE:
		return appendStrings(append(dst, typeStrings), v.AsStringSlice())
	case attribute.SLICE:
		vs := v.AsSlice()
		dst = appendCount(append(dst, typeSlice), len(vs))
		for i := range vs {
			dst = appendValue(dst, &vs[i])
		}
		return dst
	case attribute.MAP:
		return appendAttributes(append(dst, typeMap), v.AsMap())
	}
	return append(dst, typeUnknown) // the OTel API has a new type
}

func appendList[T any](dst []byte, typ byte, list []T, item func([]byte, T) []byte) []byte {
	dst = appendCount(append(dst, typ), len(list))
	for _, v := range list {
		dst = item(dst, v)
	}
	return dst
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendFloat64(dst []byte, f float64) []byte {
	return appendInt64(dst, int64(math.Float64bits(f))) //nolint:gosec // the bits are meant
}
