package localpg

import (
	"context"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(Main{M: m})
}

// childVariable makes this test binary a process that starts a server and lives until it is killed.
const childVariable = "LOCALPG_TEST_CHILD"

func child() {
	ctx, m := context.Background(), thisMachine()
	if _, err := m.start(ctx, Config{}); err != nil {
		panic(err)
	}
	_, _ = io.WriteString(os.Stdout, "ready\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
}
