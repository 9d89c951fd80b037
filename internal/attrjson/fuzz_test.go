package attrjson_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/internal/attrjson"
)

// FuzzParse: whatever comes, Parse does not panic, takes only JSON, and what it took comes back from Append's text.
func FuzzParse(f *testing.F) {
	for _, form := range forms {
		f.Add([]byte(form.json))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		kvs, objectErr := attrjson.ParseObject(text)
		v, err := attrjson.Parse(text)
		if !json.Valid(text) {
			require.Error(t, err)
			require.Error(t, objectErr)
			return
		}
		if objectErr == nil {
			again, err := attrjson.ParseObject(attrjson.AppendObject(nil, kvs))
			require.NoError(t, err)
			requireSame(t, attribute.MapValue(kvs...), attribute.MapValue(again...))
		}
		if err != nil {
			return
		}
		canonical := attrjson.Append(nil, v)
		again, err := attrjson.Parse(canonical)
		require.NoErrorf(t, err, "%s", canonical)
		requireSame(t, v, again)
		require.Equal(t, string(canonical), string(attrjson.Append(nil, again)))
	})
}

// FuzzAppendString: any string gives a JSON string that encoding/json reads as it reads its own.
func FuzzAppendString(f *testing.F) {
	f.Add("invoice \"42\"\n")
	f.Add("\xff\xed\xa0\x80\x00")
	f.Fuzz(func(t *testing.T, s string) {
		text := attrjson.AppendString(nil, s)
		own, err := json.Marshal(s)
		require.NoError(t, err)
		var got, want string
		require.NoError(t, json.Unmarshal(text, &got))
		require.NoError(t, json.Unmarshal(own, &want))
		require.Equal(t, want, got)
		require.False(t, bytes.ContainsAny(text, "\n\r\x00"))
	})
}

// FuzzRoundTrip lets the fuzzer choose the values of TestParseReadsBackWhatAppendWrites.
func FuzzRoundTrip(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		v := anyValue(3).Draw(t, "value")
		got, err := attrjson.Parse(attrjson.Append(nil, v))
		require.NoError(t, err)
		requireSame(t, v, got)
	}))
}
