//go:build unix

package torture

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
)

// enoughKills is how many kills of a process the long form promises.
const enoughKills = 200

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
	if all := flag.Lookup("test.run").Value.String() == ""; long() && all && totals.kills < enoughKills {
		_, _ = fmt.Fprintf(os.Stdout, "torture: %d kills are too few: want %d\n", totals.kills, enoughKills)
		code = max(code, 1)
	}
	return code
}
