package query_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

// That Postgres says the same is tested where Postgres is, in exporter/postgres.

func recorded(tb testing.TB, a otelaudit.Activity) *otelaudit.Record {
	tb.Helper()
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{})
	require.NoError(tb, err)
	r := new(otelaudit.Record)
	_, err = recorder.Record(otelaudit.ContextWithOperation(tb.Context(), "op"), &a, r)
	require.NoError(tb, err)
	return r
}

func TestMatchesEachField(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 30, 0, 0, 0, 0, time.UTC)
	long := strings.Repeat("x", 2000)
	r := recorded(t, otelaudit.Activity{
		Action: "invoice.line.add", Actor: otelaudit.Service("anonymous").For(otelaudit.User("7")).For(otelaudit.Anonymous()),
		Target: otelaudit.Target{Type: "invoice", ID: long}, Outcome: otelaudit.Denied, Tenant: "acme", Time: at,
	})
	r.TraceID = trace.TraceID{1}
	for name, c := range map[string]struct {
		matching, other query.Filter
	}{
		"actor":            {query.Filter{Actor: otelaudit.Service("anonymous")}, query.Filter{Actor: otelaudit.System("anonymous")}},
		"actor's id":       {query.Filter{Actor: otelaudit.Actor{ID: "anonymous"}}, query.Filter{Actor: otelaudit.Actor{ID: "7"}}},
		"nobody":           {query.Filter{Actor: otelaudit.Anonymous(), InChain: true}, query.Filter{Actor: otelaudit.Anonymous()}},
		"chain":            {query.Filter{Actor: otelaudit.User("7"), InChain: true}, query.Filter{Actor: otelaudit.Service("7"), InChain: true}},
		"chain's end":      {query.Filter{Actor: otelaudit.Service("anonymous"), InChain: true}, query.Filter{Actor: otelaudit.User("anonymous"), InChain: true}},
		"target type":      {query.Filter{Target: otelaudit.Target{Type: "invoice"}}, query.Filter{Target: otelaudit.Target{Type: "order"}}},
		"target":           {query.Filter{Target: otelaudit.Target{Type: "invoice", ID: long}}, query.Filter{Target: otelaudit.Target{Type: "invoice", ID: long + "x"}}},
		"action":           {query.Filter{Action: "invoice.line.add"}, query.Filter{Action: "invoice.line"}},
		"prefix":           {query.Filter{Action: "invoice.*"}, query.Filter{Action: "inv.*"}},
		"no prefix":        {query.Filter{Action: "invoice.line.*"}, query.Filter{Action: "invoice*"}},
		"outcome":          {query.Filter{Outcomes: []otelaudit.Outcome{otelaudit.Failure, otelaudit.Denied}}, query.Filter{Outcomes: []otelaudit.Outcome{otelaudit.Failure}}},
		"tenant":           {query.Filter{Tenant: "acme"}, query.Filter{Tenant: "Acme"}},
		"operation":        {query.Filter{Operation: "op"}, query.Filter{Operation: "o"}},
		"trace":            {query.Filter{TraceID: trace.TraceID{1}}, query.Filter{TraceID: trace.TraceID{1, 1}}},
		"from":             {query.Filter{From: at}, query.Filter{From: at.Add(1)}},
		"to":               {query.Filter{To: at.Add(1)}, query.Filter{To: at}},
		"what is refused":  {query.Filter{}, query.Filter{InChain: true}},
		"all of the above": {query.Filter{Tenant: "acme", Operation: "op"}, query.Filter{Tenant: "acme", Operation: "o"}},
	} {
		require.True(t, c.matching.Matches(r), name)
		require.False(t, c.other.Matches(r), name)
	}
}

func TestMatchesMetadata(t *testing.T) {
	t.Parallel()
	mixed := attribute.SliceValue(attribute.StringValue("a"), attribute.IntSliceValue([]int{1, 2}), attribute.MapValue(attribute.Int("x", 1), attribute.Int("y", 2)))
	untyped := attribute.SliceValue(attribute.IntValue(1), attribute.IntValue(2))
	nested := attribute.MapValue(attribute.Map("m", attribute.StringSlice("s", []string{"p", "q"}), attribute.Bool("b", true)), attribute.Int("n", 1))
	for name, c := range map[string]struct {
		have, want attribute.Value
		matches    bool
	}{
		"1 is 1.0":                     {attribute.IntValue(1), attribute.Float64Value(1), true},
		"1.0 is 1":                     {attribute.Float64Value(1), attribute.IntValue(1), true},
		"10 is not 1.0":                {attribute.IntValue(10), attribute.Float64Value(1), false},
		"1 is not its text":            {attribute.IntValue(1), attribute.StringValue("1"), false},
		"0 is not -0.0":                {attribute.IntValue(0), attribute.Float64Value(math.Copysign(0, -1)), false},
		"null is null":                 {attribute.Value{}, attribute.Value{}, true},
		"null is not false":            {attribute.BoolValue(false), attribute.Value{}, false},
		"a string, whole":              {attribute.StringValue("abc"), attribute.StringValue("ab"), false},
		"an array has no scalar":       {attribute.IntSliceValue([]int{1}), attribute.IntValue(1), false},
		"nor has a scalar an array":    {attribute.IntValue(1), attribute.IntSliceValue([]int{1}), false},
		"some elements":                {attribute.IntSliceValue([]int{1, 2, 3}), attribute.IntSliceValue([]int{3, 1}), true},
		"an element twice":             {attribute.IntSliceValue([]int{1, 2}), attribute.Float64SliceValue([]float64{2, 2, 2}), true},
		"one too many":                 {attribute.IntSliceValue([]int{1, 2}), attribute.IntSliceValue([]int{1, 4}), false},
		"none of mixed":                {mixed, attribute.SliceValue(), true},
		"a string of mixed":            {mixed, attribute.StringSliceValue([]string{"a"}), true},
		"containers of mixed":          {mixed, attribute.SliceValue(attribute.MapValue(attribute.Int("y", 2)), attribute.IntSliceValue([]int{2})), true},
		"two halves of no one map":     {mixed, attribute.SliceValue(attribute.MapValue(attribute.Int("y", 2), attribute.Int("z", 1))), false},
		"an untyped slice's like":      {untyped, attribute.SliceValue(attribute.IntValue(2)), true},
		"an untyped slice is tagged":   {untyped, attribute.IntSliceValue([]int{1}), false},
		"an empty typed slice's like":  {attribute.StringSliceValue(nil), attribute.StringSliceValue(nil), true},
		"an empty typed slice":         {attribute.StringSliceValue([]string{"a"}), attribute.StringSliceValue(nil), false},
		"an empty slice":               {attribute.StringSliceValue([]string{"a"}), attribute.SliceValue(), true},
		"bytes, whole":                 {attribute.ByteSliceValue([]byte("abc")), attribute.ByteSliceValue([]byte("ab")), false},
		"the same bytes":               {attribute.ByteSliceValue([]byte("abc")), attribute.ByteSliceValue([]byte("abc")), true},
		"an entry of an entry":         {nested, attribute.MapValue(attribute.Map("m", attribute.StringSlice("s", []string{"q"}))), true},
		"an entry that is elsewhere":   {nested, attribute.MapValue(attribute.StringSlice("s", []string{"q"})), false},
		"an entry of another value":    {nested, attribute.MapValue(attribute.Int("n", 2)), false},
		"no entry":                     {nested, attribute.MapValue(), true},
		"a map is not a slice":         {nested, attribute.SliceValue(), false},
		"a map with a dollar, escaped": {attribute.MapValue(attribute.Int("$k", 1), attribute.Int("b", 2)), attribute.MapValue(attribute.Int("$k", 1)), false},
	} {
		r := recorded(t, otelaudit.Activity{Action: "a.b", Metadata: []attribute.KeyValue{{Key: "k", Value: c.have}, attribute.Int("l", 1)}})
		f := query.Filter{Metadata: []attribute.KeyValue{{Key: "k", Value: c.want}}}
		require.Equal(t, c.matches, f.Matches(r), name)

		f.Metadata = append(f.Metadata, attribute.Int("l", 1))
		require.Equal(t, c.matches, f.Matches(r), "%s, and another key", name)
		f.Metadata[1] = attribute.Int("none", 1)
		require.False(t, f.Matches(r), "%s, and a key that is not there", name)
	}
}
