package stdout_test

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/rj-gamer/go-activity-tracker/exporter/stdout"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	for _, name := range []string{
		"OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME", // a provider adds these to its resource
		"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
	} {
		if err := os.Unsetenv(name); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// noon is the clock of these tests.
var noon = time.Date(2026, 5, 4, 12, 4, 5, 123456000, time.UTC)

// logRecord is what a trail emits for a: made by a Recorder, as in production.
func logRecord(ctx context.Context, t require.TestingT, a otelaudit.Activity) log.Record {
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{Now: func() time.Time { return noon }})
	require.NoError(t, err)
	if a.Time.IsZero() {
		a.Time = noon
	}
	if a.ID.IsZero() {
		a.ID = otelaudit.DeriveID("test", a.Action)
	}
	var r otelaudit.Record
	recorded, err := recorder.Record(ctx, &a, &r)
	require.NoError(t, err)
	require.True(t, recorded)
	var lr log.Record
	lr.SetEventName(r.Action)
	lr.SetTimestamp(r.Time)
	lr.SetObservedTimestamp(r.Observed)
	lr.AddAttributes(r.AppendAttributes(nil)...)
	return lr
}

// collector is a processor that keeps what it sees.
type collector struct{ records []sdklog.Record }

func (c *collector) OnEmit(_ context.Context, r *sdklog.Record) error {
	c.records = append(c.records, r.Clone())
	return nil
}
func (*collector) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (*collector) Shutdown(context.Context) error                         { return nil }
func (*collector) ForceFlush(context.Context) error                       { return nil }

// emitted returns lrs as the SDK hands them to exporters.
func emitted(ctx context.Context, lrs []log.Record, options ...sdklog.LoggerProviderOption) []sdklog.Record {
	var c collector
	options = append([]sdklog.LoggerProviderOption{
		sdklog.WithProcessor(&c),
		sdklog.WithResource(resource.NewSchemaless(attribute.String("service.name", "billing"))),
		sdklog.WithAttributeCountLimit(-1),
		sdklog.WithAttributeValueLengthLimit(-1),
	}, options...)
	logger := sdklog.NewLoggerProvider(options...).Logger("")
	for _, lr := range lrs {
		logger.Emit(ctx, lr)
	}
	return c.records
}

func recorded(t require.TestingT, as ...otelaudit.Activity) []sdklog.Record {
	ctx := context.Background()
	lrs := make([]log.Record, len(as))
	for i, a := range as {
		lrs[i] = logRecord(ctx, t, a)
	}
	return emitted(ctx, lrs)
}

// export returns what the exporter that open gives writes for records.
func export(t require.TestingT, open func(io.Writer) *stdout.Exporter, records []sdklog.Record) string {
	var out bytes.Buffer
	require.NoError(t, open(&out).Export(context.Background(), records))
	return out.String()
}

// traced is a context within a span.
func traced(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    trace.TraceID{0x4b, 0xf9, 0x2f, 15: 0x36},
		SpanID:     trace.SpanID{0x00, 0xf0, 0x67, 7: 0xb7},
		TraceFlags: trace.FlagsSampled,
	}))
}

func requireGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "go test ./exporter/stdout -update writes it anew")
}

// story is a day at work: every outcome, every kind of actor, changes of every kind.
func story() []otelaudit.Activity {
	alice := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", Name: "Alice Jones", Roles: []string{"accountant"}}
	carol := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "carol", Roles: []string{"admin", "support"}}
	invoice := otelaudit.Target{Type: "invoice", ID: "42"}
	at := func(s float64) time.Time { return noon.Add(time.Duration(s * float64(time.Second))) }
	return []otelaudit.Activity{
		withTime(otelaudit.LoggedIn(alice, "password"), at(0)),
		{
			Action: "invoice.create", Actor: alice, Target: invoice, Time: at(1.25),
			Changes: otelaudit.Changes{
				{Field: "amount", New: attribute.Float64Value(100)},
				{Field: "card", New: attribute.StringValue(otelaudit.Redacted)},
				{Field: "tags", New: attribute.StringSliceValue([]string{"urgent", "q2"})},
			},
		},
		{
			Action: "invoice.update", Actor: carol.For(otelaudit.Actor{Type: otelaudit.ActorUser, ID: "c-7", Name: "ACME Ltd."}),
			Target: otelaudit.Target{Type: "invoice", ID: "42", Name: "May, ACME"}, Reason: "wrong amount,\ncustomer called", Time: at(9.5),
			Related: []otelaudit.Target{{Type: "invoice", ID: "41"}, {Type: "customer", ID: "c-7", Name: "ACME Ltd."}},
			Changes: otelaudit.Changes{
				{Field: "amount", Old: attribute.Float64Value(100), New: attribute.Float64Value(120.5)},
				{Field: "approver", New: attribute.StringValue("alice")},
				{Field: "card", Old: attribute.StringValue(otelaudit.Redacted), New: attribute.StringValue(otelaudit.Redacted)},
				{Field: "note", Old: attribute.StringValue("todo")},
				{Field: "status", Old: attribute.StringValue("draft"), New: attribute.StringValue("open")},
			},
			Metadata: []attribute.KeyValue{attribute.String("ticket", "OPS-42"), attribute.Int("retries", 3)},
		},
		{Action: "invoice.approve", Actor: otelaudit.User("bob"), Target: invoice, Err: otelaudit.ErrDenied, Reason: "over bob's limit", Time: at(60)},
		{Action: "invoice.export", Actor: alice, Target: invoice, Err: context.DeadlineExceeded, Time: at(61)},
		withTime(otelaudit.LoginFailed("root", "password", nil), at(75)),
		{Action: "ledger.close", Actor: otelaudit.System("nightly-billing"), Target: otelaudit.Target{Type: "ledger"}, Time: at(12 * 3600)},
		{Action: "report.send", Actor: otelaudit.Service("mailer").For(alice), Outcome: otelaudit.OutcomeUnknown, Time: at(12*3600 + 2)},
		{Action: "cache.clear", Time: at(12*3600 + 3)},
	}
}

func withTime(a otelaudit.Activity, at time.Time) otelaudit.Activity {
	a.Time = at
	return a
}

// writes is a writer that keeps each call's bytes apart, and fails as told.
type writes struct {
	calls [][]byte
	take  func(p []byte) (int, error) // nil: all
}

func (w *writes) Write(p []byte) (int, error) {
	n, err := len(p), error(nil)
	if w.take != nil {
		n, err = w.take(p)
	}
	w.calls = append(w.calls, bytes.Clone(p[:min(n, len(p))]))
	return n, err
}

func (w *writes) String() string { return string(bytes.Join(w.calls, nil)) }
