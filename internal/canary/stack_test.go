package canary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/exporter/stdout"
	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// The outlets. A new one is a name here and a line in [stack.out].
const (
	journal    outlet = "the journal's files"
	table      outlet = "the tables in Postgres"
	lines      outlet = "stdout, JSON Lines"
	console    outlet = "stdout, console"
	otlp       outlet = "log records of OpenTelemetry" // as an OTLP exporter gets them
	spans      outlet = "spans"
	metrics    outlet = "metrics"
	toAudience outlet = "requests to an audience" // their headers; bodies are the application's
	toOthers   outlet = "requests to others"
	errorTexts outlet = "errors returned to the caller"
	otelErrors outlet = "OpenTelemetry's error handler"
	serverLog  outlet = "the HTTP server's log"
	answers    outlet = "answers to the client"
)

// record are the outlets that show all of a record, activity those that show what was done: a console leaves out the rest.
var (
	record   = []outlet{journal, table, lines, otlp}
	activity = slices.Concat(record, []outlet{console})
)

// stack is a service with all that observes it.
type stack struct {
	trail    *trail.Trail
	tracers  *sdktrace.TracerProvider
	meters   *sdkmetric.MeterProvider
	spans    *tracetest.InMemoryExporter
	metrics  *sdkmetric.ManualReader
	texts    map[outlet]*text // what is written as it comes
	database string
	dir      string // the journal's
}

func newStack(t *testing.T, s *secrets) *stack {
	t.Helper()
	k := &stack{
		spans:    tracetest.NewInMemoryExporter(),
		metrics:  sdkmetric.NewManualReader(),
		texts:    map[outlet]*text{},
		database: localpg.Database(t),
		dir:      t.TempDir(),
	}
	for _, name := range []outlet{lines, console, otlp, toAudience, toOthers, errorTexts, otelErrors, serverLog, answers} {
		k.texts[name] = new(text)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { k.texts[otelErrors].add(err.Error()) }))
	k.tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(k.spans))
	k.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(k.metrics))

	pg, err := postgres.Open(t.Context(), k.database)
	require.NoError(t, err)
	require.NoError(t, pg.Migrate(t.Context()))
	down, err := postgres.Open(t.Context(), "host=/nonexistent dbname=x user=x password="+s.of("DSN's password"))
	require.NoError(t, err)
	k.trail, err = trail.Open(t.Context(), trail.Config{
		Dir:     k.dir,
		Service: "canary",
		Sinks: []trail.Sink{
			{Name: "postgres", Exporter: pg},
			{Name: "lines", Exporter: stdout.New(k.texts[lines])},
			{Name: "console", Exporter: stdout.NewConsole(k.texts[console])},
			{Name: "otlp", Exporter: otlpLike{k.texts[otlp]}},
			{Name: s.of("sink's name"), Exporter: failing{errors.New("full: " + s.of("exporter's error"))}, BestEffort: true},
			{Name: "down", Exporter: down, BestEffort: true},
		},
		Policy: otelaudit.Policy{Classify: func(err error) otelaudit.Outcome {
			if panicking := (panics{}); errors.As(err, &panicking) {
				panic(panicking.with)
			}
			return otelaudit.Failure
		}},
		CloseTimeout:  100 * time.Millisecond, // two sinks take nothing
		MeterProvider: k.meters,
	})
	require.NoError(t, err)
	return k
}

// panics is an error that makes the policy's Classify panic.
type panics struct{ with string }

func (panics) Error() string { return "panics" }

// close ends what may still let something out.
func (k *stack) close(t *testing.T) {
	t.Helper()
	if err := k.trail.Close(); err != nil {
		k.texts[errorTexts].add(err.Error())
	}
	require.NoError(t, k.tracers.ForceFlush(t.Context()))
}

// out returns what came out.
func (k *stack) out(t *testing.T) map[outlet]string {
	t.Helper()
	out := map[outlet]string{
		journal: files(t, k.dir),
		table:   dump(t, k.database),
		spans:   asJSON(t, k.spans.GetSpans()),
		metrics: k.collect(t),
	}
	for name, text := range k.texts {
		out[name] = text.String()
	}
	require.NoError(t, k.tracers.Shutdown(t.Context()))
	require.NoError(t, k.meters.Shutdown(t.Context()))
	return out
}

// files returns the names and the contents of all files in dir.
func files(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(os.DirFS(dir), path)
		fmt.Fprintf(&all, "%s\n%s\n", path, bytes.TrimRight(content, "\x00"))
		return err
	}))
	return all.String()
}

func (k *stack) collect(t *testing.T) string {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, k.metrics.Collect(t.Context(), &all))
	return asJSON(t, all)
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// dump returns every row of every table of a database, its catalogues aside.
func dump(t *testing.T, url string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
		WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	var all strings.Builder
	for _, name := range tables {
		rows, err := conn.Query(t.Context(), "SELECT r::text FROM "+name+" r")
		require.NoError(t, err)
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		fmt.Fprintln(&all, name, strings.Join(texts, "\n"))
	}
	return all.String()
}

// text is an outlet that is written to, by several goroutines.
type text struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(p)
}

func (x *text) add(line string) { _, _ = x.Write([]byte(line + "\n")) }

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// otlpLike is an exporter of the SDK, which gets a trail's records rebuilt as log records.
type otlpLike struct{ to *text }

var _ sdklog.Exporter = otlpLike{}

func (e otlpLike) Export(_ context.Context, records []sdklog.Record) error {
	for i := range records {
		r := &records[i]
		e.to.add(fmt.Sprint(r.EventName(), r.Timestamp(), r.ObservedTimestamp(), r.Severity(), r.SeverityText(), r.Body().String(),
			r.TraceID(), r.SpanID(), r.InstrumentationScope(), r.Resource().Encoded(attribute.DefaultEncoder())))
		r.WalkAttributes(func(kv attribute.KeyValue) bool {
			e.to.add(string(kv.Key) + "=" + kv.Value.String())
			return true
		})
	}
	return nil
}

func (otlpLike) ForceFlush(context.Context) error { return nil }
func (otlpLike) Shutdown(context.Context) error   { return nil }

// failing is an exporter that takes nothing.
type failing struct{ err error }

var _ sdklog.Exporter = failing{}

func (e failing) Export(context.Context, []sdklog.Record) error { return e.err }
func (failing) ForceFlush(context.Context) error                { return nil }
func (failing) Shutdown(context.Context) error                  { return nil }

// serve starts an HTTP server that logs to k, and returns its URL.
func (k *stack) serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(k.texts[serverLog], "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// headers starts a server that writes down what its requests bring besides their bodies.
func (k *stack) headers(t *testing.T, to outlet) string {
	t.Helper()
	return k.serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		k.texts[to].add(r.Method + " " + r.RequestURI)
		_ = r.Header.Write(k.texts[to])
	}))
}

// exchange sends a request as it stands, which no client of Go's would send, and returns the answer.
func exchange(t *testing.T, url, request string) string {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte(request))
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	return string(answer)
}
