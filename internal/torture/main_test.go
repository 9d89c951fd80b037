//go:build unix

package torture

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
)

// long asks for the long form.
func long() bool { return os.Getenv("OTELAUDIT_TORTURE") != "" }

// TestMain runs the tests, or a process for them to torture. The last line says what the tests have seen.
func TestMain(m *testing.M) {
	if config := os.Getenv(childVariable); config != "" {
		if err := runChild(config); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(reporting{localpg.Main{M: m}})
}

// reporting is a testing.M that ends with the report.
type reporting struct{ m interface{ Run() int } }

func (r reporting) Run() int {
	code := r.m.Run()
	_, _ = fmt.Fprintln(os.Stdout, &totals)
	return code
}
