package attrjson_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/internal/attrjson"
)

// forms lists every type and every form, with the text that Postgres 15 prints for it as jsonb where that differs:
// SELECT '…'::jsonb.
var forms = []struct {
	name  string
	value attribute.Value
	json  string
	jsonb string
}{
	{name: "empty", value: attribute.Value{}, json: `null`},
	{name: "true", value: attribute.BoolValue(true), json: `true`},
	{name: "false", value: attribute.BoolValue(false), json: `false`},
	{name: "int", value: attribute.IntValue(42), json: `42`},
	{name: "int smallest", value: attribute.Int64Value(math.MinInt64), json: `-9223372036854775808`},
	{name: "int largest", value: attribute.Int64Value(math.MaxInt64), json: `9223372036854775807`},
	{name: "float whole", value: attribute.Float64Value(1), json: `1.0`},
	{name: "float", value: attribute.Float64Value(-0.1), json: `-0.1`},
	{name: "float zero", value: attribute.Float64Value(0), json: `0.0`},
	{name: "float beyond int", value: attribute.Float64Value(1e20), json: `100000000000000000000.0`},
	{name: "float small", value: attribute.Float64Value(1e-9), json: `0.000000001`},
	{name: "float negative zero", value: attribute.Float64Value(math.Copysign(0, -1)), json: `{"$float":"-0"}`, jsonb: `{"$float": "-0"}`},
	{name: "float infinity", value: attribute.Float64Value(math.Inf(1)), json: `{"$float":"Infinity"}`, jsonb: `{"$float": "Infinity"}`},
	{name: "float -infinity", value: attribute.Float64Value(math.Inf(-1)), json: `{"$float":"-Infinity"}`, jsonb: `{"$float": "-Infinity"}`},
	{name: "float NaN", value: attribute.Float64Value(math.NaN()), json: `{"$float":"NaN"}`, jsonb: `{"$float": "NaN"}`},
	{name: "float NaN with payload", value: attribute.Float64Value(math.Float64frombits(0xfff8000000000002)), json: `{"$float":"NaN:fff8000000000002"}`, jsonb: `{"$float": "NaN:fff8000000000002"}`},
	{name: "string", value: attribute.StringValue("Grüße 😀"), json: `"Grüße 😀"`},
	{name: "string empty", value: attribute.StringValue(""), json: `""`},
	{name: "string escapes", value: attribute.StringValue("\"\\/\b\f\n\r\t\x01\x1f\x7f\u2028"), json: `"\"\\/\b\f\n\r\t\u0001\u001f` + "\x7f\u2028" + `"`},
	{name: "bytes", value: attribute.ByteSliceValue([]byte{0, 0xff}), json: `{"$bytes":"AP8="}`, jsonb: `{"$bytes": "AP8="}`},
	{name: "bytes empty", value: attribute.ByteSliceValue(nil), json: `{"$bytes":""}`, jsonb: `{"$bytes": ""}`},
	{name: "bools", value: attribute.BoolSliceValue([]bool{true, false}), json: `[true,false]`, jsonb: `[true, false]`},
	{name: "ints", value: attribute.IntSliceValue([]int{1, -2, 3, 4}), json: `[1,-2,3,4]`, jsonb: `[1, -2, 3, 4]`},
	{name: "floats", value: attribute.Float64SliceValue([]float64{1, 0.5}), json: `[1.0,0.5]`, jsonb: `[1.0, 0.5]`},
	{name: "floats with an odd one", value: attribute.Float64SliceValue([]float64{1, math.Copysign(0, -1)}), json: `[1.0,{"$float":"-0"}]`, jsonb: `[1.0, {"$float": "-0"}]`},
	{name: "strings", value: attribute.StringSliceValue([]string{"a", ""}), json: `["a",""]`, jsonb: `["a", ""]`},
	{name: "bools empty", value: attribute.BoolSliceValue(nil), json: `{"$bools":[]}`, jsonb: `{"$bools": []}`},
	{name: "ints empty", value: attribute.Int64SliceValue(nil), json: `{"$ints":[]}`, jsonb: `{"$ints": []}`},
	{name: "floats empty", value: attribute.Float64SliceValue(nil), json: `{"$floats":[]}`, jsonb: `{"$floats": []}`},
	{name: "strings empty", value: attribute.StringSliceValue(nil), json: `{"$strings":[]}`, jsonb: `{"$strings": []}`},
	{name: "slice empty", value: attribute.SliceValue(), json: `[]`},
	{name: "slice mixed", value: attribute.SliceValue(attribute.IntValue(1), attribute.Float64Value(1), attribute.Value{}), json: `[1,1.0,null]`, jsonb: `[1, 1.0, null]`},
	{name: "slice of one type", value: attribute.SliceValue(attribute.IntValue(1)), json: `{"$slice":[1]}`, jsonb: `{"$slice": [1]}`},
	{name: "slice of odd floats", value: attribute.SliceValue(attribute.Float64Value(math.Inf(1))), json: `{"$slice":[{"$float":"Infinity"}]}`, jsonb: `{"$slice": [{"$float": "Infinity"}]}`},
	{name: "slice of nothing", value: attribute.SliceValue(attribute.Value{}), json: `[null]`},
	{name: "slice of slices", value: attribute.SliceValue(attribute.SliceValue(), attribute.IntSliceValue([]int{1})), json: `[[],[1]]`, jsonb: `[[], [1]]`},
	{name: "slice of bytes", value: attribute.SliceValue(attribute.ByteSliceValue([]byte("x"))), json: `[{"$bytes":"eA=="}]`, jsonb: `[{"$bytes": "eA=="}]`},
	{name: "map", value: attribute.MapValue(attribute.Int("bb", 1), attribute.Int("c", 2), attribute.Int("", 3)), json: `{"":3,"bb":1,"c":2}`, jsonb: `{"": 3, "c": 2, "bb": 1}`},
	{name: "map empty", value: attribute.MapValue(), json: `{}`},
	{name: "map like a tag", value: attribute.MapValue(attribute.String("$bytes", "AP8=")), json: `{"$map":{"$bytes":"AP8="}}`, jsonb: `{"$map": {"$bytes": "AP8="}}`},
	{name: "map like an escape", value: attribute.MapValue(attribute.Map("$map", attribute.Int("$", 1))), json: `{"$map":{"$map":{"$map":{"$":1}}}}`, jsonb: `{"$map": {"$map": {"$map": {"$": 1}}}}`},
	{name: "map of two, no tag", value: attribute.MapValue(attribute.Int("$a", 1), attribute.Int("$b", 2)), json: `{"$a":1,"$b":2}`, jsonb: `{"$a": 1, "$b": 2}`},
}

func TestAppend(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, "before "+form.json, string(attrjson.Append([]byte("before "), form.value)))
			require.True(t, json.Valid([]byte(form.json)))
		})
	}
}

// Of what one would not write into the table above.
func TestAppendWritesFloatsInDigits(t *testing.T) {
	t.Parallel()
	for _, f := range []float64{1e300, math.MaxFloat64, 5e-324, -1e21} {
		text := string(attrjson.Append(nil, attribute.Float64Value(f)))
		require.NotContains(t, text, "e")
		require.Contains(t, text, ".")
	}
	require.Equal(t, "1"+strings.Repeat("0", 300)+".0", string(attrjson.Append(nil, attribute.Float64Value(1e300))))
}

func TestEveryTypeHasAForm(t *testing.T) {
	t.Parallel()
	seen := map[attribute.Type]bool{}
	for _, form := range forms {
		seen[form.value.Type()] = true
	}
	for typ := attribute.Type(0); !strings.HasPrefix(typ.String(), "Type("); typ++ {
		require.Truef(t, seen[typ], "OpenTelemetry has a type %s: give it a form in Append, in Parse and in this test", typ)
	}
}

func TestAppendKeepsTheLastOfEqualKeys(t *testing.T) {
	t.Parallel()
	v := attribute.MapValue(attribute.Int("b", 1), attribute.Int("a", 2), attribute.Int("b", 3))
	require.Equal(t, `{"a":2,"b":3}`, string(attrjson.Append(nil, v)))
	v = attribute.MapValue(attribute.Int("$", 1), attribute.Int("$", 2))
	require.Equal(t, `{"$map":{"$":2}}`, string(attrjson.Append(nil, v)))
}

func TestAppendObject(t *testing.T) {
	t.Parallel()
	require.Equal(t, `{}`, string(attrjson.AppendObject(nil, nil)))
	require.Equal(t, `{"b":1,"a":"x"}`, string(attrjson.AppendObject(nil, []attribute.KeyValue{attribute.Int("b", 1), attribute.String("a", "x")})))
	require.Equal(t, `{"$bytes":"x"}`, string(attrjson.AppendObject(nil, []attribute.KeyValue{attribute.String("$bytes", "x")})))
}

func TestAppendStringIsValidJSONWhateverItIsGiven(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"\xff":           "\uFFFD",
		"a\xc3":          "a\uFFFD",
		"\xed\xa0\x80b":  "\uFFFD\uFFFD\uFFFDb", // a surrogate
		"x\xf0\x9f\x98y": "x\uFFFD\uFFFD\uFFFDy",
		"\uFFFD":         "\uFFFD",
	} {
		text := attrjson.AppendString(nil, in)
		var got string
		require.NoError(t, json.Unmarshal(text, &got))
		require.Equal(t, want, got)
		require.Equal(t, `"`+want+`"`, string(text))
	}
}

func TestAppendDoesNotAllocate(t *testing.T) { //nolint:paralleltest // counts the process's allocations
	buf := make([]byte, 0, 1024)
	for _, v := range []attribute.Value{
		{},
		attribute.BoolValue(true),
		attribute.IntValue(1 << 40),
		attribute.Float64Value(0.1),
		attribute.Float64Value(math.Inf(1)),
		attribute.StringValue("invoice \"42\"\n\xff"),
	} {
		require.Zerof(t, testing.AllocsPerRun(100, func() { buf = attrjson.Append(buf[:0], v) }), "%s", v.Type())
	}
	kvs := []attribute.KeyValue{attribute.String("a", "x"), attribute.Int("b", 2)}
	require.Zero(t, testing.AllocsPerRun(100, func() { buf = attrjson.AppendObject(buf[:0], kvs) }))

	// The accessor's copy, and nothing else.
	v := attribute.StringSliceValue([]string{"a", "b"})
	copies := testing.AllocsPerRun(100, func() { _ = v.AsStringSlice() })
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { buf = attrjson.Append(buf[:0], v) }), copies+1)
}

func BenchmarkAppend(b *testing.B) {
	v := attribute.MapValue(
		attribute.Map("amount", attribute.Int("old", 100), attribute.Int("new", 120)),
		attribute.Map("status", attribute.String("old", "draft"), attribute.String("new", "approved")),
	)
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf = attrjson.Append(buf[:0], v)
	}
}
