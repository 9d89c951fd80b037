package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
)

// envProgram makes the test binary the program.
const envProgram = "SERVICES_TEST_PROGRAM"

// TestMain runs the tests, or is the program: run starts its own executable, which under test is the test binary.
func TestMain(m *testing.M) {
	if os.Getenv(envService) == "" && os.Getenv(envProgram) == "" {
		goleak.VerifyTestMain(localpg.Main{M: m})
		return
	}
	main()
}
