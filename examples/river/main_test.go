package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
)

func TestMain(m *testing.M) {
	if os.Getenv(envDatabase) != "" { // the worker of a test: the test binary, once more
		main()
		return
	}
	goleak.VerifyTestMain(localpg.Main{M: m})
}
