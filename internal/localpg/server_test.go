package localpg

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestStartPrivate(t *testing.T) {
	t.Parallel()
	m := privateMachine(t)
	s := startPrivate(t, m, Config{Settings: map[string]string{
		"Work_Mem":         "5MB",
		"application_name": `it's a\b`,
	}})
	require.False(t, s.Named())

	conn := connect(t, s.URL())
	require.Equal(t, "off", query(t, conn, "SHOW fsync"))
	require.Equal(t, "on", query(t, conn, "SHOW synchronous_commit"))
	require.Equal(t, "UTC", query(t, conn, "SHOW timezone"))
	require.Equal(t, "UTF8", query(t, conn, "SHOW server_encoding"))
	require.Empty(t, query(t, conn, "SHOW listen_addresses"))
	require.Equal(t, "mmap", query(t, conn, "SHOW dynamic_shared_memory_type"))
	require.Equal(t, "5MB", query(t, conn, "SHOW work_mem"))
	require.Equal(t, `it's a\b`, query(t, conn, "SHOW application_name"))

	dirs := clusters(t, m.temp)
	require.Len(t, dirs, 1)
	info, err := os.Stat(dirs[0])
	require.NoError(t, err)
	require.Equal(t, os.ModeDir|0o700, info.Mode())

	pid := postmaster(t, dirs[0])
	group, err := syscall.Getpgid(pid)
	require.NoError(t, err)
	require.NotEqual(t, syscall.Getpgrp(), group, "Ctrl-C would stop it")
}

func TestStartDurable(t *testing.T) {
	t.Parallel()
	s := startPrivate(t, privateMachine(t), Config{Durable: true})
	conn := connect(t, s.URL())
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		require.Equal(t, "on", query(t, conn, "SHOW "+setting))
	}

	url, drop, err := s.CreateDatabase(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1", query(t, connect(t, url), "SELECT '1'"))
	require.NoError(t, drop(t.Context()))
}

func TestStartInvalidConfig(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Config{Settings: map[string]string{"port": "1"}})
	require.EqualError(t, err, "localpg: Config.Settings: remove port: Start chooses it")
}

// What a developer has set for psql does not reach a private cluster. Not parallel: it sets environment variables.
func TestStartIgnoresTheEnvironment(t *testing.T) {
	t.Setenv("PGTARGETSESSIONATTRS", "standby")
	t.Setenv("PGOPTIONS", "-c DateStyle=SQL,DMY")
	t.Setenv("PGSSLMODE", "verify-full")
	t.Setenv("PGUSER", "nobody")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err := privateMachine(t).start(ctx, Config{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.WithoutCancel(t.Context())) })
	require.Equal(t, "ISO, MDY", query(t, connect(t, s.URL()), "SHOW DateStyle"))
	url, drop, err := s.CreateDatabase(t.Context())
	require.NoError(t, err)
	require.Equal(t, "ISO, MDY", query(t, connect(t, url), "SHOW DateStyle"))
	require.NoError(t, drop(t.Context()))
}

// A service goes into every connection, whatever its URL says.
func TestStartRefusesAService(t *testing.T) {
	t.Parallel()
	m := privateMachine(t)
	m.service = "nosuch"
	_, err := m.start(t.Context(), Config{})
	require.ErrorContains(t, err, `unset PGSERVICE ("nosuch")`)
	require.Empty(t, clusters(t, m.temp), "it is not tried")
}

func TestStartNamed(t *testing.T) {
	server, err := sharedServer()
	require.NoError(t, err)
	t.Setenv("OTELAUDIT_POSTGRES_URL", server.URL())

	s, err := Start(t.Context(), Config{})
	require.NoError(t, err)
	require.True(t, s.Named())
	require.Equal(t, server.URL(), s.URL())
	require.ErrorContains(t, s.Restart(t.Context()), "unset it to have a private one")

	url, drop, err := s.CreateDatabase(t.Context())
	require.NoError(t, err)
	require.Equal(t, "C", query(t, connect(t, url), "SELECT datcollate FROM pg_database WHERE datname = current_database()"))
	require.NoError(t, drop(t.Context()))

	require.NoError(t, s.Stop(t.Context()))
	require.Equal(t, "1", query(t, connect(t, server.URL()), "SELECT '1'"), "still there")

	private, err := Start(t.Context(), Config{Private: true})
	require.NoError(t, err)
	require.False(t, private.Named(), "not the one that is named")
	require.NoError(t, private.Stop(t.Context()))
}

func TestStartNamedUnreachable(t *testing.T) {
	t.Parallel()
	m := machine{url: "postgres://postgres@/postgres?host=" + t.TempDir()}
	_, err := m.start(t.Context(), Config{})
	require.ErrorContains(t, err, "connect to the server that OTELAUDIT_POSTGRES_URL names (unset it to have a private one)")
}

func TestStartShowsTheLog(t *testing.T) {
	t.Parallel()
	m := privateMachine(t)
	_, err := m.start(t.Context(), Config{Settings: map[string]string{"shared_buffers": "plenty"}})
	require.ErrorContains(t, err, `FATAL:  configuration file "`)
	require.ErrorContains(t, err, `invalid value for parameter "shared_buffers": "plenty"`)
	require.Empty(t, clusters(t, m.temp))
}

func TestStartShowsWhyThereIsNoLog(t *testing.T) {
	t.Parallel()
	m := privateMachine(t)
	m.temp += "/missing"
	_, err := m.start(t.Context(), Config{})
	require.ErrorContains(t, err, "mkdir: ")
	require.ErrorContains(t, err, "set TMPDIR to a directory in which the user ")
}

func TestStartGivesUp(t *testing.T) {
	t.Parallel()
	m := privateMachine(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // in the middle of initdb
	defer cancel()
	_, err := m.start(ctx, Config{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, clusters(t, m.temp))
}

func TestStop(t *testing.T) {
	t.Parallel()
	m := privateMachine(t)
	s := startPrivate(t, m, Config{})
	pid := postmaster(t, clusters(t, m.temp)[0])
	conn := connect(t, s.URL())

	require.NoError(t, s.Stop(t.Context()))
	require.Empty(t, clusters(t, m.temp))
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	require.Error(t, conn.Ping(t.Context()))

	require.NoError(t, s.Stop(t.Context()), "again")
}

func TestStopLate(t *testing.T) {
	t.Parallel()
	s := startPrivate(t, privateMachine(t), Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Stop(ctx)
	if err != nil { // it takes longer than this, except when it does not
		require.ErrorIs(t, err, context.Canceled)
	}
	require.NoError(t, s.Stop(t.Context()))
}

func TestStopAfterTheEnd(t *testing.T) {
	t.Parallel()
	m := privateMachine(t)
	s := startPrivate(t, m, Config{})
	require.NoError(t, syscall.Kill(postmaster(t, clusters(t, m.temp)[0]), syscall.SIGQUIT))
	<-s.cluster.ended

	err := s.Stop(t.Context())
	require.ErrorContains(t, err, "received immediate shutdown request")
	require.Empty(t, clusters(t, m.temp))
}

func TestRestart(t *testing.T) {
	t.Parallel()
	s := startPrivate(t, privateMachine(t), Config{})
	url, _, err := s.CreateDatabase(t.Context())
	require.NoError(t, err)
	conn := connect(t, url)
	_, err = conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 'yes' AS kept")
	require.NoError(t, err)

	for range 2 {
		require.NoError(t, s.Restart(t.Context()))
		require.Error(t, conn.Ping(t.Context()))
		conn, err = pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		require.Equal(t, "yes", query(t, conn, "SELECT kept FROM kept"))
	}
	require.NoError(t, conn.Close(t.Context()))
	require.NoError(t, s.Stop(t.Context()))
}
