package otelaudit_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// OpenTelemetry's error handler and meter provider are global: they are set once, and a test looks for what is its own.
var (
	handled = &errorLog{}
	metrics = sdkmetric.NewManualReader()
)

func TestMain(m *testing.M) {
	otel.SetErrorHandler(handled)
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(metrics)))
	goleak.VerifyTestMain(m)
}

// errorLog keeps what OpenTelemetry's error handler was told.
type errorLog struct {
	mu   sync.Mutex
	said []string
}

func (l *errorLog) Handle(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, err.Error())
}

// about returns the errors that contain all of parts.
func (l *errorLog) about(parts ...string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
next:
	for _, s := range l.said {
		for _, part := range parts {
			if !strings.Contains(s, part) {
				continue next
			}
		}
		found = append(found, s)
	}
	return found
}

// failureCount is the metric otelaudit.track.failures for one reason.
func failureCount(t *testing.T, reason string) int64 {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := metrics.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	var n int64
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok || m.Name != "otelaudit.track.failures" {
				continue
			}
			for _, p := range sum.DataPoints {
				if p.Attributes.Equals(new(attribute.NewSet(attribute.String("error.type", reason)))) {
					n += p.Value
				}
			}
		}
	}
	return n
}

// stub is a Trail that does what a test says, and has none of the optional abilities.
type stub func(ctx context.Context, a otelaudit.Activity) (otelaudit.Receipt, error)

func (s stub) Track(ctx context.Context, a otelaudit.Activity) (otelaudit.Receipt, error) {
	return s(ctx, a)
}

func (s stub) TrackAll(ctx context.Context, as []otelaudit.Activity) ([]otelaudit.Receipt, error) {
	var receipts []otelaudit.Receipt
	for _, a := range as {
		r, err := s(ctx, a)
		if err != nil {
			return nil, err
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}
