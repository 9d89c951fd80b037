package localpg

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A process that is killed, wherever it is in Start, leaves neither a server nor files.
func TestKilled(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"when the directory is new": "",
		"while initdb runs":         "data/base",
		"while Postgres starts":     "data/postmaster.opts",
		"after Start":               "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := privateMachine(t)

			child := exec.CommandContext(t.Context(), os.Args[0])
			child.Env = append(os.Environ(), childVariable+"=1", "OTELAUDIT_POSTGRES_URL=", "TMPDIR="+m.temp)
			_, err := child.StdinPipe() // the child lives as long as it is open
			require.NoError(t, err)
			stdout, err := child.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, child.Start())

			pid := 0
			if name == "after Start" {
				_, err := stdout.Read(make([]byte, 1))
				require.NoError(t, err)
				pid = postmaster(t, clusters(t, m.temp)[0])
			} else {
				soon(t, func() bool {
					found, err := filepath.Glob(filepath.Join(m.temp, "otelaudit-pg-*", file))
					return err == nil && len(found) > 0
				})
			}

			require.NoError(t, child.Process.Kill())
			require.Error(t, child.Wait())
			soon(t, func() bool { return len(clusters(t, m.temp)) == 0 })
			if pid != 0 {
				require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
			}
		})
	}
}

// soon waits until condition holds.
func soon(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, time.Millisecond)
}
