package integrity

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

var update = flag.Bool("update", false, "write testdata/vectors.json and the dump in docs/record-format.md")

const vectorsFile = "testdata/vectors.json"

// vector is a record and its form, for whoever writes a decoder. Attributes are those of the record's OTel log record, each
// with its type and OTel's text of it.
type vector struct {
	Name       string               `json:"name"`
	Canonical  string               `json:"canonical"`
	Event      string               `json:"event_name"`
	Time       string               `json:"time"`
	Observed   string               `json:"observed"`
	TraceID    string               `json:"trace_id"`
	SpanID     string               `json:"span_id"`
	Flags      int                  `json:"trace_flags"`
	Attributes map[string][2]string `json:"attributes"`
	Resource   map[string][2]string `json:"resource"`

	record *otelaudit.Record
}

// refused is data that are no record's form.
type refused struct {
	Name      string `json:"name"`
	Canonical string `json:"data"`
	Reason    string `json:"reason"`
}

func vectors(tb testing.TB) []vector {
	tb.Helper()
	nobody := recorded(tb, tb.Context(), otelaudit.Activity{ID: otelaudit.DeriveID("integrity", "nobody"), Time: noon, Action: "cache.purge"})
	vs := []vector{
		{Name: "zero", record: &otelaudit.Record{}},
		{Name: "nobody", record: nobody},
		{Name: "typical", record: typical(tb)},
		{Name: "example", record: example(tb)},
		{Name: "full", record: full()},
	}
	for i := range vs {
		v, r := &vs[i], vs[i].record
		v.Canonical = hex.EncodeToString(AppendCanonical(nil, r))
		v.Event, v.Time, v.Observed = r.Action, r.Time.Format(time.RFC3339Nano), r.Observed.Format(time.RFC3339Nano)
		v.TraceID, v.SpanID, v.Flags = r.TraceID.String(), r.SpanID.String(), int(r.TraceFlags)
		v.Attributes, v.Resource = described(r.AppendAttributes(nil)), described(r.Resource.ToSlice())
	}
	return vs
}

func described(kvs []attribute.KeyValue) map[string][2]string {
	m := map[string][2]string{}
	for _, kv := range kvs {
		m[string(kv.Key)] = [2]string{kv.Value.Type().String(), kv.Value.String()}
	}
	return m
}

// The form never changes under its version: what was written once is read for ever.
func TestVectors(t *testing.T) {
	t.Parallel()
	made := struct {
		Records []vector  `json:"records"`
		Refused []refused `json:"refused"`
	}{Records: vectors(t)}
	for _, f := range refusals {
		made.Refused = append(made.Refused, refused{f.name, hex.EncodeToString(f.data()), f.reason})
	}
	text, err := json.MarshalIndent(made, "", "  ")
	require.NoError(t, err)
	text = append(text, '\n')
	if *update {
		require.NoError(t, os.WriteFile(vectorsFile, text, 0o600))
	}
	kept, err := os.ReadFile(vectorsFile)
	require.NoError(t, err)
	require.Equal(t, string(kept), string(text), "a change of the form takes another version")
	for _, v := range made.Records {
		data, err := hex.DecodeString(v.Canonical)
		require.NoError(t, err)
		r, err := ParseCanonical(data)
		require.NoError(t, err)
		require.Equal(t, plain(*v.record), plain(*r), v.Name)
	}
}
