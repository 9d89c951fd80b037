package trail_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	otel.SetErrorHandler(reports)
	goleak.VerifyTestMain(m)
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
