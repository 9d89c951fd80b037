package propagation

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traceparents are some of those that tell readers apart.
var traceparents = []string{
	"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03",
	"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-04",
	"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
	"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
	"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
	"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes",
	"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
	"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
	"00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01",
	"00-00000000000000000000000000000000-b7ad6b7169203331-01",
	"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
	"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
	" 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01,00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	"0-00af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	"00-0af7651916cd43dd8448eb211c80319c",
	"",
}

func requireSameTrace(t *testing.T, s string) {
	t.Helper()
	ctx := propagation.TraceContext{}.Extract(t.Context(), propagation.MapCarrier{traceparentHeader: s})
	require.Equal(t, trace.SpanContextFromContext(ctx).TraceID(), parseTraceparent(s), "%q", s)
}

// A token is bound to the trace that OpenTelemetry will find, so both must find the same.
func TestTraceparentIsOTels(t *testing.T) {
	t.Parallel()
	for _, s := range traceparents {
		requireSameTrace(t, s)
	}
	require.True(t, parseTraceparent(traceparents[0]).IsValid())
}

func FuzzTraceparent(f *testing.F) {
	for _, s := range traceparents {
		f.Add(s)
	}
	f.Fuzz(requireSameTrace)
}
