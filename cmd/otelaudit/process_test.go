//go:build unix

package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheProgram builds it, and runs it as an operator does.
func TestTheProgram(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "otelaudit")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	dir := leftBehind(t)
	url, pg := database(t)
	command := func(args ...string) *exec.Cmd {
		c := exec.CommandContext(t.Context(), program, append([]string{"journal"}, args...)...)
		c.Env = append(os.Environ(), postgresVariable+"="+url, "OTEL_RESOURCE_ATTRIBUTES=host.name=mine", "OTEL_SERVICE_NAME=mine")
		return c
	}

	// The exit statuses.
	for want, args := range map[int][]string{wrong: {"inspect"}, fault: {"inspect", dir + "/gone"}, fine: {"inspect", dir}} {
		c := command(args...)
		_ = c.Run()
		require.Equal(t, want, c.ProcessState.ExitCode(), "%q", args)
	}

	// A signal ends it, and it says nothing of whoever looks.
	tail := command("tail", "-f", "-json", dir)
	var stderr bytes.Buffer
	tail.Stderr = &stderr
	pipe, err := tail.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, tail.Start())
	lines := bufio.NewScanner(pipe)
	for range 8 {
		require.True(t, lines.Scan())
		require.Contains(t, lines.Text(), `"resource":{"service.name":"billing"}}}`)
	}
	require.NoError(t, tail.Process.Signal(syscall.SIGTERM))
	require.False(t, lines.Scan())
	require.NoError(t, tail.Wait())
	require.Empty(t, stderr.String())

	// The database that the environment names.
	out, err = command("deliver", dir).Output()
	require.NoError(t, err)
	require.Equal(t, "delivered 5, dead letters 0, left 0\n", string(out))
	require.Equal(t, update(t, 4), stored(t, pg)[0])
}
