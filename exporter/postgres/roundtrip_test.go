package postgres

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Nothing recorded may differ from what comes back.

func TestWhatIsWrittenComesBack(t *testing.T) {
	t.Parallel()
	e, _ := freshDatabase(t)
	rapid.Check(t, func(rt *rapid.T) {
		records := rapid.SliceOfN(rapid.Custom(generateRecord), 1, 8).Draw(rt, "records")
		require.NoError(rt, e.ExportBatch(t.Context(), batch(records...)))
		for _, r := range records {
			require.Empty(rt, difference(r, stored(t, e, r)), "%+v", r)
		}
	})
}

// The same, by way of OpenTelemetry: record, log record, LoggerProvider, Export.
func TestWhatIsEmittedComesBack(t *testing.T) {
	t.Parallel()
	e, _ := freshDatabase(t)
	rapid.Check(t, func(rt *rapid.T) {
		r := rapid.Custom(generateRecord).Draw(rt, "record")
		require.NoError(rt, e.Export(t.Context(), []sdklog.Record{emitted(t, r)}))
		require.Empty(rt, difference(r, stored(t, e, r)), "%+v", r)
	})
}

// Every script of Unicode, in every text of a record.
func TestEveryScriptComesBack(t *testing.T) {
	t.Parallel()
	e, _ := freshDatabase(t)
	var records []*otelaudit.Record
	for name, script := range unicode.Scripts {
		records = append(records, record(t, textual(name, sample(script, 40))))
	}
	require.NoError(t, e.ExportBatch(t.Context(), batch(records...)))
	for _, r := range records {
		require.Empty(t, difference(r, stored(t, e, r)), r.Action)
	}
}

// The longest ids and names that otelaudit lets through fit every index, in every script: what is indexed together stays
// under 2,704 bytes, also where it cannot be compressed.
func TestLongestValuesFitTheIndexes(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	run(t, dsn, statements(t, "index metadata")+statements(t, "index trace"))
	var records []*otelaudit.Record
	for name, script := range unicode.Scripts {
		records = append(records, record(t, textual(name, sample(script, 2*otelaudit.MaxReasonBytes))))
	}
	require.NoError(t, e.ExportBatch(t.Context(), batch(records...)))
	for _, r := range records {
		require.NotEmpty(t, r.Sanitized)
		require.Empty(t, difference(r, stored(t, e, r)), r.Action)
	}
}

// textual is an activity all of whose texts are text.
func textual(action, text string) otelaudit.Activity {
	actor := otelaudit.Actor{
		Type: otelaudit.ActorUser, ID: text, Name: text, Roles: []string{text}, Tenant: text, Session: text, AuthMethod: text,
		OnBehalfOf: &otelaudit.Actor{Type: otelaudit.ActorUser, ID: text, Name: text, Roles: []string{text}, Tenant: text, AuthMethod: text},
	}
	return otelaudit.Activity{
		Action:   action + "." + text,
		Actor:    actor,
		Target:   otelaudit.Target{Type: text, ID: text, Name: text},
		Related:  []otelaudit.Target{{Type: text, ID: text, Name: text}},
		Outcome:  otelaudit.Denied,
		Reason:   text,
		Changes:  otelaudit.Changes{{Field: text, Old: attribute.StringValue(text), New: attribute.StringSliceValue([]string{text})}},
		Metadata: []attribute.KeyValue{attribute.String(text, text)},
		Tenant:   text,
	}
}

// sample returns n bytes or a little more of the runes of script, in an order that does not compress.
func sample(script *unicode.RangeTable, n int) string {
	var all []rune
	for _, r := range script.R16 {
		for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
			all = append(all, c)
		}
	}
	for _, r := range script.R32 {
		for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
			all = append(all, c)
		}
	}
	var b strings.Builder
	for x := uint64(1); b.Len() < n; {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b.WriteRune(all[x%uint64(len(all))])
	}
	return b.String()
}

// emitted is the log record that OpenTelemetry's SDK makes of r.
func emitted(tb testing.TB, r *otelaudit.Record) sdklog.Record {
	tb.Helper()
	var made collector
	provider := sdklog.NewLoggerProvider(
		sdklog.WithProcessor(&made),
		sdklog.WithResource(resource.NewSchemaless(r.Resource.ToSlice()...)),
		sdklog.WithAttributeCountLimit(-1),
		sdklog.WithAttributeValueLengthLimit(-1),
		sdklog.WithAttributeValueDepthLimit(-1),
	)
	var lr log.Record
	lr.SetEventName(r.Action)
	lr.SetTimestamp(r.Time)
	lr.SetObservedTimestamp(r.Observed)
	lr.AddAttributes(r.AppendAttributes(nil)...)
	ctx := trace.ContextWithSpanContext(tb.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: r.TraceID, SpanID: r.SpanID, TraceFlags: r.TraceFlags,
	}))
	provider.Logger("test").Emit(ctx, lr)
	require.Len(tb, made.records, 1)
	return made.records[0]
}

type collector struct{ records []sdklog.Record }

func (*collector) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

func (c *collector) OnEmit(_ context.Context, r *sdklog.Record) error {
	c.records = append(c.records, r.Clone())
	return nil
}

func (*collector) Shutdown(context.Context) error   { return nil }
func (*collector) ForceFlush(context.Context) error { return nil }

// generateRecord draws an activity of any kind, also of what the world sends, and records it in a context of any kind.
func generateRecord(t *rapid.T) *otelaudit.Record {
	ctx := context.Background()
	if rapid.Bool().Draw(t, "in a request") {
		ctx = otelaudit.ContextWithRequest(ctx, otelaudit.Request{
			Method: text.Draw(t, "method"), Route: text.Draw(t, "route"), Path: text.Draw(t, "path"), RPCMethod: text.Draw(t, "rpc"),
			ClientAddress: text.Draw(t, "client"), PeerAddress: text.Draw(t, "peer"), UserAgent: text.Draw(t, "agent"), ID: text.Draw(t, "request"),
		})
	}
	if rapid.Bool().Draw(t, "in a trace") {
		var traceID trace.TraceID
		var spanID trace.SpanID
		copy(traceID[:], rapid.SliceOfN(rapid.ByteRange(1, 255), 16, 16).Draw(t, "trace"))
		copy(spanID[:], rapid.SliceOfN(rapid.ByteRange(1, 255), 8, 8).Draw(t, "span"))
		ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: traceID, SpanID: spanID, TraceFlags: trace.TraceFlags(rapid.Byte().Draw(t, "flags")),
		}))
	}
	ctx = otelaudit.ContextWithOperation(ctx, text.Draw(t, "operation"))
	a := otelaudit.Activity{
		Action:   rapid.StringMatching(`[a-z]{1,8}(\.[a-zé]{1,8}){0,2}`).Draw(t, "action"),
		Target:   generateTarget(t),
		Related:  rapid.SliceOfN(rapid.Custom(generateTarget), 0, 3).Draw(t, "related"),
		Outcome:  rapid.SampledFrom([]otelaudit.Outcome{"", otelaudit.Success, otelaudit.Failure, otelaudit.Denied, otelaudit.OutcomeUnknown}).Draw(t, "outcome"),
		Reason:   text.Draw(t, "reason"),
		Changes:  rapid.SliceOfN(rapid.Custom(generateChange), 0, 4).Draw(t, "changes"),
		Metadata: rapid.SliceOfN(rapid.Custom(generateAttribute(0)), 0, 6).Draw(t, "metadata"),
		Tenant:   text.Draw(t, "tenant"),
		Time:     time.UnixMicro(rapid.Int64Range(0, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()).Draw(t, "time") / 7 * 7),
	}
	// Of years that few databases hold, one in a hundred: each takes a partition.
	if a.Time.Unix() < 1_700_000_000 && rapid.IntRange(0, 99).Draw(t, "old") > 0 {
		a.Time = time.UnixMicro(1_700_000_000_000_000 + a.Time.UnixMicro()%30_000_000_000_000)
	}
	if rapid.IntRange(0, 4).Draw(t, "acted") > 0 {
		a.Actor = generateActor(t, rapid.IntRange(0, otelaudit.MaxChain+2).Draw(t, "chain"))
	}
	if rapid.Bool().Draw(t, "failed") {
		a.Err = rapid.SampledFrom([]error{errors.New("x"), otelaudit.ErrDenied, context.Canceled}).Draw(t, "err")
	}
	r := new(otelaudit.Record)
	if _, err := recorder.Record(ctx, &a, r); err != nil {
		t.Fatalf("%v", err)
	}
	r.Resource = rapid.SampledFrom(resources).Draw(t, "resource")
	return r
}

var resources = []attribute.Set{
	{},
	testResource,
	attribute.NewSet(attribute.String("service.name", "Größe \"1\"\n"), attribute.Float64("zero", math.Copysign(0, -1)), attribute.StringSlice("none", nil)),
	attribute.NewSet(attribute.Int("service.name", 1)), // no name, then
}

func generateActor(t *rapid.T, chain int) otelaudit.Actor {
	a := otelaudit.Actor{
		Type: rapid.SampledFrom([]otelaudit.ActorType{
			otelaudit.ActorUser, otelaudit.ActorService, otelaudit.ActorSystem, otelaudit.ActorAnonymous, otelaudit.ActorUnknown,
		}).Draw(t, "type"),
		ID:         rapid.OneOf(text, rapid.SampledFrom([]string{"anonymous", "unknown", "u1"})).Draw(t, "id"),
		Name:       text.Draw(t, "name"),
		Roles:      rapid.SliceOfN(text, 0, 3).Draw(t, "roles"),
		Tenant:     text.Draw(t, "tenant"),
		Session:    text.Draw(t, "session"),
		AuthMethod: text.Draw(t, "auth"),
		Trust:      rapid.SampledFrom([]otelaudit.Trust{otelaudit.TrustDeclared, otelaudit.TrustPropagated, otelaudit.TrustVerified}).Draw(t, "trust"),
	}
	if a.ID == "" {
		a.ID = "x"
	}
	if chain > 0 {
		next := generateActor(t, chain-1)
		a.OnBehalfOf = &next
	}
	return a
}

func generateTarget(t *rapid.T) otelaudit.Target {
	return otelaudit.Target{Type: text.Draw(t, "type"), ID: text.Draw(t, "id"), Name: text.Draw(t, "name")}
}

func generateChange(t *rapid.T) otelaudit.Change {
	return otelaudit.Change{Field: text.Draw(t, "field"), Old: generateValue(t, 0), New: generateValue(t, 0)}
}

func generateAttribute(depth int) func(*rapid.T) attribute.KeyValue {
	return func(t *rapid.T) attribute.KeyValue {
		key := rapid.OneOf(text, rapid.SampledFrom([]string{"$bytes", "$map", "$slice", "http.route", "audit.actor.id", "a", "b"})).Draw(t, "key")
		return attribute.KeyValue{Key: attribute.Key(key), Value: generateValue(t, depth)}
	}
}

func generateValue(t *rapid.T, depth int) attribute.Value {
	kinds := 12
	if depth > otelaudit.MaxDepth {
		kinds = 10
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return attribute.Value{}
	case 1:
		return attribute.BoolValue(rapid.Bool().Draw(t, "bool"))
	case 2:
		return attribute.Int64Value(rapid.Int64().Draw(t, "int"))
	case 3:
		return attribute.Float64Value(float.Draw(t, "float"))
	case 4:
		return attribute.StringValue(text.Draw(t, "string"))
	case 5:
		return attribute.BoolSliceValue(rapid.SliceOfN(rapid.Bool(), 0, 3).Draw(t, "bools"))
	case 6:
		return attribute.Int64SliceValue(rapid.SliceOfN(rapid.Int64(), 0, 3).Draw(t, "ints"))
	case 7:
		return attribute.Float64SliceValue(rapid.SliceOfN(float, 0, 3).Draw(t, "floats"))
	case 8:
		return attribute.StringSliceValue(rapid.SliceOfN(text, 0, 3).Draw(t, "strings"))
	case 9:
		return attribute.ByteSliceValue(rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "bytes"))
	case 10:
		values := make([]attribute.Value, rapid.IntRange(0, 3).Draw(t, "length"))
		for i := range values {
			values[i] = generateValue(t, depth+1)
		}
		return attribute.SliceValue(values...)
	default:
		return attribute.MapValue(rapid.SliceOfN(rapid.Custom(generateAttribute(depth+1)), 0, 3).Draw(t, "map")...)
	}
}

// shared returns g with its name fixed: rapid fixes it at the first use, which is a data race between parallel tests that share g.
func shared[V any](g *rapid.Generator[V]) *rapid.Generator[V] {
	_ = g.String()
	return g
}

var float = shared(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{
	0, math.Copysign(0, -1), 1, -1, 1e20, 1e300, 5e-324, math.MaxFloat64, math.NaN(), math.Inf(1), math.Inf(-1), 0.1, 1 << 53, 1<<53 + 1,
})))

// text is anything, mostly short: of every script, and what is not storable as it is.
var text = shared(rapid.OneOf(
	rapid.Just(""),
	rapid.StringMatching(`[ -~]{1,12}`),
	rapid.StringOfN(rapid.RuneFrom(nil, scripts()...), 1, 8, -1),
	rapid.Map(rapid.SliceOfN(rapid.Byte(), 1, 8), func(b []byte) string { return string(b) }), // mostly no UTF-8
	rapid.SampledFrom([]string{"\x00", "a\x00b", "\xff", "\u202e", "\t\n", "\\u0000", `"`, `\`, "null", "{}", " ", "…", "\U0010ffff", "\ufffd", "\ufeff"}),
	rapid.Map(rapid.IntRange(1, 40), func(n int) string { return strings.Repeat("long ", n*100) }),
))

func scripts() []*unicode.RangeTable {
	var tables []*unicode.RangeTable
	var names []string
	for name := range unicode.Scripts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		tables = append(tables, unicode.Scripts[name])
	}
	return tables
}
