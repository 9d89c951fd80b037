//go:build unix

package torture

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
)

// server is a Postgres that a test may harm.
type server struct {
	*localpg.Server
	dsn     string // of a database with the tables
	stopped []int  // processes that hang, to be continued
}

func newServer(t *testing.T) *server {
	t.Helper()
	pg, err := localpg.Start(t.Context(), localpg.Config{Private: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pg.Stop(context.WithoutCancel(t.Context()))) })
	dsn, _, err := pg.CreateDatabase(t.Context())
	require.NoError(t, err)
	s := &server{Server: pg, dsn: migrated(t, dsn)}
	t.Cleanup(s.resume)
	return s
}

// crash stops Postgres immediately, and returns when it is there again.
func (s *server) crash(t *testing.T) {
	t.Helper()
	require.NoError(t, s.Restart(t.Context()))
	totals.crashed()
}

// terminate ends every session. It returns how many there were.
func (s *server) terminate(t *testing.T) (n int) {
	t.Helper()
	conn := connected(t, s.dsn)
	defer conn.Close(t.Context())
	const all = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`
	require.NoError(t, conn.QueryRow(t.Context(), all).Scan(&n))
	return n
}

// hang stops the postmaster and all that speak for it with SIGSTOP: connections stay open, and nothing answers.
func (s *server) hang(t *testing.T) {
	t.Helper()
	conn := connected(t, s.dsn)
	defer conn.Close(t.Context())
	var data string
	require.NoError(t, conn.QueryRow(t.Context(), `SHOW data_directory`).Scan(&data))
	file, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(file), "\n")
	postmaster, err := strconv.Atoi(first)
	require.NoError(t, err)
	s.stop(t, postmaster) // first, so that it has no more children than we see
	rows, err := conn.Query(t.Context(), `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`)
	require.NoError(t, err)
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(t, err)
	for _, pid := range pids {
		s.stop(t, pid)
	}
	totals.crashed()
}

func (s *server) stop(t *testing.T, pid int) {
	t.Helper()
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	s.stopped = append(s.stopped, pid)
}

// resume lets go on what hangs.
func (s *server) resume() {
	for _, pid := range s.stopped {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	s.stopped = nil
}

func connected(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	return conn
}
