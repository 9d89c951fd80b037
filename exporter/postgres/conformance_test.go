package postgres

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

// A filter means the same to SQL and to query.Scan, which each is the other's model.

// both asks the table and a scan of the same records, and fails where their answers differ.
type both struct {
	t       require.TestingT
	table   *Exporter
	scanned scanned
}

func (b both) Query(ctx context.Context, f query.Filter, p query.PageRequest) (query.Page, error) {
	page, err := b.table.Query(ctx, f, p)
	other, otherErr := b.scanned.Query(ctx, f, p)
	require.Equal(b.t, err == nil, otherErr == nil, "%+v: %v, %v", f, err, otherErr)
	require.Equal(b.t, errors.Is(err, query.ErrInvalid), errors.Is(otherErr, query.ErrInvalid), "%+v: %v, %v", f, err, otherErr)
	require.Len(b.t, other.Records, len(page.Records), "%+v", f)
	for i, r := range page.Records {
		require.Empty(b.t, difference(r, other.Records[i]), "%+v", f)
		require.True(b.t, f.Matches(r), "%+v: %+v", f, r)
	}
	require.Equal(b.t, page.Next, other.Next, "%+v", f)
	return page, err
}

// scanned is a Reader that scans, as a journal does: some records come twice, and each is gone once the next is asked for.
type scanned []*otelaudit.Record

func (s scanned) Query(_ context.Context, f query.Filter, p query.PageRequest) (query.Page, error) {
	return query.Scan(s.all, f, p)
}

func (s scanned) all(yield func(*otelaudit.Record, error) bool) {
	for i, r := range s {
		for range 1 + i%2 {
			passing := r.Clone()
			if !yield(passing, nil) {
				return
			}
			passing.Reset()
		}
	}
}

// pages reads all pages.
func pages(ctx context.Context, t require.TestingT, reader query.Reader, f query.Filter, limit int) []*otelaudit.Record {
	var got []*otelaudit.Record
	p := query.PageRequest{Limit: limit}
	for {
		page, err := reader.Query(ctx, f, p)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Records), limit)
		got = append(got, page.Records...)
		if page.Next == "" {
			return got
		}
		require.Len(t, page.Records, limit, "only the last page may be short")
		p.After = page.Next
	}
}

var (
	queriedIDs     = []string{"1", "2", "anonymous", "unknown"}
	queriedTypes   = []otelaudit.ActorType{otelaudit.ActorUser, otelaudit.ActorService, otelaudit.ActorSystem, otelaudit.ActorAnonymous, otelaudit.ActorUnknown}
	queriedActions = []string{"invoice.approve", "invoice.line.add", "invoice", "invoice-line.add", "invoices.list", "invoice/x", "Invoice.approve", "invoicé.x", ".x"}
	queriedStart   = time.Date(2026, 3, 30, 0, 0, 0, 0, time.UTC) // over the end of a month
	outcomes       = []otelaudit.Outcome{otelaudit.Success, otelaudit.Failure, otelaudit.Denied, otelaudit.OutcomeUnknown}
)

// Any filter, in pages of any size, gives what matches, newest first, each record once: in databases of any collation.
func TestQueryGivesWhatMatches(t *testing.T) {
	t.Parallel()
	var all scanned
	for i := range 600 {
		all = append(all, rapid.Custom(generateQueried).Example(i))
	}
	inAnyCollation(t, func(t *testing.T, e *Exporter, _ string) {
		t.Helper()
		require.NoError(t, e.ExportBatch(t.Context(), batch(all...)))
		rapid.Check(t, func(rt *rapid.T) {
			f := generateFilter(rt, all)
			want := 0
			for _, r := range all {
				if f.Matches(r) {
					want++
				}
			}
			got := pages(rt.Context(), rt, both{rt, e, all}, f, rapid.IntRange(1, 200).Draw(rt, "limit"))
			require.Len(rt, got, want, "%+v", f)
		})
	})
}

// What nobody would ask for is answered, or refused as ErrInvalid: by both.
func TestQueryOfAnyText(t *testing.T) {
	t.Parallel()
	e, _ := freshDatabase(t)
	var all scanned
	rapid.Check(t, func(rt *rapid.T) {
		r := generateRecord(rt)
		all = append(all, r)
		require.NoError(rt, e.ExportBatch(t.Context(), batch(r)))
		var f query.Filter
		for _, field := range []struct {
			wanted *string
			own    string
		}{
			{&f.Actor.ID, r.Actor.ID},
			{&f.Target.Type, r.Target.Type},
			{&f.Target.ID, r.Target.ID},
			{&f.Action, r.Action},
			{&f.Tenant, r.Tenant},
			{&f.Operation, r.Operation},
		} {
			switch rapid.IntRange(0, 7).Draw(rt, "field") {
			case 0:
				*field.wanted = text.Draw(rt, "text")
			case 1, 2, 3:
				*field.wanted = field.own
			}
		}
		switch rapid.IntRange(0, 3).Draw(rt, "type") {
		case 0:
			f.Actor.Type = otelaudit.ActorType(text.Draw(rt, "text"))
		case 1:
			f.Actor.Type = r.Actor.Type
		}
		if f.Action != "" && rapid.Bool().Draw(rt, "prefix?") {
			f.Action += ".*"
		}
		switch rapid.IntRange(0, 3).Draw(rt, "metadata?") {
		case 0:
			f.Metadata = append(f.Metadata, rapid.Custom(generateAttribute(0)).Draw(rt, "metadata"))
		case 1:
			for _, kv := range some(rt, r.Metadata) {
				f.Metadata = append(f.Metadata, attribute.KeyValue{Key: kv.Key, Value: part(rt, kv.Value)})
			}
		}
		f.InChain = f.Actor.ID != "" && rapid.Bool().Draw(rt, "in chain")
		if _, err := (both{rt, e, all}).Query(rt.Context(), f, query.PageRequest{}); err != nil {
			require.ErrorIs(rt, err, query.ErrInvalid, "%+v", f)
		}
	})
}

func generateQueried(t *rapid.T) *otelaudit.Record {
	actor := func() otelaudit.Actor {
		return otelaudit.Actor{Type: rapid.SampledFrom(queriedTypes).Draw(t, "type"), ID: rapid.SampledFrom(queriedIDs).Draw(t, "id"), Name: "x"}
	}
	a := otelaudit.Activity{
		Action:  rapid.SampledFrom(queriedActions).Draw(t, "action"),
		Actor:   actor(),
		Target:  otelaudit.Target{Type: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "type"), ID: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "id")},
		Outcome: rapid.SampledFrom(outcomes).Draw(t, "outcome"),
		Tenant:  rapid.SampledFrom([]string{"", "acme", "Acme"}).Draw(t, "tenant"),
		Time:    queriedStart.Add(time.Duration(rapid.IntRange(0, 4*24).Draw(t, "hour")) * time.Hour),
	}
	for _, key := range []attribute.Key{"k", "l", "$slice"} {
		if rapid.IntRange(0, 4).Draw(t, "has") > 0 {
			a.Metadata = append(a.Metadata, attribute.KeyValue{Key: key, Value: generateContained(t)})
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "chain") {
		a.Actor = a.Actor.For(actor())
	}
	r := new(otelaudit.Record)
	ctx := otelaudit.ContextWithOperation(context.Background(), rapid.SampledFrom([]string{"", "op1", "op2"}).Draw(t, "operation"))
	if _, err := recorder.Record(ctx, &a, r); err != nil {
		t.Fatalf("%v", err)
	}
	r.TraceID[0] = rapid.ByteRange(0, 2).Draw(t, "trace")
	return r
}

// generateContained draws mostly from values of which some contain others.
func generateContained(t *rapid.T) attribute.Value {
	if rapid.IntRange(0, 3).Draw(t, "any") == 0 {
		return generateValue(t, 0)
	}
	return rapid.SampledFrom(containments).Draw(t, "value")
}

func generateFilter(t *rapid.T, all []*otelaudit.Record) query.Filter {
	var f query.Filter
	chosen := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
	if chosen("actor?") {
		f.Actor = otelaudit.Actor{Type: rapid.SampledFrom(append(slices.Clip(queriedTypes), "")).Draw(t, "type"), ID: rapid.SampledFrom(queriedIDs).Draw(t, "id")}
		if f.Actor.Type == otelaudit.ActorAnonymous || f.Actor.Type == otelaudit.ActorUnknown {
			f.Actor.ID = ""
		}
		f.InChain = rapid.Bool().Draw(t, "in chain")
	}
	if chosen("target?") {
		f.Target = otelaudit.Target{Type: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "type"), ID: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "id")}
	}
	if chosen("action?") {
		f.Action = rapid.OneOf(rapid.SampledFrom(queriedActions),
			rapid.SampledFrom([]string{"invoice.*", "invoice.line.*", "Invoice.*", "invoicé.*", "none.*", ".*", "*", "invoice*", "invoice/*"})).Draw(t, "action")
	}
	if chosen("outcomes?") {
		f.Outcomes = rapid.SliceOfN(rapid.SampledFrom(outcomes), 1, 3).Draw(t, "outcomes")
	}
	if chosen("tenant?") {
		f.Tenant = rapid.SampledFrom([]string{"acme", "Acme", "none"}).Draw(t, "tenant")
	}
	if chosen("operation?") {
		f.Operation = rapid.SampledFrom([]string{"op1", "op2"}).Draw(t, "operation")
	}
	if chosen("trace?") {
		f.TraceID = trace.TraceID{rapid.ByteRange(1, 3).Draw(t, "trace")}
	}
	if chosen("from?") {
		f.From = queriedStart.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "from"))*time.Hour + time.Duration(rapid.IntRange(0, 1).Draw(t, "ns")))
	}
	if chosen("to?") {
		f.To = queriedStart.Add(time.Duration(rapid.IntRange(61, 97).Draw(t, "to"))*time.Hour + time.Duration(rapid.IntRange(0, 1).Draw(t, "ns")))
	}
	if chosen("metadata?") {
		for range rapid.IntRange(1, 2).Draw(t, "entries") {
			kvs := rapid.SampledFrom(all).Draw(t, "record").Metadata
			if len(kvs) > 0 {
				kv := rapid.SampledFrom(kvs).Draw(t, "entry")
				f.Metadata = append(f.Metadata, attribute.KeyValue{Key: kv.Key, Value: part(t, kv.Value)})
			}
		}
	}
	return f
}

// part draws from what v contains.
func part(t *rapid.T, v attribute.Value) attribute.Value {
	switch v.Type() {
	case attribute.INT64:
		if f := float64(v.AsInt64()); rapid.Bool().Draw(t, "as float") {
			return attribute.Float64Value(f)
		}
	case attribute.FLOAT64:
		if f := v.AsFloat64(); math.Abs(f) < 1<<62 && rapid.Bool().Draw(t, "as int") {
			return attribute.Int64Value(int64(f))
		}
	case attribute.BOOLSLICE:
		return attribute.BoolSliceValue(some(t, v.AsBoolSlice()))
	case attribute.INT64SLICE:
		return attribute.Int64SliceValue(some(t, v.AsInt64Slice()))
	case attribute.FLOAT64SLICE:
		return attribute.Float64SliceValue(some(t, v.AsFloat64Slice()))
	case attribute.STRINGSLICE:
		return attribute.StringSliceValue(some(t, v.AsStringSlice()))
	case attribute.SLICE:
		elements := some(t, v.AsSlice())
		for i := range elements {
			elements[i] = part(t, elements[i])
		}
		return attribute.SliceValue(elements...)
	case attribute.MAP:
		entries := some(t, v.AsMap())
		for i := range entries {
			entries[i].Value = part(t, entries[i].Value)
		}
		return attribute.MapValue(entries...)
	default: // whole
	}
	return v
}

// some draws elements of s, in any order and some of them twice.
func some[E any](t *rapid.T, s []E) []E {
	if len(s) == 0 {
		return nil
	}
	return rapid.SliceOfN(rapid.SampledFrom(s), 0, 3).Draw(t, "some")
}

// Each of these values against each: what jsonb's @> says of them is what a scan says.
func TestMetadataContainsWhatJSONBContains(t *testing.T) {
	t.Parallel()
	e, _ := freshDatabase(t)
	all := scanned{record(t, otelaudit.Activity{Action: "no.metadata"})}
	for _, v := range containments {
		all = append(all, record(t, otelaudit.Activity{Action: "a.b", Metadata: []attribute.KeyValue{{Key: "k", Value: v}, attribute.Int("l", 1)}}))
	}
	require.NoError(t, e.ExportBatch(t.Context(), batch(all...)))
	for _, v := range containments {
		f := query.Filter{Metadata: []attribute.KeyValue{{Key: "k", Value: v}}}
		got := pages(t.Context(), t, both{t, e, all}, f, len(all))
		require.NotEmpty(t, got, "a value contains itself: %+v", f)
		require.Less(t, len(got), len(all))
	}
}

var containments = []attribute.Value{
	{},
	attribute.BoolValue(true), attribute.BoolValue(false),
	attribute.IntValue(0), attribute.Float64Value(0), attribute.Float64Value(math.Copysign(0, -1)),
	attribute.IntValue(1), attribute.Float64Value(1), attribute.IntValue(-1), attribute.Float64Value(-1), attribute.IntValue(10), attribute.Float64Value(10),
	attribute.Float64Value(0.1), attribute.Float64Value(1e-9), attribute.Float64Value(5e-324),
	// A float has the value of its shortest decimal, which of these is 4611686018427388000.
	attribute.IntValue(1 << 62), attribute.Float64Value(1 << 62), attribute.Int64Value(4611686018427388000),
	attribute.IntValue(1<<53 + 1), attribute.IntValue(1 << 53), attribute.Float64Value(1 << 53),
	attribute.Int64Value(math.MaxInt64), attribute.Int64Value(math.MinInt64), attribute.Float64Value(math.MinInt64), attribute.Float64Value(1e20), attribute.Float64Value(1e300),
	attribute.StringValue(""), attribute.StringValue("1"), attribute.StringValue("1.0"), attribute.StringValue("a"), attribute.StringValue("A"), attribute.StringValue("true"),
	attribute.StringValue("é"), attribute.StringValue("e\u0301"), attribute.StringValue("-0"), attribute.StringValue("NaN"), attribute.StringValue("\ufffd"), attribute.StringValue(`\u0000`), attribute.StringValue(`"\`),
	attribute.ByteSliceValue([]byte("a")), attribute.ByteSliceValue([]byte{0}), attribute.ByteSliceValue(nil),
	attribute.BoolSliceValue([]bool{true}), attribute.BoolSliceValue([]bool{false, true}),
	attribute.IntSliceValue([]int{1}), attribute.IntSliceValue([]int{1, 2}), attribute.IntSliceValue([]int{2, 1, 1}),
	attribute.Float64SliceValue([]float64{1}), attribute.Float64SliceValue([]float64{1, math.Copysign(0, -1)}), attribute.Float64SliceValue([]float64{2, 1}),
	attribute.StringSliceValue([]string{"a"}), attribute.StringSliceValue([]string{"a", "b"}), attribute.StringSliceValue([]string{"b", "a", "b"}),
	attribute.BoolSliceValue(nil), attribute.IntSliceValue(nil), attribute.Float64SliceValue(nil), attribute.StringSliceValue(nil),
	attribute.SliceValue(),
	attribute.SliceValue(attribute.IntValue(1)), attribute.SliceValue(attribute.IntValue(1), attribute.IntValue(2)), attribute.SliceValue(attribute.Float64Value(1)),
	attribute.SliceValue(attribute.StringValue("a")), attribute.SliceValue(attribute.Float64Value(math.Copysign(0, -1))),
	attribute.SliceValue(attribute.IntValue(1), attribute.StringValue("a")), attribute.SliceValue(attribute.StringValue("a"), attribute.Float64Value(1), attribute.IntValue(2)),
	attribute.SliceValue(attribute.Value{}), attribute.SliceValue(attribute.Value{}, attribute.IntValue(1)),
	attribute.SliceValue(attribute.SliceValue()), attribute.SliceValue(attribute.IntSliceValue([]int{1})), attribute.SliceValue(attribute.IntSliceValue([]int{1, 2}), attribute.IntSliceValue([]int{3})),
	attribute.SliceValue(attribute.IntSliceValue([]int{2, 1}), attribute.StringValue("a")), attribute.SliceValue(attribute.IntSliceValue([]int{1}), attribute.IntSliceValue([]int{2})),
	attribute.SliceValue(attribute.ByteSliceValue([]byte("a"))), attribute.SliceValue(attribute.MapValue()),
	attribute.SliceValue(attribute.MapValue(attribute.Int("a", 1))), attribute.SliceValue(attribute.MapValue(attribute.Float64("a", 1), attribute.Int("b", 2)), attribute.IntValue(1)),
	attribute.MapValue(),
	attribute.MapValue(attribute.Int("a", 1)), attribute.MapValue(attribute.Float64("a", 1), attribute.Int("b", 2)), attribute.MapValue(attribute.Int("", 1)),
	attribute.MapValue(attribute.KeyValue{Key: "a"}), attribute.MapValue(attribute.KeyValue{Key: "a"}, attribute.Int("b", 2)),
	attribute.MapValue(attribute.IntSlice("a", []int{1})), attribute.MapValue(attribute.IntSlice("a", []int{2, 1}), attribute.Int("b", 2)),
	attribute.MapValue(attribute.Map("a")), attribute.MapValue(attribute.Map("a", attribute.Int("b", 1))), attribute.MapValue(attribute.Map("a", attribute.Int("b", 1), attribute.Int("c", 2))),
	// What looks like a tag, or is escaped because it does.
	attribute.MapValue(attribute.String("$bytes", "YQ==")), attribute.MapValue(attribute.String("$bytes", "YQ=="), attribute.Int("b", 2)),
	attribute.MapValue(attribute.String("$float", "-0")), attribute.MapValue(attribute.String("$float", "-0"), attribute.Int("b", 2)),
	attribute.MapValue(attribute.IntSlice("$slice", []int{1})), attribute.MapValue(attribute.IntSlice("$slice", []int{2, 1}), attribute.Int("b", 2)),
	attribute.MapValue(attribute.Slice("$strings")), attribute.MapValue(attribute.StringSlice("$strings", []string{"a"}), attribute.Int("b", 2)),
	attribute.MapValue(attribute.Int("$k", 1)), attribute.MapValue(attribute.Int("$k", 1), attribute.Int("b", 2)),
	attribute.MapValue(attribute.Map("$map", attribute.Int("$k", 1))), attribute.MapValue(attribute.Map("$map", attribute.Int("$k", 1)), attribute.Int("b", 2)),
}
