package auditgrpc_test

import (
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.uber.org/goleak"
)

// What goes to OpenTelemetry's global meter provider and error handler.
var (
	globalMetrics = sdkmetric.NewManualReader()
	otelErrors    notes
)

func TestMain(m *testing.M) {
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(globalMetrics)))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { otelErrors.add(err.Error()) }))
	goleak.VerifyTestMain(m)
}

// notes are what several goroutines write down.
type notes struct {
	mu sync.Mutex // guards b
	b  strings.Builder
}

func (n *notes) add(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, _ = n.b.WriteString(line + "\n")
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.String()
}
