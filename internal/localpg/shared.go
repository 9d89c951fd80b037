package localpg

import (
	"context"
	"fmt"
	"os"
	"sync"
)

// TB is the part of [testing.TB] that [Database] needs.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(f func())
	Fatalf(format string, args ...any)
}

// shared is the server of this test binary.
var shared struct {
	sync.Mutex // guards what follows

	started bool
	server  *Server
	err     error
}

// Database returns the URL of a database that is t's own, as [Server.CreateDatabase] makes it, and drops it when t ends.
// The first call in a test binary starts the server; [Main] and [Run] stop it. Database fails t, and never skips it, when
// there is no Postgres: the failure says what to do.
func Database(t TB) string {
	t.Helper()
	return database(t, sharedServer)
}

func database(t TB, start func() (*Server, error)) string {
	t.Helper()
	server, err := start()
	if err != nil {
		t.Fatalf("%v", err)
		return ""
	}
	url, drop, err := server.CreateDatabase(t.Context())
	if err != nil {
		t.Fatalf("%v", err)
		return ""
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), stopTimeout)
		defer cancel()
		if err := drop(ctx); err != nil {
			t.Fatalf("%v", err)
		}
	})
	return url
}

// sharedServer starts the server once. The context is nobody's: the server is not one test's alone.
func sharedServer() (*Server, error) {
	shared.Lock()
	defer shared.Unlock()
	if !shared.started {
		shared.started = true
		shared.server, shared.err = Start(context.Background(), Config{})
	}
	return shared.server, shared.err
}

// Main is the [testing.M] of a package whose tests call [Database]. It is for what takes one, such as
// goleak.VerifyTestMain; without such, call [Run].
type Main struct {
	M interface{ Run() int } // required
}

// Run runs the tests, stops the server that they shared, and returns the exit code: M's, or 1 if the server had
// failed.
func (m Main) Run() int {
	code := m.M.Run()
	if err := stopShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

// Run is [Main.Run] of m: os.Exit(localpg.Run(m)).
func Run(m interface{ Run() int }) int { return Main{M: m}.Run() }

func stopShared() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return shared.server.Stop(ctx)
}
