package postgres

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// pooled is an Exporter over a pool of at most maxConns connections. dial is asked before each is made, with its number.
func pooled(t *testing.T, dsn string, maxConns int32, dial func(number int64) error) (*Exporter, *pgxpool.Pool) {
	t.Helper()
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	config.MaxConns = maxConns
	var dials atomic.Int64
	connect := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if err := dial(dials.Add(1)); err != nil {
			return nil, err
		}
		return connect(ctx, network, addr)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	e, err := New(t.Context(), Config{Pool: pool})
	require.NoError(t, err)
	e.ahead.made(time.Now().AddDate(1, 0, 0)) // which would need a connection, too
	require.NoError(t, e.ExportBatch(t.Context(), batch()), "it has its first connection")
	return e, pool
}

func always(int64) error { return nil }

func TestADivisibleBatchMakesDoWithOneConnection(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	rs := typicals(t, divideFrom, time.Now())
	store := func(e *Exporter, message string, want int) {
		t.Helper()
		run(t, dsn, "TRUNCATE otelaudit.activity")
		require.NoError(t, e.ExportBatch(t.Context(), divisible(rs...)), message)
		require.Equal(t, divideFrom, rows(t, dsn), message)
		require.Equal(t, want, transactions(t, dsn), message)
	}

	e, _ := pooled(t, dsn, 1, always)
	store(e, "the pool has one", 1)

	e, pool := pooled(t, dsn, 2, always)
	held, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	store(e, "the other is in use", 1)
	held.Release()
	store(e, "it is idle", 2)

	hung := make(chan struct{})
	defer close(hung)
	e, _ = pooled(t, dsn, 2, func(number int64) error {
		if number == 2 {
			<-hung
		}
		return nil
	})
	store(e, "it is not made in time", 2)
	store(e, "it is still being made", 1)
}

// What refuses a second connection is not asked for one with every batch.
func TestASecondConnectionThatIsRefused(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	refused := make(chan struct{}, 100)
	e, _ := pooled(t, dsn, 4, func(number int64) error {
		if number == 1 {
			return nil
		}
		refused <- struct{}{}
		return errors.New("too many connections")
	})
	noted := func() bool { return e.aloneUntil.Load() != nil }
	for batches := 0; !noted(); batches++ { // the first may be done before it is refused
		require.Less(t, batches, 100)
		require.NoError(t, e.ExportBatch(t.Context(), divisible(typicals(t, divideFrom, time.Now())...)))
	}
	asked := len(refused)
	require.Positive(t, asked)
	run(t, dsn, "TRUNCATE otelaudit.activity")
	require.NoError(t, e.ExportBatch(t.Context(), divisible(typicals(t, divideFrom, time.Now())...)))
	require.Len(t, refused, asked)
	require.Equal(t, 1, transactions(t, dsn))
}

// The fault of one share is the batch's, and only if nothing is stored does the batch stop the sink.
func TestAShareThatStops(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	run(t, dsn, `
		CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF new.action = ''vanish'' THEN RETURN NULL; END IF; RETURN new; END';
		CREATE TRIGGER swallow BEFORE INSERT ON otelaudit.activity FOR EACH ROW EXECUTE FUNCTION swallow()`)
	rs := approvals(t, divideFrom)
	first, second := inShare(0, rs), inShare(1, rs)
	rs[second[5]].Action = "vanish"
	rs[first[7]].Reason = "a\x00b" // a bad record must not hide it

	err := e.ExportBatch(t.Context(), divisible(rs...))
	require.ErrorContains(t, err, "a trigger dropped 1 of")
	require.Equal(t, retry, verdictOf(err), "the first share is stored")
	require.Equal(t, len(first)-1, rows(t, dsn))

	err = e.ExportBatch(t.Context(), divisible(rs...))
	require.ErrorContains(t, err, "a trigger dropped 1 of")
	require.Equal(t, stop, verdictOf(err), "it was there: nothing is stored this time")

	run(t, dsn, "DROP TRIGGER swallow ON otelaudit.activity")
	require.Equal(t, []int{first[7]}, badRecords(t, e.ExportBatch(t.Context(), divisible(rs...)), nil))
	require.Equal(t, divideFrom-1, rows(t, dsn))

	run(t, dsn, "ALTER TABLE otelaudit.activity RENAME TO away")
	err = e.ExportBatch(t.Context(), divisible(typicals(t, divideFrom, time.Now())...))
	require.Equal(t, stop, verdictOf(err), "both stop")
}

// A lost connection costs the whole batch its confirmation, whatever became of the other share.
func TestADividedBatchLosesAConnection(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	refuse(t, dsn)
	for _, c := range []struct {
		text string
		cut  cutting
	}{{"BEGIN", beforeItGoes}, {"PGCOPY", beforeItGoes}, {"COMMIT\x00", beforeItGoes}, {"COMMIT\x00", beforeAnswer}} {
		run(t, dsn, "TRUNCATE otelaudit.activity")
		e := behindLine(t, dsn, once(c.text, c.cut))
		rs := approvals(t, divideFrom)
		want := []int{inShare(0, rs)[3], inShare(1, rs)[3]}
		if want[0] > want[1] {
			want[0], want[1] = want[1], want[0]
		}
		for _, i := range want {
			rs[i].Action = "order.ship"
		}
		err := e.ExportBatch(t.Context(), divisible(rs...))
		require.Error(t, err, c.text)
		require.Equal(t, retry, verdictOf(err), "%s: %v", c.text, err)
		require.Equal(t, want, badRecords(t, e.ExportBatch(t.Context(), divisible(rs...)), nil), c.text)
		require.Equal(t, divideFrom-2, rows(t, dsn), c.text)
	}
}

func TestADividedBatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	locker := connected(t, dsn)
	_, err := locker.Exec(t.Context(), "BEGIN; LOCK TABLE otelaudit.activity")
	require.NoError(t, err)
	rs := typicals(t, divideFrom, time.Now())
	ctx, cancel := context.WithCancel(t.Context())
	exported := make(chan error, 1)
	go func() { exported <- e.ExportBatch(ctx, divisible(rs...)) }()
	until(t, dsn, "SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%COPY%'")
	cancel()
	err = <-exported
	require.Error(t, err)
	require.Equal(t, retry, verdictOf(err))
	_, err = locker.Exec(t.Context(), "COMMIT")
	require.NoError(t, err)
	require.NoError(t, e.ExportBatch(t.Context(), divisible(rs...)))
	require.Equal(t, divideFrom, rows(t, dsn))
	require.Eventually(t, func() bool { return e.pool.Stat().AcquiredConns() == 0 }, 20*time.Second, time.Millisecond)
}

// A panic reaches the caller, whose own it is to recover, from whichever goroutine it comes; and no connection is lost.
func TestAPanicOverADividedBatch(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	rs := typicals(t, divideFrom, time.Now())
	good := rs[9]
	rs[9] = nil
	require.Panics(t, func() { _ = e.ExportBatch(t.Context(), divisible(rs...)) })
	require.Zero(t, e.pool.Stat().AcquiredConns())
	rs[9] = good
	require.NoError(t, e.ExportBatch(t.Context(), divisible(rs...)))
	require.Equal(t, divideFrom, rows(t, dsn))

	err := e.withConn(t.Context(), func(first *pgconn.PgConn) error {
		panicking := make(chan struct{})
		defer func() { require.ErrorContains(t, errors.New(recover().(string)), "in the second\n\n") }()
		e.onTwo(t.Context(), first, func(_ context.Context, conn *pgconn.PgConn) {
			if conn == first {
				<-panicking
				return
			}
			defer close(panicking)
			panic("in the second")
		})
		return nil
	})
	require.NoError(t, err)
	require.Zero(t, e.pool.Stat().AcquiredConns())
}
