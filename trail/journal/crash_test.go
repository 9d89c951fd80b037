package journal

import (
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// long asks for the long form of the proofs: every operation instead of every seventh.
func long() bool { return os.Getenv("OTELAUDIT_TORTURE") != "" }

// everySync has the nth sync of a segment fail, again and again.
func everySync(n int64) func(op, path string) error {
	var syncs atomic.Int64
	return func(op, path string) error {
		if op == "sync" && !strings.Contains(path, cursorSuffix) && syncs.Add(1)%n == 0 {
			return syscall.EIO
		}
		return nil
	}
}

var workloads = map[string]struct {
	workload
	disk func() *simFS
}{
	"appends":                  {workload{calls: 12}, newSimFS},
	"appends and a reader":     {workload{calls: 12, reader: true}, newSimFS},
	"syncs that fail":          {workload{calls: 12}, func() *simFS { s := newSimFS(); s.fault = everySync(5); return s }},
	"syncs that fail in pairs": {workload{calls: 12, reader: true}, func() *simFS { s := newSimFS(); s.fault = pairs(7); return s }},
}

// pairs has each nth sync and the one behind it fail, so that the new segment fails too and appenders get errors.
func pairs(n int64) func(op, path string) error {
	var syncs atomic.Int64
	return func(op, path string) error {
		if op == "sync" && !strings.Contains(path, cursorSuffix) && syncs.Add(1)%n < 2 {
			return syscall.EIO
		}
		return nil
	}
}

// The power fails at every single operation, and takes what was not synced in five ways.
func TestCrashAtEveryOperation(t *testing.T) {
	t.Parallel()
	for name, w := range workloads {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.config = small(nil)
			step := 7
			if long() {
				step = 1
			}
			for at := 1; ; at += step {
				reached, err := life(w.workload, at, w.disk)
				require.NoError(t, err)
				if !reached {
					require.Greater(t, at, 100, "the workload is too short to show anything")
					return
				}
			}
		})
	}
}

// The power fails again while Open recovers from the first failure.
func TestCrashDuringRecovery(t *testing.T) {
	t.Parallel()
	step := 41
	if long() {
		step = 3
	}
	for _, first := range []loss{loseAll, loseNone, loseSome, loseEarly} {
		for at := 20; ; at += step {
			s := newSimFS()
			s.crashAt = at
			o, config := newOracle(), small(s)
			w := workload{config: config, calls: 8, reader: true}
			_ = w.run(o) // fails when the power does
			if s.ops < at {
				break
			}
			for again := 1; again < 60; again += 2 {
				config.FS = s.crash(first, newRandom(uint64(at)))
				second := config.FS.(*simFS)
				second.crashAt = again
				if j, err := Open(config); err == nil {
					o.look(j)     // what can be read is there to stay
					_ = j.Close() // fails when the power does
				}
				config.FS = second.crash(loss(again)%losses, newRandom(uint64(again)))
				j, err := Open(config)
				require.NoError(t, err)
				require.NoError(t, o.check(j), "crash at operation %d, then at %d", at, again)
				require.NoError(t, j.Close())
			}
		}
	}
}

// The process is killed at any moment, and what it wrote is in the kernel's memory only; the next process begins, and goes on,
// with that, until the power fails.
func TestKillAndThenCrash(t *testing.T) {
	t.Parallel()
	step := 5
	if long() {
		step = 1
	}
	w := workload{config: small(nil), calls: 4, reader: true}
	for at := 1; ; at += step {
		reached, err := lives(w, at, newSimFS)
		require.NoError(t, err)
		if !reached {
			require.Greater(t, at, 100, "the workload is too short to show anything")
			return
		}
	}
}

// With a precaution taken out, the proof above fails: else it would prove nothing.
func TestTheCrashesShowEachPrecaution(t *testing.T) {
	t.Parallel()
	ofSegment := func(path string) bool { return !strings.Contains(path, cursorSuffix) }
	disk := func(change func(s *simFS)) func() *simFS {
		return func() *simFS {
			s := newSimFS()
			change(s)
			return s
		}
	}
	proofs := []func(workload, int, func() *simFS) (bool, error){life, lives}
	for name, m := range map[string]struct {
		mutation mutation
		disk     func() *simFS
	}{
		"no fsync of segments": {disk: disk(func(s *simFS) { s.forgetSync = ofSegment })},
		"no fsync of cursors":  {disk: disk(func(s *simFS) { s.forgetSync = func(path string) bool { return !ofSegment(path) } })},
		"no fsync of the directory": {disk: disk(func(s *simFS) {
			s.forgetSyncDir = func(path string) bool { return path == "/var/audit" }
		})},
		"no fsync of the directory's name": {disk: disk(func(s *simFS) {
			s.forgetSyncDir = func(path string) bool { return path == "/var" }
		})},
		"Open trusts the kernel's memory": {mutation: trustMemory, disk: newSimFS},
		"no CRC of the commit":            {mutation: trustCommits, disk: newSimFS},
		"no supersede mark":               {mutation: ignoreSupersede, disk: disk(func(s *simFS) { s.fault = pairs(5) })},
		"a reader ahead of the fsync": {mutation: publishUnsynced, disk: disk(func(s *simFS) {
			s.fault = func(op, path string) error {
				for range 50 { // let the reader read
					if op == "sync" && ofSegment(path) {
						runtime.Gosched()
					}
				}
				return nil
			}
		})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := workload{config: small(nil), calls: 12, reader: true}
			w.config.mutation = m.mutation
			for at := range 2000 {
				if _, err := proofs[at%2](w, 1+at*7%401, m.disk); err != nil {
					t.Logf("found: %v", err)
					return
				}
			}
			require.Fail(t, "nothing failed")
		})
	}
}
