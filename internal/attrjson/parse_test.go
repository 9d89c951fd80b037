package attrjson_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/internal/attrjson"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			for _, text := range []string{form.json, form.jsonb, " \n" + form.json + "\t\r"} {
				if text == "" {
					continue
				}
				got, err := attrjson.Parse([]byte(text))
				require.NoError(t, err)
				requireSame(t, form.value, got)
			}
		})
	}
}

func TestParseReadsBackWhatAppendWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := anyValue(4).Draw(t, "value")
		text := attrjson.Append(nil, v)
		got, err := attrjson.Parse(text)
		require.NoErrorf(t, err, "%s", text)
		requireSame(t, v, got)
	})
}

func TestParseObjectReadsBackWhatAppendObjectWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		kvs := anyEntries(anyValue(2), 8).Draw(t, "attributes")
		text := attrjson.AppendObject(nil, kvs)
		got, err := attrjson.ParseObject(text)
		require.NoErrorf(t, err, "%s", text)
		want := attribute.MapValue(kvs...).AsMap() // sorted
		require.Truef(t, slices.EqualFunc(want, got, sameEntry), "want %v\n got %v", want, got)
	})
}

func TestParseObject(t *testing.T) {
	t.Parallel()
	got, err := attrjson.ParseObject([]byte(`{"b": 1, "$bytes": {"$bytes": "eA=="}}`))
	require.NoError(t, err)
	require.Equal(t, []attribute.KeyValue{attribute.ByteSlice("$bytes", []byte("x")), attribute.Int("b", 1)}, got)

	got, err = attrjson.ParseObject([]byte(` {} `))
	require.NoError(t, err)
	require.Nil(t, got)

	got, err = attrjson.ParseObject([]byte(`{"$map": {"a": 1}}`))
	require.NoError(t, err)
	require.Equal(t, []attribute.KeyValue{attribute.Map("$map", attribute.Int("a", 1))}, got)

	for _, text := range []string{``, `null`, `[]`, `1`, `{"a":1}x`, `{"a":}`, `{"a":{"$x":1}}`} {
		_, err := attrjson.ParseObject([]byte(text))
		require.ErrorContainsf(t, err, "attrjson: ", "%s", text)
	}
}

func TestParseOfJSONFromElsewhere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]attribute.Value{
		`1e2`:                    attribute.Float64Value(100),
		`1E2`:                    attribute.Float64Value(100),
		`-0`:                     attribute.IntValue(0),
		`-0.0`:                   attribute.Float64Value(math.Copysign(0, -1)),
		`1.50`:                   attribute.Float64Value(1.5),
		`9223372036854775808`:    attribute.Float64Value(9223372036854775808),
		`1e-999`:                 attribute.Float64Value(0),
		`"\ud83d\ude00 \u0041"`:  attribute.StringValue("😀 A"),
		`"\ud83d"`:               attribute.StringValue("\uFFFD"),
		"\"\xff\"":               attribute.StringValue("\uFFFD"),
		`{"a":1,"a":2}`:          attribute.MapValue(attribute.Int("a", 2)),
		`{"\u0024bytes":"eA=="}`: attribute.ByteSliceValue([]byte("x")),
		`{"$slice":[1,"a"]}`:     attribute.SliceValue(attribute.IntValue(1), attribute.StringValue("a")),
		`{"$map":{"a":1,"b":2}}`: attribute.MapValue(attribute.Int("a", 1), attribute.Int("b", 2)),
		`[1,2.0]`:                attribute.SliceValue(attribute.IntValue(1), attribute.Float64Value(2)),
		`{"a":{},"$b":[{}]}`:     attribute.MapValue(attribute.Map("a"), attribute.Slice("$b", attribute.MapValue())),
	} {
		got, err := attrjson.Parse([]byte(text))
		require.NoErrorf(t, err, "%s", text)
		requireSame(t, want, got)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":             ``,
		"space":               `  `,
		"two values":          `1 2`,
		"cut off":             `{"a":[1,`,
		"a number too large":  `1e999`,
		"an integer too long": strings.Repeat("9", 400),
		"an unknown tag":      `{"$new":1}`,
		"a bare tag":          `{"$":1}`,
		"bytes, no string":    `{"$bytes":1}`,
		"bytes, no base64":    `{"$bytes":"*"}`,
		"a natural float":     `{"$float":"1"}`,
		"float, a number":     `{"$float":-0.0}`,
		"NaN that is none":    `{"$float":"NaN:3ff0000000000000"}`,
		"NaN without digits":  `{"$float":"NaN:"}`,
		"slice, no array":     `{"$slice":{"a":1}}`,
		"map, no object":      `{"$map":[1]}`,
		"strings, not empty":  `{"$strings":["a"]}`,
		"an error within":     `[[{"a":{"$x":1}}]]`,
		"tags without end":    strings.Repeat(`{"$slice":`, 20000),
		"too deep for json":   strings.Repeat(`[`, 20000) + strings.Repeat(`]`, 20000),
	} {
		_, err := attrjson.Parse([]byte(text))
		require.ErrorContainsf(t, err, "attrjson: ", "%s", name)
	}
}

func TestParseDepth(t *testing.T) {
	t.Parallel()
	for name, around := range map[string]func(attribute.Value) attribute.Value{
		"slices": func(v attribute.Value) attribute.Value { return attribute.SliceValue(v) },
		"maps": func(v attribute.Value) attribute.Value {
			return attribute.MapValue(attribute.KeyValue{Key: "k", Value: v})
		},
		"maps as tags": func(v attribute.Value) attribute.Value {
			return attribute.MapValue(attribute.KeyValue{Key: "$map", Value: v})
		},
		"maps and more": func(v attribute.Value) attribute.Value {
			return attribute.MapValue(attribute.KeyValue{Key: "$k", Value: v})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := attribute.IntValue(1)
			for range attrjson.MaxDepth {
				v = around(v)
			}
			text := attrjson.Append(nil, v)
			got, err := attrjson.Parse(text)
			require.NoError(t, err)
			requireSame(t, v, got)
			inObject, err := attrjson.ParseObject(attrjson.AppendObject(nil, []attribute.KeyValue{{Key: "a", Value: v}}))
			require.NoError(t, err)
			requireSame(t, v, inObject[0].Value)

			_, err = attrjson.Parse(attrjson.Append(nil, around(v)))
			require.ErrorContains(t, err, "deeper than 64")
		})
	}
}

func BenchmarkParse(b *testing.B) {
	text := []byte(`{"amount": {"new": 120, "old": 100}, "status": {"new": "approved", "old": "draft"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := attrjson.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
