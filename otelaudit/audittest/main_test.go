package audittest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeTB is a test whose failures can be looked at.
type fakeTB struct {
	testing.TB // its other methods are those of nobody

	mu       sync.Mutex
	failures []string
	cleanups []func()
}

type fatal struct{}

func (*fakeTB) Helper()                  {}
func (*fakeTB) Context() context.Context { return context.Background() }

func (f *fakeTB) Cleanup(cleanup func()) { f.cleanups = append(f.cleanups, cleanup) }

func (f *fakeTB) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures = append(f.failures, fmt.Sprintf(format, args...))
}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	panic(fatal{})
}

// run runs a test on f and returns what it said.
func (f *fakeTB) run(test func()) string {
	func() {
		defer func() {
			if p := recover(); p != nil {
				if _, ok := p.(fatal); !ok {
					panic(p)
				}
			}
		}()
		test()
	}()
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.failures, "\n")
}

func (f *fakeTB) end() {
	for _, cleanup := range slices.Backward(f.cleanups) {
		cleanup()
	}
}
