package stdout_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/rj-gamer/go-activity-tracker/exporter/stdout"
	"github.com/rj-gamer/go-activity-tracker/internal/attrjson"
)

func TestLinesOfAnyLogRecord(t *testing.T) {
	t.Parallel()
	record := func(set func(*log.Record)) []log.Record {
		var lr log.Record
		lr.SetObservedTimestamp(noon)
		set(&lr)
		return []log.Record{lr}
	}
	const observed = `{"observed_time":"2026-05-04T12:04:05.123456Z"`
	const billing = `"resource":{"service.name":"billing"}}` + "\n"
	for name, test := range map[string]struct {
		records []sdklog.Record
		want    string
	}{
		"nothing":  {[]sdklog.Record{{}}, "{}\n"},
		"bare":     {emitted(t.Context(), record(func(*log.Record) {})), observed + `,` + billing},
		"severity": {emitted(t.Context(), record(func(r *log.Record) { r.SetSeverity(log.SeverityWarn2) })), observed + `,"severity_number":14,` + billing},
		"its text": {emitted(t.Context(), record(func(r *log.Record) { r.SetSeverityText("WARN\n") })), observed + `,"severity_text":"WARN\n",` + billing},
		"a body": {
			emitted(t.Context(), record(func(r *log.Record) {
				r.SetBody(attribute.MapValue(attribute.Float64("f", math.Inf(1)), attribute.ByteSlice("b", []byte("x"))))
			})),
			observed + `,"body":{"b":{"$bytes":"eA=="},"f":{"$float":"Infinity"}},` + billing,
		},
		"a span": {
			emitted(traced(t.Context()), record(func(*log.Record) {})),
			observed + `,"trace_id":"4bf92f00000000000000000000000036","span_id":"00f06700000000b7","trace_flags":"01",` + billing,
		},
		"another time zone": {
			emitted(t.Context(), record(func(r *log.Record) { r.SetTimestamp(noon.Add(999 * time.Nanosecond).In(time.FixedZone("", 7200))) })),
			`{"time":"2026-05-04T12:04:05.123456Z","observed_time":"2026-05-04T12:04:05.123456Z",` + billing,
		},
		"the order of attributes": {
			emitted(t.Context(), record(func(r *log.Record) { r.AddAttributes(attribute.Int("b", 1), attribute.Int("a", 2)) })),
			observed + `,"attributes":{"b":1,"a":2},` + billing,
		},
		"attributes that a limit took": {
			emitted(t.Context(), record(func(r *log.Record) { r.AddAttributes(attribute.Int("b", 1), attribute.Int("a", 2)) }), sdklog.WithAttributeCountLimit(1)),
			observed + `,"attributes":{"b":1},"dropped_attributes":1,` + billing,
		},
		"a key that is there twice": {
			emitted(t.Context(), record(func(r *log.Record) {
				r.AddAttributes(attribute.Int("a", 1), attribute.Int("b", 2), attribute.Int("a", 3))
			}), sdklog.WithAllowKeyDuplication()),
			observed + `,"attributes":{"b":2,"a":3},` + billing,
		},
		"a resource that looks like a tag": {
			emitted(t.Context(), record(func(*log.Record) {}), sdklog.WithResource(resource.NewSchemaless(attribute.Int("$map", 1)))),
			observed + `,"resource":{"$map":1}}` + "\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, export(t, stdout.New, test.records))
		})
	}
}

func TestLinesOfAScope(t *testing.T) {
	t.Parallel()
	var c collector
	logger := sdklog.NewLoggerProvider(sdklog.WithProcessor(&c), sdklog.WithResource(resource.Empty())).Logger("lib",
		log.WithSchemaURL("https://example.org"), log.WithInstrumentationAttributes(attribute.Bool("x", true)))
	var lr log.Record
	lr.SetObservedTimestamp(noon)
	logger.Emit(t.Context(), lr)
	require.JSONEq(t, `{"observed_time":"2026-05-04T12:04:05.123456Z","scope":{"name":"lib","schema_url":"https://example.org","attributes":{"x":true}}}`,
		export(t, stdout.New, c.records))
}

// Every line is JSON, and its attributes are those of the record, with their types.
func TestLinesLoseNothing(t *testing.T) {
	t.Parallel()
	for _, r := range recorded(t, story()...) {
		text := export(t, stdout.New, []sdklog.Record{r})
		var got struct {
			Time       time.Time       `json:"time"`
			EventName  string          `json:"event_name"`
			Attributes json.RawMessage `json:"attributes"`
			Resource   json.RawMessage `json:"resource"`
		}
		require.NoError(t, json.Unmarshal([]byte(text), &got))
		require.Equal(t, r.Timestamp(), got.Time)
		require.Equal(t, r.EventName(), got.EventName)
		var want []attribute.KeyValue
		r.WalkAttributes(func(kv attribute.KeyValue) bool { want = append(want, kv); return true })
		attributes, err := attrjson.ParseObject(got.Attributes)
		require.NoError(t, err)
		require.ElementsMatch(t, want, attributes)
		res, err := attrjson.ParseObject(got.Resource)
		require.NoError(t, err)
		require.Equal(t, r.Resource().Attributes(), res)
	}
}
