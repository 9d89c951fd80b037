package postgres

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// line is a connection that a test can cut. It stands for everything between a service and its database.
type line struct {
	net.Conn

	// cut is asked with what the service is about to send, and says when the line goes dead.
	cut func(sent []byte) cutting

	mu   sync.Mutex // guards dead
	dead cutting
}

type cutting int

const (
	whole        cutting = iota
	beforeItGoes         // the database does not get it
	beforeAnswer         // the database gets it and answers; the service does not get the answer
	forEver              // the database does not get it, and nobody hangs up
)

var errCut = errors.New("the line is cut")

func (l *line) Write(b []byte) (int, error) {
	l.mu.Lock()
	if l.dead == whole {
		l.dead = l.cut(b)
	}
	c := l.dead
	l.mu.Unlock()
	switch c {
	case beforeItGoes:
		l.Close()
		return 0, errCut
	case forEver:
		if b[0] == 'X' { // pgx gives up, in the background: let the server know
			return l.Conn.Write(b)
		}
		return len(b), nil
	default:
		return l.Conn.Write(b)
	}
}

func (l *line) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead == beforeAnswer {
		l.Close()
		return 0, errCut
	}
	return n, err
}

// behindLine is an Exporter whose connections cut.
func behindLine(tb testing.TB, dsn string, cut func(sent []byte) cutting) *Exporter {
	tb.Helper()
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(tb, err)
	config.ConnConfig.TLSConfig, config.ConnConfig.Fallbacks = nil, nil
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &line{Conn: conn, cut: cut}, nil
	}
	pool, err := pgxpool.NewWithConfig(tb.Context(), config)
	require.NoError(tb, err)
	tb.Cleanup(pool.Close)
	e, err := New(tb.Context(), Config{Pool: pool})
	require.NoError(tb, err)
	return e
}

// once says c to the first message that contains text.
func once(text string, c cutting) func([]byte) cutting { return nth(1, text, c) }

// nth says c to the message number n that contains text.
func nth(n int, text string, c cutting) func([]byte) cutting {
	var mu sync.Mutex
	return func(sent []byte) cutting {
		mu.Lock()
		defer mu.Unlock()
		if !bytes.Contains(sent, []byte(text)) {
			return whole
		}
		if n--; n != 0 {
			return whole
		}
		return c
	}
}

// Wherever the connection is lost, also where nobody knows whether the commit was one, the batch is delivered again and each
// record is one row.
func TestALostConnectionIsARetryAndStillOneRow(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	for _, c := range []struct {
		name string
		text string
		cut  cutting
		rows int // of 30, in the first attempt
	}{
		{"before BEGIN", "BEGIN", beforeItGoes, 0},
		{"within COPY", "PGCOPY", beforeItGoes, 0},
		{"before COMMIT", "COMMIT\x00", beforeItGoes, 0},
		{"after COMMIT", "COMMIT\x00", beforeAnswer, 30},
	} {
		for _, staged := range []bool{false, true} {
			run(t, dsn, "TRUNCATE otelaudit.activity")
			e := behindLine(t, dsn, once(c.text, c.cut))
			rs := typicals(t, 30, time.Now())
			want := c.rows
			if staged { // one is there already; its COMMIT is not the one that is cut
				require.NoError(t, opened(t, dsn).ExportBatch(t.Context(), batch(rs[7])))
				if c.rows == 0 {
					want = 1
				}
			}
			err := e.ExportBatch(t.Context(), batch(rs...))
			require.Error(t, err, c.name)
			require.Equal(t, retry, verdictOf(err), "%s: %v", c.name, err)
			require.Equal(t, c.text == "COMMIT\x00", strings.Contains(err.Error(), "so that it may have"), "%s: %v", c.name, err)
			// The server may still be at it when its client is already gone.
			until(t, dsn, "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()")
			require.Equal(t, want, rows(t, dsn), c.name)

			require.NoError(t, e.ExportBatch(t.Context(), batch(rs...)), "the same batch again")
			require.Equal(t, 30, rows(t, dsn), c.name)
			for _, r := range rs {
				require.Empty(t, difference(r, stored(t, e, r)))
			}
		}
	}
}

// Whatever is lost while bad records are searched for: a batch that is not to be divided, in which each call's records must
// stay together, is there as a whole or not at all.
func TestALostConnectionDividesNoBatch(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	refuse(t, dsn)
	const n = 32
	for number := 1; ; number++ {
		run(t, dsn, "TRUNCATE otelaudit.activity")
		e := behindLine(t, dsn, nth(number, "COMMIT\x00", beforeItGoes))
		rs := approvals(t, n)
		rs[9].Action = "order.ship"
		err := e.ExportBatch(t.Context(), batch(rs...))
		if verdictOf(err) == bad { // it was not cut
			require.Equal(t, []int{9}, badRecords(t, err, nil))
			require.Equal(t, n-1, rows(t, dsn))
			require.Equal(t, 2, number, "there is one COMMIT")
			return
		}
		require.Equal(t, retry, verdictOf(err), "%v", err)
		require.Zero(t, rows(t, dsn), "COMMIT number %d", number)
		require.Equal(t, []int{9}, badRecords(t, e.ExportBatch(t.Context(), batch(rs...)), nil), "the same batch again")
		require.Equal(t, n-1, rows(t, dsn))
	}
}

// A server that has stopped answering holds a batch no longer than its deadline.
func TestADeadLineHonoursTheDeadline(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	for _, text := range []string{"BEGIN", "PGCOPY", "COMMIT\x00"} {
		var dead atomic.Bool
		cut := once(text, forEver)
		e := behindLine(t, dsn, func(sent []byte) cutting {
			c := cut(sent)
			if c == forEver {
				dead.Store(true)
			}
			return c
		})
		r := typical(t, 1, time.Now())
		requireDeadline(t, e, r)
		for !dead.Load() { // a machine that is busy may not come so far in one deadline
			requireDeadline(t, e, r)
		}
		require.NoError(t, e.ExportBatch(t.Context(), batch(r)), "the next attempt has another connection")
	}
}

func requireDeadline(t *testing.T, e *Exporter, r *otelaudit.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	started := time.Now()
	err := e.ExportBatch(ctx, batch(r))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, retry, verdictOf(err))
	require.Less(t, time.Since(started), 5*time.Second)
}

// So does a table that somebody has locked; or the role's own timeout ends it.
func TestALockedTableIsARetry(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	ctx := t.Context()
	locker := connected(t, dsn)
	lock := func() {
		_, err := locker.Exec(ctx, "BEGIN; LOCK TABLE otelaudit.activity")
		require.NoError(t, err)
	}
	unlock := func() {
		_, err := locker.Exec(ctx, "COMMIT")
		require.NoError(t, err)
	}
	lock()
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	err := e.ExportBatch(short, batch(typical(t, 1, time.Now())))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, retry, verdictOf(err))
	unlock()
	require.Zero(t, rows(t, dsn))

	run(t, dsn, "ALTER DATABASE "+scalar[string](t, dsn, "SELECT current_database()")+" SET statement_timeout = '500ms'")
	impatient := opened(t, dsn)
	require.NoError(t, impatient.ExportBatch(ctx, batch()))
	lock()
	err = impatient.ExportBatch(ctx, batch(typical(t, 1, time.Now())))
	require.ErrorContains(t, err, "57014")
	require.Equal(t, retry, verdictOf(err))
	unlock()
}

func TestATerminatedSessionIsARetry(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	locker := connected(t, dsn)
	_, err := locker.Exec(t.Context(), "BEGIN; LOCK TABLE otelaudit.activity")
	require.NoError(t, err)
	exported := make(chan error, 1)
	r := typical(t, 1, time.Now())
	go func() { exported <- e.ExportBatch(t.Context(), batch(r)) }()
	const waiting = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
	until(t, dsn, "SELECT count(*) = 1 "+waiting)
	run(t, dsn, "SELECT pg_terminate_backend(pid) "+waiting)
	err = <-exported
	require.ErrorContains(t, err, "57P01")
	require.Equal(t, retry, verdictOf(err))
	_, err = locker.Exec(t.Context(), "COMMIT")
	require.NoError(t, err)
	require.NoError(t, e.ExportBatch(t.Context(), batch(r)))
	require.Equal(t, 1, rows(t, dsn))
}

// A service starts while its database is down, and delivers once it is up; also after it was down for a while.
func TestAServerThatComesAndGoes(t *testing.T) {
	t.Parallel()
	e, err := Open(t.Context(), "postgres://nobody@/none?host="+t.TempDir())
	require.NoError(t, err, "no server is needed to open")
	r := typical(t, 1, time.Now())
	require.Equal(t, retry, verdictOf(e.ExportBatch(t.Context(), batch(r))))
	require.Error(t, e.Migrate(t.Context()))
	require.NoError(t, e.Shutdown(t.Context()))

	server, err := localpg.Start(t.Context(), localpg.Config{Private: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop(context.Background())) })
	e = migrated(t, server.URL())
	rs := typicals(t, 100, time.Now())
	require.NoError(t, e.ExportBatch(t.Context(), batch(rs[:50]...)))
	require.NoError(t, server.Restart(t.Context()))
	delivered := false
	for range 10 { // each attempt may find a dead connection in the pool
		if err = e.ExportBatch(t.Context(), batch(rs...)); err == nil {
			delivered = true
			break
		}
		require.Equal(t, retry, verdictOf(err), "%v", err)
	}
	require.True(t, delivered, "%v", err)
	require.Equal(t, 100, rows(t, server.URL()))
}

// Stopped by what only a person mends, and going again once somebody has: with the same Exporter.
func TestStopAndRecover(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	e, role := withRole(t, dsn, "deliver")
	for _, c := range []struct{ name, fault, repair, message string }{
		{"privilege", "REVOKE INSERT ON otelaudit.activity FROM " + role, "GRANT INSERT ON otelaudit.activity TO " + role, "grant the privileges"},
		{"schema privilege", "REVOKE USAGE ON SCHEMA otelaudit FROM " + role, "GRANT USAGE ON SCHEMA otelaudit TO " + role, "grant the privileges"},
		{"schema", "ALTER SCHEMA otelaudit RENAME TO away", "ALTER SCHEMA away RENAME TO otelaudit", "run Migrate"},
		{"table", "ALTER TABLE otelaudit.activity RENAME TO away", "ALTER TABLE otelaudit.away RENAME TO activity", "run Migrate"},
		{"column", "ALTER TABLE otelaudit.activity RENAME COLUMN sanitized TO away", "ALTER TABLE otelaudit.activity RENAME COLUMN away TO sanitized", "run Migrate"},
		{
			"a view", "ALTER TABLE otelaudit.activity RENAME TO away; CREATE VIEW otelaudit.activity AS SELECT * FROM otelaudit.away; GRANT ALL ON otelaudit.activity TO " + role,
			"DROP VIEW otelaudit.activity; ALTER TABLE otelaudit.away RENAME TO activity", "compare it with docs/schema.md",
		},
		{"row-level security", "ALTER TABLE otelaudit.activity ENABLE ROW LEVEL SECURITY", "ALTER TABLE otelaudit.activity DISABLE ROW LEVEL SECURITY", "row-level security"},
	} {
		run(t, dsn, c.fault)
		r := typical(t, 1, time.Now())
		err := e.ExportBatch(t.Context(), batch(r))
		probe := e.ExportBatch(t.Context(), batch())
		run(t, dsn, c.repair)
		require.Equal(t, stop, verdictOf(err), "%s: %v", c.name, err)
		require.ErrorContains(t, err, c.message, c.name)
		require.Equal(t, stop, verdictOf(probe), "%s: %v", c.name, probe)
		require.NoError(t, e.ExportBatch(t.Context(), batch()), "%s: the probe after it was mended", c.name)
		require.NoError(t, e.ExportBatch(t.Context(), batch(r)), c.name)
	}
}

// A value of the DSN that the database refuses is no bad record.
func TestARefusedSettingStops(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	config.ConnConfig.RuntimeParams["timezone"] = "Nowhere/Nothing"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	e, err := New(t.Context(), Config{Pool: pool})
	require.NoError(t, err)
	err = e.ExportBatch(t.Context(), batch(typical(t, 1, time.Now())))
	require.ErrorContains(t, err, "22023")
	require.Equal(t, stop, verdictOf(err))
}

// A server that shows a certificate which nobody vouches for is a fault of the configuration, or worse.
func TestAnUntrustedCertificateStops(t *testing.T) {
	t.Parallel()
	https := httptest.NewUnstartedServer(nil)
	https.StartTLS() // for its certificate
	certificate := https.TLS.Certificates[0]
	https.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, 8)) // SSLRequest
			_, _ = conn.Write([]byte("S"))
			_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}).HandshakeContext(t.Context())
			conn.Close()
		}
	})
	t.Cleanup(func() { listener.Close(); wg.Wait() })
	e := opened(t, "postgres://u@"+listener.Addr().String()+"/d?sslmode=verify-full")
	err = e.ExportBatch(t.Context(), batch())
	require.Equal(t, stop, verdictOf(err), "%v", err)
	require.ErrorContains(t, err, "check sslrootcert")
}
