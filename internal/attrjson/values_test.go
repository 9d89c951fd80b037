package attrjson_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"pgregory.net/rapid"
)

// same reports whether a and b are the same value of the same type, to the bit.
func same(a, b attribute.Value) bool {
	if a.Type() != b.Type() {
		return false
	}
	sameBits := func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) }
	switch a.Type() {
	case attribute.FLOAT64:
		return sameBits(a.AsFloat64(), b.AsFloat64())
	case attribute.FLOAT64SLICE:
		return slices.EqualFunc(a.AsFloat64Slice(), b.AsFloat64Slice(), sameBits)
	case attribute.SLICE:
		return slices.EqualFunc(a.AsSlice(), b.AsSlice(), same)
	case attribute.MAP:
		return slices.EqualFunc(a.AsMap(), b.AsMap(), sameEntry)
	default:
		return a == b
	}
}

func sameEntry(a, b attribute.KeyValue) bool { return a.Key == b.Key && same(a.Value, b.Value) }

func requireSame(t require.TestingT, want, got attribute.Value) {
	if !same(want, got) {
		require.Failf(t, "not the same value", "want %v %s\n got %v %s", want.Type(), want, got.Type(), got)
	}
}

// anyFloat draws floats of all bits: NaNs with their payload, infinities, both zeros, subnormal ones.
func anyFloat() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Float64(),
		rapid.Map(rapid.Uint64(), math.Float64frombits),
		rapid.SampledFrom([]float64{
			0, math.Copysign(0, -1), 1, -1, 1e300, 5e-324, 0.1, 1 << 53, math.MaxFloat64, math.NaN(), math.Inf(1), math.Inf(-1),
		}),
	)
}

// anyText draws valid UTF-8, often such that it looks like our own syntax.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"", "$", "$bytes", "$map", "$slice", "$float", "a", "b", "bb", "null", "1.0", "-0", "\x00\x1f\x7f\"\\\b\f\n\r\t", "\u2028\u202e", "😀",
	}))
}

// anyValue draws values of every type, slices and maps at most depth levels deep.
func anyValue(depth int) *rapid.Generator[attribute.Value] {
	leaves := []*rapid.Generator[attribute.Value]{
		rapid.Just(attribute.Value{}),
		rapid.Map(rapid.Bool(), attribute.BoolValue),
		rapid.Map(rapid.Int64(), attribute.Int64Value),
		rapid.Map(anyFloat(), attribute.Float64Value),
		rapid.Map(anyText(), attribute.StringValue),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), attribute.ByteSliceValue),
		rapid.Map(rapid.SliceOfN(rapid.Bool(), 0, 5), attribute.BoolSliceValue),
		rapid.Map(rapid.SliceOfN(rapid.Int64(), 0, 5), attribute.Int64SliceValue),
		rapid.Map(rapid.SliceOfN(anyFloat(), 0, 5), attribute.Float64SliceValue),
		rapid.Map(rapid.SliceOfN(anyText(), 0, 5), attribute.StringSliceValue),
	}
	if depth == 0 {
		return rapid.OneOf(leaves...)
	}
	elem := rapid.Deferred(func() *rapid.Generator[attribute.Value] { return anyValue(depth - 1) })
	leaf := rapid.OneOf(leaves...)
	return rapid.OneOf(append(leaves,
		rapid.Map(rapid.SliceOfN(elem, 0, 6), func(vs []attribute.Value) attribute.Value { return attribute.SliceValue(vs...) }),
		rapid.Map(anyEntries(elem, 6), func(kvs []attribute.KeyValue) attribute.Value { return attribute.MapValue(kvs...) }),
		// Of one type, so that the difference to a typed slice matters.
		rapid.Custom(func(t *rapid.T) attribute.Value {
			v := leaf.Draw(t, "element")
			return attribute.SliceValue(slices.Repeat([]attribute.Value{v}, rapid.IntRange(1, 6).Draw(t, "count"))...)
		}),
	)...)
}

// anyEntries draws up to most entries with unique keys, in any order.
func anyEntries(value *rapid.Generator[attribute.Value], most int) *rapid.Generator[[]attribute.KeyValue] {
	entry := rapid.Custom(func(t *rapid.T) attribute.KeyValue {
		return attribute.KeyValue{Key: attribute.Key(anyText().Draw(t, "key")), Value: value.Draw(t, "value")}
	})
	return rapid.SliceOfNDistinct(entry, 0, most, func(kv attribute.KeyValue) attribute.Key { return kv.Key })
}

func TestSameTellsValuesApart(t *testing.T) {
	t.Parallel()
	require.False(t, same(attribute.IntValue(1), attribute.Float64Value(1)))
	require.False(t, same(attribute.Float64SliceValue([]float64{0}), attribute.Float64SliceValue([]float64{math.Copysign(0, -1)})))
	require.True(t, same(attribute.Float64SliceValue([]float64{math.NaN()}), attribute.Float64SliceValue([]float64{math.NaN()})))
}
