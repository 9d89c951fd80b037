package otelaudit

import (
	"math"
	"slices"

	"go.opentelemetry.io/otel/attribute"
)

// sameValue reports whether a and b are the same value of the same type, to the bit: 1 is not 1.0, and −0.0 is not 0.0.
func sameValue(a, b attribute.Value) bool {
	if a.Type() != b.Type() {
		return false
	}
	switch a.Type() {
	case attribute.FLOAT64:
		return math.Float64bits(a.AsFloat64()) == math.Float64bits(b.AsFloat64())
	case attribute.FLOAT64SLICE:
		return slices.EqualFunc(a.AsFloat64Slice(), b.AsFloat64Slice(), func(x, y float64) bool {
			return math.Float64bits(x) == math.Float64bits(y)
		})
	case attribute.SLICE:
		return slices.EqualFunc(a.AsSlice(), b.AsSlice(), sameValue)
	case attribute.MAP:
		return slices.EqualFunc(a.AsMap(), b.AsMap(), func(x, y attribute.KeyValue) bool {
			return x.Key == y.Key && sameValue(x.Value, y.Value)
		})
	default:
		return a == b
	}
}
