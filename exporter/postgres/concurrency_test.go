package postgres

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Two exporters deliver the same batch at once, in whatever order: one row each, and both are told so.
func TestTheSameBatchAtOnce(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	other := opened(t, dsn)
	for round := range 20 {
		rs := typicals(t, 300, time.Now())
		shuffled := slices.Clone(rs)
		if round%2 == 1 {
			rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		}
		var wg sync.WaitGroup
		var first, second error
		wg.Go(func() { first = e.ExportBatch(t.Context(), batch(rs...)) })
		wg.Go(func() { second = other.ExportBatch(t.Context(), batch(shuffled...)) })
		wg.Wait()
		require.NoError(t, errors.Join(first, second))
		require.Equal(t, (round+1)*300, rows(t, dsn))
	}
}

// A staged batch waits for a transaction that has just inserted one of its rows, and sees it once that has committed.
func TestAStagedBatchSeesWhatItWaitedFor(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	ctx := t.Context()
	there := typical(t, 1, time.Now())
	require.NoError(t, e.ExportBatch(ctx, batch(there)))
	for _, c := range []struct {
		name   string
		commit bool
		change func(*otelaudit.Record)
		want   verdict
	}{
		{"the same activity", true, func(*otelaudit.Record) {}, retry}, // verdictOf(nil)
		{"another activity", true, func(r *otelaudit.Record) { r.Reason = "other" }, bad},
		{"rolled back", false, func(r *otelaudit.Record) { r.Reason = "other" }, retry},
	} {
		r := typical(t, 2, time.Now())
		inserted := altered(r, c.change)
		conn := connected(t, dsn)
		tx, err := conn.Begin(ctx)
		require.NoError(t, err)
		var enc encoder
		require.NoError(t, enc.add(inserted))
		_, err = conn.PgConn().CopyFrom(ctx, enc.stream([]int{0}), copySQL)
		require.NoError(t, err)

		exported := make(chan error, 1)
		go func() { exported <- e.ExportBatch(ctx, batch(there, r)) }() // there makes it staged
		until(t, dsn, "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'transactionid' AND query LIKE 'WITH inserted%'")
		if c.commit {
			require.NoError(t, tx.Commit(ctx))
		} else {
			require.NoError(t, tx.Rollback(ctx))
		}
		err = <-exported
		require.Equal(t, c.want, verdictOf(err), c.name)
		if c.want == bad {
			require.Equal(t, []int{1}, badRecords(t, err, ErrConflict), c.name)
			require.Empty(t, difference(inserted, stored(t, e, r)), c.name)
		} else {
			require.NoError(t, err, c.name)
			require.Empty(t, difference(r, stored(t, e, r)), c.name)
		}
	}
}

// Rows that were there when we inserted and are gone when we compare are not called stored.
func TestRowsThatVanishAreARetry(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	r := typical(t, 1, time.Now())
	require.NoError(t, e.ExportBatch(t.Context(), batch(r)))
	// A trigger that swallows rows leaves them in the stage, as a concurrent DELETE does.
	run(t, dsn, `
		CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
		CREATE TRIGGER swallow BEFORE INSERT ON otelaudit.activity FOR EACH ROW WHEN (new.action = 'vanish') EXECUTE FUNCTION swallow()`)
	gone := altered(typical(t, 2, time.Now()), func(r *otelaudit.Record) { r.Action = "vanish" })
	err := e.ExportBatch(t.Context(), batch(r, gone))
	require.Equal(t, retry, verdictOf(err))
	require.ErrorIs(t, err, errVanished)
}

// Many goroutines on one Exporter.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		rs := typicals(t, 20, time.Now())
		wg.Go(func() {
			for _, r := range rs {
				errs[i] = errors.Join(errs[i], e.ExportBatch(t.Context(), batch(r)))
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, 320, rows(t, dsn))
}

// A look-up of a staged batch's keys uses the primary key, however little Postgres knows of the stage.
func TestAStagedBatchIsLookedUpByKey(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	for range 4 {
		require.NoError(t, e.ExportBatch(t.Context(), batch(typicals(t, 2000, time.Now())...)))
	}
	conn := connected(t, dsn)
	_, err := conn.Exec(t.Context(), "ANALYZE otelaudit.activity")
	require.NoError(t, err)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(t.Context())
	_, err = tx.Exec(t.Context(), createStageSQL)
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "INSERT INTO pg_temp.otelaudit_stage SELECT "+columns+" FROM otelaudit.activity LIMIT 2000")
	require.NoError(t, err)
	plan, err := tx.Query(t.Context(), "EXPLAIN "+readStagedSQL)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(plan, pgx.RowTo[string])
	require.NoError(t, err)
	partition := "activity_" + time.Now().UTC().Format("2006_01")
	require.Contains(t, join(lines), partition+"_pkey on "+partition)
	require.NotContains(t, join(lines), "Seq Scan on "+partition)
}
