//go:build unix

package torture

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
)

// server is a Postgres that a test may harm.
type server struct {
	*localpg.Server
	dsn     string   // of a database with the tables
	hanging *hanging // nil while it answers
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

// hang stops the postmaster and all that speak for it with SIGSTOP: connections stay open, and nothing answers. A session that is
// just beginning shows late, and is stopped when it does.
func (s *server) hang(t *testing.T) {
	t.Helper()
	conn := connected(t, s.dsn)
	var data string
	require.NoError(t, conn.QueryRow(t.Context(), `SHOW data_directory`).Scan(&data))
	file, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(file), "\n")
	postmaster, err := strconv.Atoi(first)
	require.NoError(t, err)
	h := &hanging{conn: conn, pids: []int{postmaster}}
	require.NoError(t, syscall.Kill(postmaster, syscall.SIGSTOP)) // first, so that no more begin
	require.NoError(t, h.stopSessions(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	h.cancel = cancel
	h.done.Go(func() {
		again := time.NewTicker(10 * time.Millisecond)
		defer again.Stop()
		for h.stopSessions(ctx) == nil {
			<-again.C
		}
	})
	s.hanging = h
	totals.crashed()
}

// resume lets go on what hangs.
func (s *server) resume() {
	if s.hanging != nil {
		s.hanging.end()
		s.hanging = nil
	}
}

// hanging is a server whose processes are stopped.
type hanging struct {
	conn   *pgx.Conn // goes on
	pids   []int
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// stopSessions stops those that are not stopped yet.
func (h *hanging) stopSessions(ctx context.Context) error {
	const all = `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`
	rows, err := h.conn.Query(ctx, all)
	if err != nil {
		return err
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if slices.Contains(h.pids, pid) {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) { // it has ended by itself
			return err
		}
		h.pids = append(h.pids, pid)
	}
	return nil
}

func (h *hanging) end() {
	h.cancel()
	h.done.Wait()
	for _, pid := range h.pids {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	_ = h.conn.Close(context.Background()) // it may be closed: its query was canceled
}

func connected(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	return conn
}
