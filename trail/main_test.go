package trail_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	otel.SetErrorHandler(reports)
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(metrics)))
	goleak.VerifyTestMain(m)
}

// metrics are those of the global meter provider, of all tests.
var metrics = sdkmetric.NewManualReader()

// failures is the metric otelaudit.track.failures for one reason.
func failures(t *testing.T, reason string) int64 {
	t.Helper()
	var collected metricdata.ResourceMetrics
	require.NoError(t, metrics.Collect(t.Context(), &collected))
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != "otelaudit.track.failures" {
				continue
			}
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				if name, _ := p.Attributes.Value("error.type"); name.AsString() == reason {
					return p.Value
				}
			}
		}
	}
	return 0
}

// reports is what OpenTelemetry's error handler was told, by all tests.
var reports = &reported{}

type reported struct {
	mu     sync.Mutex // guards errors
	errors []string
}

func (r *reported) Handle(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, err.Error())
}

// await waits for a report that contains all of parts.
func (r *reported) await(t *testing.T, parts ...string) {
	t.Helper()
	require.Eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(r.errors, func(report string) bool {
			return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(report, part) })
		})
	}, patience, time.Millisecond)
}
