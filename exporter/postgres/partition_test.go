package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// partitions lists the table's partitions with their bounds, as a session in UTC sees them.
func partitions(tb testing.TB, dsn string) []string {
	tb.Helper()
	conn := connected(tb, dsn)
	_, err := conn.Exec(tb.Context(), "SET timezone = 'UTC'")
	require.NoError(tb, err)
	found, err := conn.Query(tb.Context(), `SELECT c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
		WHERE inhparent = 'otelaudit.activity'::regclass ORDER BY 1`)
	require.NoError(tb, err)
	names, err := pgx.CollectRows(found, pgx.RowTo[string])
	require.NoError(tb, err)
	return names
}

func bounds(month string) string {
	from, err := time.Parse("2006-01", month)
	if err != nil {
		panic(err)
	}
	const layout = "2006-01-02 15:04:05+00"
	return fmt.Sprintf("activity_%s FOR VALUES FROM ('%s') TO ('%s')", from.Format("2006_01"), from.Format(layout), from.AddDate(0, 1, 0).Format(layout))
}

// at is a record of that time.
func at(tb testing.TB, rfc3339 string) *otelaudit.Record {
	tb.Helper()
	when, err := time.Parse(time.RFC3339Nano, rfc3339)
	require.NoError(tb, err)
	return typical(tb, 1, when)
}

func clockAt(tb testing.TB, dsn, rfc3339 string) *Exporter {
	tb.Helper()
	now, err := time.Parse(time.RFC3339, rfc3339)
	require.NoError(tb, err)
	e := opened(tb, dsn)
	e.ahead.now = func() time.Time { return now }
	return e
}

// A batch of several months makes the partitions of all of them, whatever the session's time zone is.
func TestPartitionsAreMadeOnDemand(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"UTC", "America/New_York", "Pacific/Auckland"} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			dsn := localpg.Database(t)
			run(t, dsn, "ALTER DATABASE "+scalar[string](t, dsn, "SELECT current_database()")+" SET timezone = '"+zone+"'")
			e := clockAt(t, dsn, "2026-02-10T12:00:00Z")
			require.NoError(t, e.Migrate(t.Context()))
			require.Equal(t, zone, scalar[string](t, dsn, "SELECT current_setting('timezone')"))
			records := []*otelaudit.Record{
				at(t, "2025-12-31T23:59:59.999999Z"),
				at(t, "2026-01-01T00:00:00Z"),
				at(t, "2026-01-31T23:59:59.999999Z"),
				at(t, "2024-02-29T13:00:00+14:00"), // 28 February in UTC
				at(t, "1970-01-01T00:00:00Z"),
				at(t, "2025-12-01T00:00:00Z"),
			}
			require.NoError(t, e.ExportBatch(t.Context(), batch(records...)))
			require.Equal(t, []string{
				bounds("1970-01"), bounds("2024-02"), bounds("2025-12"), bounds("2026-01"), bounds("2026-02"), bounds("2026-03"),
			}, partitions(t, dsn))
			for _, r := range records {
				require.Empty(t, difference(r, stored(t, e, r)))
			}
		})
	}
}

// Also where some of the batch is there already.
func TestPartitionsAreMadeForAStagedBatch(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	first, second := typical(t, 1, time.Now()), at(t, "2001-01-01T00:00:00Z")
	require.NoError(t, e.ExportBatch(t.Context(), batch(first)))
	require.NoError(t, e.ExportBatch(t.Context(), batch(first, second)))
	require.Equal(t, 2, rows(t, dsn))
}

func TestPartitionsOfTheFirstAndLastYears(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	day := func(year int) time.Time { return time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC) }
	require.NoError(t, e.MakePartitions(t.Context(), day(9999), day(9999)))
	require.NoError(t, e.MakePartitions(t.Context(), day(1970), day(1970)))
	require.Contains(t, partitions(t, dsn), "activity_9999_12 FOR VALUES FROM ('9999-12-01 00:00:00+00') TO ('10000-01-01 00:00:00+00')")
	require.ErrorContains(t, e.MakePartitions(t.Context(), day(1969), day(1969)), "want a day from 1970 to 9999")
	require.ErrorContains(t, e.MakePartitions(t.Context(), day(10000), day(10000)), "want a day from 1970 to 9999")
}

func TestMakePartitions(t *testing.T) {
	t.Parallel()
	dsn := localpg.Database(t)
	e := clockAt(t, dsn, "2026-06-15T00:00:00Z")
	require.NoError(t, e.Migrate(t.Context()))
	require.Equal(t, []string{bounds("2026-06"), bounds("2026-07")}, partitions(t, dsn), "this month's and the next")
	from := time.Date(2026, 5, 31, 23, 0, 0, 0, time.FixedZone("", -2*3600)) // June in UTC
	require.NoError(t, e.MakePartitions(t.Context(), from, from.AddDate(0, 3, 0)))
	require.Equal(t, []string{bounds("2026-06"), bounds("2026-07"), bounds("2026-08"), bounds("2026-09")}, partitions(t, dsn))
	require.ErrorContains(t, e.MakePartitions(t.Context(), from, from.AddDate(0, 0, -1)), "is before from")
	require.ErrorContains(t, e.MakePartitions(t.Context(), from, from.AddDate(101, 0, 0)), "more than 1200 months")
}

// Those who read and write for a long time do not hold up the making of a partition, and it does not hold up them.
func TestMakingAPartitionWaitsForNobody(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	ctx := t.Context()
	old := typical(t, 1, time.Now())
	require.NoError(t, e.ExportBatch(ctx, batch(old)))
	reader, err := connected(t, dsn).BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	require.NoError(t, err)
	var n int
	require.NoError(t, reader.QueryRow(ctx, "SELECT count(*) FROM otelaudit.activity").Scan(&n))
	writer, err := connected(t, dsn).Begin(ctx)
	require.NoError(t, err)
	const insert = "INSERT INTO otelaudit.activity (time, id, observed_time, schema_version, action, actor_type, actor_id, outcome) VALUES (now(), gen_random_uuid(), now(), 1, 'x', 'user', 'x', 'success')"
	_, err = writer.Exec(ctx, insert)
	require.NoError(t, err)

	require.NoError(t, e.ExportBatch(ctx, batch(at(t, "2020-01-01T00:00:00Z"))))

	require.NoError(t, reader.QueryRow(ctx, "SELECT count(*) FROM otelaudit.activity").Scan(&n))
	require.Equal(t, 1, n)
	_, err = writer.Exec(ctx, insert)
	require.NoError(t, err)
	require.NoError(t, writer.Commit(ctx))
	require.NoError(t, reader.Commit(ctx))
	require.Equal(t, 4, rows(t, dsn))
}

// Many that find the same and other partitions missing at once do not collide.
func TestConcurrentMakersDoNotCollide(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		var rs []*otelaudit.Record
		for month := range 6 {
			rs = append(rs, typical(t, i, time.Date(2020, time.Month(1+(i+month)%7), 1+i, 0, 0, 0, 0, time.UTC)))
		}
		if i%2 == 0 {
			slices.Reverse(rs)
		}
		other := opened(t, dsn)
		wg.Go(func() { errs[i] = other.ExportBatch(t.Context(), batch(rs...)) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, 48, rows(t, dsn))
	require.NoError(t, e.ExportBatch(t.Context(), batch(at(t, "2020-01-01T00:00:00Z"))))
}

// Somebody who locks the table against it makes the making fail in time, to be tried again: the batch is not lost, nor bad.
func TestAPartitionThatCannotBeMadeNowIsARetry(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	ctx := t.Context()
	blocker, err := connected(t, dsn).Begin(ctx)
	require.NoError(t, err)
	_, err = blocker.Exec(ctx, "LOCK TABLE otelaudit.activity IN SHARE UPDATE EXCLUSIVE MODE")
	require.NoError(t, err)
	r := at(t, "2020-01-01T00:00:00Z")
	err = e.ExportBatch(ctx, batch(r))
	require.Equal(t, retry, verdictOf(err), "%v", err)
	require.ErrorContains(t, err, "lock timeout")
	require.NoError(t, blocker.Rollback(ctx))
	require.NoError(t, e.ExportBatch(ctx, batch(r)))
}

// A partition that was detached to be archived is not quietly made again under the archive's feet.
func TestADetachedPartitionStops(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	r := at(t, "2020-01-01T00:00:00Z")
	require.NoError(t, e.ExportBatch(t.Context(), batch(r)))
	run(t, dsn, "ALTER TABLE otelaudit.activity DETACH PARTITION otelaudit.activity_2020_01")
	err := e.ExportBatch(t.Context(), batch(r))
	require.Equal(t, stop, verdictOf(err), "%v", err)
	require.ErrorContains(t, err, "otelaudit.activity_2020_01 is there, but is no partition")
	run(t, dsn, "CREATE SCHEMA archive; ALTER TABLE otelaudit.activity_2020_01 SET SCHEMA archive")
	require.NoError(t, e.ExportBatch(t.Context(), batch(r)))
	require.Equal(t, 1, rows(t, dsn))
}

// verdictOf is what the trail makes of an error of ExportBatch.
func verdictOf(err error) verdict {
	if _, ok := errors.AsType[*trail.StopError](err); ok {
		return stop
	}
	if _, ok := errors.AsType[*trail.BadRecordsError](err); ok {
		return bad
	}
	return retry
}

// The next month's partition is made by the first batch within its last week before, and by one only.
func TestPartitionsAreMadeAhead(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	e := clockAt(t, dsn, "2030-03-24T23:59:59Z")
	now := e.ahead.now()
	e.ahead.now = func() time.Time { return now }
	r := typical(t, 1, time.Now())
	deliver := func(rs ...*otelaudit.Record) {
		require.NoError(t, e.ExportBatch(t.Context(), batch(rs...)))
		e.ahead.making.Wait()
	}
	deliver(r)
	require.Contains(t, partitions(t, dsn), bounds("2030-03"), "a process that has just started knows of none")
	require.NotContains(t, partitions(t, dsn), bounds("2030-04"))

	now = now.Add(2 * time.Second)
	deliver()
	require.NotContains(t, partitions(t, dsn), bounds("2030-04"), "nothing was stored")
	deliver(typical(t, 1, time.Now()))
	require.Contains(t, partitions(t, dsn), bounds("2030-04"))

	run(t, dsn, "DROP TABLE otelaudit.activity_2030_04")
	deliver(typical(t, 1, time.Now()))
	require.NotContains(t, partitions(t, dsn), bounds("2030-04"), "it does not ask again")
}

// A failure to make one ahead is nothing to the batch; it is reported, and tried again an hour later.
func TestAFailureAheadDoesNotFailTheBatch(t *testing.T) { //nolint:paralleltest // it listens to OpenTelemetry's global error handler
	reported := make(chan error, 10)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { reported <- err }))
	t.Cleanup(func() { otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) })
	_, dsn := freshDatabase(t)
	run(t, dsn, "ALTER FUNCTION otelaudit.ensure_partitions(date[]) RENAME TO gone")
	e := clockAt(t, dsn, "2030-03-24T00:00:00Z")
	now := e.ahead.now()
	e.ahead.now = func() time.Time { return now }
	for range 3 {
		require.NoError(t, e.ExportBatch(t.Context(), batch(typical(t, 1, time.Now()))))
	}
	err := <-reported
	require.ErrorContains(t, err, "ahead of time")
	require.Empty(t, reported)

	now = now.Add(time.Hour)
	require.NoError(t, e.ExportBatch(t.Context(), batch(typical(t, 1, time.Now()))))
	require.ErrorContains(t, <-reported, "ahead of time")
	run(t, dsn, "ALTER FUNCTION otelaudit.gone(date[]) RENAME TO ensure_partitions")
	now = now.Add(time.Hour)
	require.NoError(t, e.ExportBatch(t.Context(), batch(typical(t, 1, time.Now()))))
	e.ahead.making.Wait()
	require.Contains(t, partitions(t, dsn), bounds("2030-03"))
	require.Empty(t, reported)
}

// A role that may not make partitions, for which they were made years ahead, is not told so every hour.
func TestAPartitionThatIsThereNeedsNoPrivilegeAhead(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	e := clockAt(t, dsn, "2030-03-24T00:00:00Z")
	require.NoError(t, e.MakePartitions(t.Context(), e.ahead.now(), e.ahead.now()))
	run(t, dsn, "ALTER FUNCTION otelaudit.ensure_partitions(date[]) RENAME TO gone")
	require.NoError(t, e.ExportBatch(t.Context(), batch(typical(t, 1, time.Now()))))
	e.ahead.making.Wait()
	_, due := e.ahead.due()
	require.False(t, due, "it is known")
}

// Making one ahead may have to wait, and the batch that is stored does not.
func TestABatchDoesNotWaitForThePartitionAhead(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	e := clockAt(t, dsn, "2030-03-24T00:00:00Z")
	holder := connected(t, dsn)
	_, err := holder.Exec(t.Context(), "BEGIN; LOCK TABLE otelaudit.activity IN SHARE UPDATE EXCLUSIVE MODE")
	require.NoError(t, err)
	require.NoError(t, e.ExportBatch(t.Context(), batch(typical(t, 1, time.Now()))))
	require.NotContains(t, partitions(t, dsn), bounds("2030-03"), "it is still waiting")
	_, err = holder.Exec(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	e.ahead.making.Wait()
	require.Contains(t, partitions(t, dsn), bounds("2030-03"))
}

// Of many months, what was made stays made when one cannot be: an import that is cut off begins where it ended.
func TestPartitionsAreMadeOneByOne(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	var rs []*otelaudit.Record
	for m := range 24 {
		rs = append(rs, at(t, time.Date(1980, time.Month(1+m), 1, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)))
	}
	run(t, dsn, "CREATE TABLE otelaudit.activity_1981_12 ()")
	require.ErrorContains(t, e.ExportBatch(t.Context(), batch(rs...)), "make the partition of 1981-12")
	require.Contains(t, partitions(t, dsn), bounds("1981-11"))
	require.Zero(t, rows(t, dsn))
	run(t, dsn, "DROP TABLE otelaudit.activity_1981_12")
	require.NoError(t, e.ExportBatch(t.Context(), batch(rs...)))
	require.Equal(t, 24, rows(t, dsn))
}

// The partitions have what the table has: keys, indexes, checks and defaults.
func TestPartitionsAreLikeTheTable(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	require.NoError(t, e.ExportBatch(t.Context(), batch(at(t, "2020-01-01T00:00:00Z"))))
	shape := func(table string) string {
		const sql = `SELECT
			(SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull || ' ' || attcollation || ' ' || coalesce(pg_get_expr(adbin, adrelid), ''), E'\n' ORDER BY attnum)
			 FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = c.oid AND attnum > 0) || E'\n' ||
			(SELECT string_agg(pg_get_constraintdef(oid), E'\n' ORDER BY pg_get_constraintdef(oid)) FROM pg_constraint WHERE conrelid = c.oid) || E'\n' ||
			(SELECT string_agg(regexp_replace(pg_get_indexdef(indexrelid), ' INDEX .* USING', ' USING'), E'\n' ORDER BY regexp_replace(pg_get_indexdef(indexrelid), ' INDEX .* USING', ' USING')) FROM pg_index WHERE indrelid = c.oid)
			FROM pg_class c WHERE c.oid = $1::text::regclass`
		return scalar[string](t, dsn, sql, table)
	}
	parent := shape("otelaudit.activity")
	require.Equal(t, parent, shape("otelaudit.activity_2020_01"))
	require.Equal(t, 8, strings.Count(parent, " USING "), "the primary key and seven indexes")
}
