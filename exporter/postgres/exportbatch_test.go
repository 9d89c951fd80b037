package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// altered is a copy of r under the same key, changed.
func altered(r *otelaudit.Record, change func(*otelaudit.Record)) *otelaudit.Record {
	c := r.Clone()
	change(c)
	return c
}

// badRecords returns the indexes of a BadRecordsError, and fails where one's reason is not reason.
func badRecords(tb testing.TB, err, reason error) []int {
	tb.Helper()
	var e *trail.BadRecordsError
	require.ErrorAs(tb, err, &e)
	var indexes []int
	for _, r := range e.Records {
		if reason != nil {
			require.ErrorIs(tb, r.Reason, reason)
		}
		indexes = append(indexes, r.Index)
	}
	return indexes
}

func TestRedeliveryIsOneRow(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	rs := typicals(t, 50, time.Now())
	require.NoError(t, e.ExportBatch(t.Context(), batch(rs...)))
	require.NoError(t, e.ExportBatch(t.Context(), batch(rs...)), "all of it again")
	require.Equal(t, 50, rows(t, dsn))
	more := append(typicals(t, 50, time.Now()), rs[20:30]...)
	require.NoError(t, e.ExportBatch(t.Context(), batch(more...)), "some of it again")
	require.Equal(t, 100, rows(t, dsn))
	for _, r := range append(rs, more...) {
		require.Empty(t, difference(r, stored(t, e, r)))
	}
}

// What may differ when an activity is tracked again, does.
func TestTheSameActivityTrackedAgainIsASuccess(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	r := typical(t, 1, time.Now())
	again := altered(r, func(r *otelaudit.Record) {
		r.Observed = r.Observed.Add(time.Hour)
		r.Request, r.Resource, r.Operation = otelaudit.Request{Path: "/other"}, attribute.NewSet(), "other"
		r.TraceID, r.SpanID, r.TraceFlags = [16]byte{1}, [8]byte{1}, 0
	})
	require.NoError(t, e.ExportBatch(t.Context(), batch(r)))
	require.NoError(t, e.ExportBatch(t.Context(), batch(again)))
	require.Equal(t, 1, rows(t, dsn))
	require.Empty(t, difference(r, stored(t, e, r)), "the first stays")
}

func TestAnotherActivityUnderTheSameKeyIsAConflict(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	for name, change := range map[string]func(*otelaudit.Record){
		"action":   func(r *otelaudit.Record) { r.Action = "invoice.reject" },
		"actor":    func(r *otelaudit.Record) { r.Actor.ID = "somebody else" },
		"chain":    func(r *otelaudit.Record) { r.Actor = r.Actor.For(otelaudit.User("somebody")) },
		"target":   func(r *otelaudit.Record) { r.Target.ID = "43" },
		"related":  func(r *otelaudit.Record) { r.Related = []otelaudit.Target{{Type: "x", ID: "1"}} },
		"outcome":  func(r *otelaudit.Record) { r.Outcome = otelaudit.Denied },
		"reason":   func(r *otelaudit.Record) { r.Reason = "because" },
		"tenant":   func(r *otelaudit.Record) { r.Tenant = "other" },
		"changes":  func(r *otelaudit.Record) { r.Changes[0].New = attribute.StringValue("rejected") },
		"metadata": func(r *otelaudit.Record) { r.Metadata[0].Value = attribute.Float64Value(100) }, // was the integer 100
	} {
		r := typical(t, 1, time.Now())
		require.NoError(t, e.ExportBatch(t.Context(), batch(r)))
		before, after := typical(t, 2, time.Now()), typical(t, 3, time.Now())
		count := rows(t, dsn)
		err := e.ExportBatch(t.Context(), batch(before, altered(r, change), after))
		require.Equal(t, []int{1}, badRecords(t, err, ErrConflict), name)
		require.Equal(t, count+2, rows(t, dsn), "the others are stored")
		require.Empty(t, difference(r, stored(t, e, r)), "the row stays as it is")
	}
}

// Conflicts are the records' fault, however many: they do not stop the sink.
func TestConflictsThroughoutAreBadRecords(t *testing.T) {
	t.Parallel()
	e, _ := freshDatabase(t)
	rs := typicals(t, 3, time.Now())
	require.NoError(t, e.ExportBatch(t.Context(), batch(rs...)))
	for i := range rs {
		rs[i] = altered(rs[i], func(r *otelaudit.Record) { r.Reason = "other" })
	}
	require.Equal(t, []int{0, 1, 2}, badRecords(t, e.ExportBatch(t.Context(), batch(rs...)), ErrConflict))
}

func TestTheSameKeyTwiceInOneBatch(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	r := typical(t, 1, time.Now())
	other := altered(r, func(r *otelaudit.Record) { r.Reason = "other" })

	require.NoError(t, e.ExportBatch(t.Context(), batch(r, typical(t, 2, time.Now()), r.Clone())), "the same activity")
	require.Equal(t, 2, rows(t, dsn))

	s := typical(t, 3, time.Now())
	otherS := altered(s, func(r *otelaudit.Record) { r.Reason = "other" })
	err := e.ExportBatch(t.Context(), batch(s, otherS, s.Clone()))
	require.Equal(t, []int{1}, badRecords(t, err, ErrConflict), "another: the first stands")
	require.Empty(t, difference(s, stored(t, e, s)))

	// What is in the table decides, not what comes first.
	err = e.ExportBatch(t.Context(), batch(other, r, typical(t, 4, time.Now())))
	require.Equal(t, []int{0}, badRecords(t, err, ErrConflict))
	require.Empty(t, difference(r, stored(t, e, r)))
	require.Equal(t, 4, rows(t, dsn))
}

// (time, id) is the key: the same id at another time is another record.
func TestTheSameIDAtAnotherTimeIsAnotherRecord(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	r := typical(t, 1, time.Now())
	later := altered(r, func(r *otelaudit.Record) { r.Time = r.Time.Add(time.Microsecond) })
	require.NoError(t, e.ExportBatch(t.Context(), batch(r, later)))
	require.Equal(t, 2, rows(t, dsn))
}

func TestBadRecordsAreFound(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	run(t, dsn, "ALTER TABLE otelaudit.activity ADD CONSTRAINT no_shipping CHECK (action <> 'order.ship') NOT VALID")
	nul := func(r *otelaudit.Record) { r.Reason = "a\x00b" }
	nulInJSON := func(r *otelaudit.Record) { r.Metadata[0].Value = attribute.StringValue("a\x00b") }
	tooLarge := func(r *otelaudit.Record) { r.Target.ID = noise(9000) }
	noOutcome := func(r *otelaudit.Record) { r.Outcome = "" }
	unknownOutcome := func(r *otelaudit.Record) { r.Outcome = "splendid" }
	refused := func(r *otelaudit.Record) { r.Action = "order.ship" }
	notStorable := func(r *otelaudit.Record) { r.Time = r.Time.Add(1) }
	lateYear := func(r *otelaudit.Record) { r.Observed = time.Date(294277, 1, 1, 0, 0, 0, 0, time.UTC) }

	rs := typicals(t, 64, time.Now())
	var good []*otelaudit.Record
	var want []int
	spoil := map[int]func(*otelaudit.Record){0: nul, 7: nulInJSON, 8: tooLarge, 31: noOutcome, 32: unknownOutcome, 40: refused, 50: notStorable, 63: lateYear}
	for i, r := range rs {
		r.Action = "invoice.approve"
		if f := spoil[i]; f != nil {
			f(r)
			want = append(want, i)
		} else {
			good = append(good, r)
		}
	}
	for range 2 { // also when what is good is there already
		err := e.ExportBatch(t.Context(), batch(rs...))
		require.ElementsMatch(t, want, badRecords(t, err, nil))
		require.Equal(t, len(good), rows(t, dsn))
	}
	for _, r := range good {
		require.Empty(t, difference(r, stored(t, e, r)))
	}
	require.Equal(t, []int{0}, badRecords(t, e.ExportBatch(t.Context(), batch(rs[0])), nil), "alone")
	require.Equal(t, []int{0}, badRecords(t, e.ExportBatch(t.Context(), batch(rs[50])), ErrNotStorable), "alone")
}

// What else a batch with a bad record needs is done all the same: a partition that is missing, and a constraint that would
// wait for the commit.
func TestABadRecordHidesNothing(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	refuse(t, dsn)
	run(t, dsn, `
		CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF new.action = ''order.forbid'' THEN RAISE EXCEPTION ''forbidden''; END IF; RETURN NULL; END'`)
	rs := approvals(t, 32)
	rs[0].Action, rs[5].Action = "order.ship", "order.forbid"
	for i, r := range rs[8:] {
		r.Time = r.Time.AddDate(-8, -(i % 3), 0)
	}
	rs[31] = rs[30].Clone() // the same, and the other half's
	rs[31].Reason = "other"
	require.NoError(t, e.MakePartitions(t.Context(), rs[0].Time, rs[0].Time))
	run(t, dsn, fmt.Sprintf(`CREATE CONSTRAINT TRIGGER forbid AFTER INSERT ON otelaudit.activity_%s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION forbid()`,
		rs[0].Time.Format("2006_01")))
	for range 2 {
		require.Equal(t, []int{0, 5, 31}, badRecords(t, e.ExportBatch(t.Context(), batch(rs...)), nil))
		require.Equal(t, 29, rows(t, dsn))
		require.Equal(t, 1, scalar[int](t, dsn, "SELECT count(DISTINCT stored_at) FROM otelaudit.activity"), "one transaction")
	}
}

// noise is n bytes of ASCII that do not compress.
func noise(n int) string {
	b := make([]byte, n)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = '0' + byte(x%75)
	}
	return string(b)
}

func TestABatchThatIsBadThroughoutStops(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	run(t, dsn, "ALTER TABLE otelaudit.activity ADD CONSTRAINT nothing CHECK (action = 'nothing')")
	rs := typicals(t, 5, time.Now())
	var stopped *trail.StopError
	require.ErrorAs(t, e.ExportBatch(t.Context(), batch(rs...)), &stopped)
	require.ErrorContains(t, stopped, `"nothing"`, "it names the fault")
	require.Equal(t, []int{0}, badRecords(t, e.ExportBatch(t.Context(), batch(rs[0])), nil), "one alone says nothing about the others")

	rs[3].Time = rs[3].Time.Add(1) // a bad record of another kind among them proves nothing either
	require.ErrorAs(t, e.ExportBatch(t.Context(), batch(rs...)), &stopped)
	require.Zero(t, rows(t, dsn))

	run(t, dsn, "ALTER TABLE otelaudit.activity DROP CONSTRAINT nothing")
	require.Equal(t, []int{3}, badRecords(t, e.ExportBatch(t.Context(), batch(rs...)), ErrNotStorable))
	require.Equal(t, 4, rows(t, dsn))
}

// Nor does a deadline that leaves no time to try each record hide that none is taken.
func TestABatchThatIsBadThroughoutStopsInTime(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	began := time.Now()
	require.NoError(t, e.ExportBatch(t.Context(), batch(typicals(t, 4096, began)...)))
	took := time.Since(began)
	run(t, dsn, "TRUNCATE otelaudit.activity; ALTER TABLE otelaudit.activity ADD CONSTRAINT nothing CHECK (action = 'nothing')")
	rs := typicals(t, 4096, time.Now())
	// However slow this machine is: enough for the whole batch at once, and a fraction of what one by one takes.
	ctx, cancel := context.WithTimeout(t.Context(), 4*took)
	defer cancel()
	require.Equal(t, stop, verdictOf(e.ExportBatch(ctx, batch(rs...))))
}

// A row that a trigger swallows is not a success.
func TestATriggerThatDropsRowsStops(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	run(t, dsn, `
		CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF new.action = ''order.ship'' THEN RETURN NULL; END IF; RETURN new; END';
		CREATE TRIGGER swallow BEFORE INSERT ON otelaudit.activity FOR EACH ROW EXECUTE FUNCTION swallow()`)
	err := e.ExportBatch(t.Context(), batch(typicals(t, 8, time.Now())...))
	var stopped *trail.StopError
	require.ErrorAs(t, err, &stopped)
	require.ErrorContains(t, err, "a trigger dropped 2 of 8 records")
	require.Zero(t, rows(t, dsn))
}

func TestAnEmptyBatchAsksWhetherTheTableTakesRecords(t *testing.T) {
	t.Parallel()
	dsn := localpg.Database(t)
	e := opened(t, dsn)
	var stopped *trail.StopError
	require.ErrorAs(t, e.ExportBatch(t.Context(), batch()), &stopped)
	require.ErrorContains(t, stopped, "run Migrate")
	require.NoError(t, e.Migrate(t.Context()))
	require.NoError(t, e.ExportBatch(t.Context(), batch()))
	require.Zero(t, rows(t, dsn))
}

// Where the database does not wait for the disk, a delivery does; where it waits for more, it stays so.
func TestDeliveryWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	run(t, dsn, `
		CREATE TABLE seen (setting text);
		CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.seen VALUES (current_setting(''synchronous_commit'')); RETURN NULL; END';
		CREATE TRIGGER see AFTER INSERT ON otelaudit.activity FOR EACH STATEMENT EXECUTE FUNCTION see()`)
	for setting, want := range map[string]string{"off": "on", "on": "on", "local": "local", "remote_apply": "remote_apply"} {
		run(t, dsn, "TRUNCATE seen; ALTER DATABASE "+scalar[string](t, dsn, "SELECT current_database()")+" SET synchronous_commit = "+setting)
		fresh := opened(t, dsn)
		r := typical(t, 1, time.Now())
		require.NoError(t, fresh.ExportBatch(t.Context(), batch(r)), "as if new")
		require.NoError(t, fresh.ExportBatch(t.Context(), batch(r)), "staged")
		require.Equal(t, []string{want, want}, scalar[[]string](t, dsn, "SELECT array_agg(setting) FROM seen"), setting)
	}
	require.NoError(t, e.Shutdown(context.Background()))
}

// A database whose defaults would break what a delivery relies on.
func TestDeliveryChoosesItsTransactions(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	name := scalar[string](t, dsn, "SELECT current_database()")
	for i, isolation := range []string{"serializable", "repeatable read"} {
		run(t, dsn, "BEGIN READ WRITE; ALTER DATABASE "+name+" SET default_transaction_isolation = '"+isolation+"';"+
			"ALTER DATABASE "+name+" SET default_transaction_read_only = on; COMMIT")
		e := opened(t, dsn)
		rs := typicals(t, 5, time.Now().AddDate(-1-i, 0, 0))
		require.NoError(t, e.ExportBatch(t.Context(), batch(rs...)), "it makes a partition, too")
		require.NoError(t, e.ExportBatch(t.Context(), batch(rs...)))
		require.Empty(t, difference(rs[0], stored(t, e, rs[0])))
	}
}
