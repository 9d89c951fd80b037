package localpg

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// privateMachine is this machine without a named server, and with a directory of its own for its clusters.
func privateMachine(t *testing.T) machine {
	t.Helper()
	m := thisMachine()
	m.url = ""

	m.temp = openTempDir(t)
	return m
}

// openTempDir is a t.TempDir that is short enough for a socket, and open to the user that Postgres runs as.
func openTempDir(t *testing.T) string {
	t.Helper()
	m := thisMachine()
	dir, err := os.MkdirTemp(m.parent(false), "localpg") //nolint:usetesting // as said
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o777))
	return dir
}

// startPrivate starts a private cluster, and stops it when the test ends.
func startPrivate(t *testing.T, m machine, cfg Config) *Server {
	t.Helper()
	s, err := m.start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.WithoutCancel(t.Context())) })
	return s
}

// connect connects to url until the test ends.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// query returns the one value that sql selects, as text.
func query(t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()
	var value string
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&value))
	return value
}

// postmaster is the process ID of the Postgres in a cluster's directory.
func postmaster(t *testing.T, dir string) int {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	require.NoError(t, err)
	line, _, _ := strings.Cut(string(file), "\n")
	pid, err := strconv.Atoi(line)
	require.NoError(t, err)
	return pid
}

// clusters are the directories of clusters in dir.
func clusters(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "otelaudit-pg-*"))
	require.NoError(t, err)
	return found
}
