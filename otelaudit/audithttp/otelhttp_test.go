package audithttp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
)

// telemetry is what an otelhttp under test writes.
type telemetry struct {
	spans  *tracetest.SpanRecorder
	reader *sdkmetric.ManualReader
	mw     middleware
}

func newTelemetry(t *testing.T) telemetry {
	t.Helper()
	spans, reader := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		require.NoError(t, tracers.Shutdown(ctx))
		require.NoError(t, meters.Shutdown(ctx))
	})
	return telemetry{spans, reader, otelhttp.NewMiddleware("api",
		otelhttp.WithTracerProvider(tracers), otelhttp.WithMeterProvider(meters))}
}

// duration returns the attributes of the one series of http.server.request.duration.
func (tl telemetry) duration(t *testing.T) *attribute.Set {
	t.Helper()
	var data metricdata.ResourceMetrics
	require.NoError(t, tl.reader.Collect(t.Context(), &data))
	for _, scope := range data.ScopeMetrics {
		for _, metric := range scope.Metrics {
			if metric.Name == "http.server.request.duration" {
				histogram, ok := metric.Data.(metricdata.Histogram[float64])
				require.True(t, ok)
				require.Len(t, histogram.DataPoints, 1)
				return &histogram.DataPoints[0].Attributes
			}
		}
	}
	require.Fail(t, "otelhttp measured no duration")
	return nil
}

// With the middleware in between, otelhttp says what it says without, over a real connection.
func TestInsideOtelhttp(t *testing.T) {
	t.Parallel()
	label := attribute.String("app.flavour", "vanilla")
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		labeler, ok := otelhttp.LabelerFromContext(r.Context())
		if !ok {
			http.Error(w, "no labeler", http.StatusInternalServerError)
			return
		}
		labeler.Add(label)
		tracking().ServeHTTP(w, r)
	})
	audit := audithttp.NewMiddleware(actorOf(otelaudit.User("alice")))
	const invoice, chiRoute = "/api/v2/invoices/42", "/api/v{version}/invoices/{id:[0-9]+}"
	for name, tc := range map[string]struct {
		build        func(otel middleware) http.Handler
		target, want string
	}{
		"ServeMux": {func(otel middleware) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("GET /invoices/{id}", handler)
			return otel(audit(mux))
		}, "/invoices/42", "/invoices/{id}"},
		"used by chi": {func(otel middleware) http.Handler {
			return nestedChi(handler, otel, audit)
		}, invoice, chiRoute},
		"around chi": {func(otel middleware) http.Handler {
			router := nestedChi(handler)
			return chiContext(router, otel(audit(router)))
		}, invoice, chiRoute},
		"otelhttp around, ours used by chi": {func(otel middleware) http.Handler {
			router := nestedChi(handler, audit)
			return chiContext(router, otel(router))
		}, invoice, chiRoute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, tl := newMemory(t), newTelemetry(t)
			server := httptest.NewServer(m.into(tc.build(tl.mw)))
			resp := fetch(t, server, tc.target)
			server.Close() // waits for the handler, and so for the end of its span
			require.Equal(t, http.StatusOK, resp.StatusCode)

			record := m.only(t)
			require.Equal(t, otelaudit.User("alice"), record.Actor)
			require.Equal(t, tc.want, record.Request.Route)
			require.Equal(t, tc.target, record.Request.Path)
			require.Equal(t, "127.0.0.1", record.Request.PeerAddress)
			require.Equal(t, "127.0.0.1", record.Request.ClientAddress)
			require.Equal(t, "Go-http-client/1.1", record.Request.UserAgent)

			spans := tl.spans.Ended()
			require.Len(t, spans, 1)
			require.Equal(t, "GET "+tc.want, spans[0].Name())
			require.Equal(t, spans[0].SpanContext().TraceID(), record.TraceID)
			require.Equal(t, spans[0].SpanContext().SpanID(), record.SpanID)
			measured := tl.duration(t)
			route, _ := measured.Value("http.route")
			require.Equal(t, tc.want, route.AsString())
			flavour, _ := measured.Value(label.Key)
			require.Equal(t, label.Value, flavour)
		})
	}
}

func TestOtelhttpSeesThe401(t *testing.T) {
	t.Parallel()
	tl := newTelemetry(t)
	failing := func(*http.Request) (otelaudit.Actor, error) {
		return otelaudit.Actor{}, audithttp.ErrUnauthenticated
	}
	server := httptest.NewServer(tl.mw(audithttp.NewMiddleware(failing)(http.NotFoundHandler())))
	resp := fetch(t, server, "/")
	server.Close()
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	status, _ := tl.duration(t).Value("http.response.status_code")
	require.Equal(t, int64(http.StatusUnauthorized), status.AsInt64())
}

// fetch gets target from server and reads the answer to its end.
func fetch(t *testing.T, server *httptest.Server, target string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+target, http.NoBody)
	require.NoError(t, err)
	resp, err := server.Client().Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp
}
