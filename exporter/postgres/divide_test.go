package postgres

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

func divisible(rs ...*otelaudit.Record) *trail.Batch {
	return &trail.Batch{Records: rs, Divisible: true}
}

// transactions is how many transactions stored what the table holds.
func transactions(tb testing.TB, dsn string) int {
	tb.Helper()
	return scalar[int](tb, dsn, "SELECT count(DISTINCT xmin::text) FROM otelaudit.activity")
}

// inShare returns the indexes of the records that fall to a share of a divided batch.
func inShare(number int, rs []*otelaudit.Record) []int {
	s := newShares(rs).all[number]
	var indexes []int
	for i, r := range rs {
		if s.owns(&r.ID) {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// refuse makes the table refuse records of the action order.ship, and not those of invoice.approve.
func refuse(tb testing.TB, dsn string) {
	tb.Helper()
	run(tb, dsn, "ALTER TABLE otelaudit.activity ADD CONSTRAINT no_shipping CHECK (action <> 'order.ship') NOT VALID")
}

func approvals(tb testing.TB, n int) []*otelaudit.Record {
	tb.Helper()
	rs := typicals(tb, n, time.Now())
	for _, r := range rs {
		r.Action = "invoice.approve"
	}
	return rs
}

func TestALargeDivisibleBatchIsTwoTransactionsAtOnce(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	locker := connected(t, dsn)
	_, err := locker.Exec(t.Context(), "BEGIN; LOCK TABLE otelaudit.activity")
	require.NoError(t, err)
	rs := typicals(t, divideFrom, time.Now())
	exported := make(chan error, 1)
	go func() { exported <- e.ExportBatch(t.Context(), divisible(rs...)) }()
	until(t, dsn, "SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%COPY%'")
	_, err = locker.Exec(t.Context(), "COMMIT")
	require.NoError(t, err)
	require.NoError(t, <-exported)
	require.Equal(t, divideFrom, rows(t, dsn))
	require.Equal(t, 2, transactions(t, dsn))
	for _, r := range rs[:50] {
		require.Empty(t, difference(r, stored(t, e, r)))
	}
	require.NoError(t, e.ExportBatch(t.Context(), divisible(rs...)), "again")
	require.Equal(t, divideFrom, rows(t, dsn))
}

func TestOtherBatchesAreOneTransaction(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	require.NoError(t, e.ExportBatch(t.Context(), batch(typicals(t, 2*divideFrom, time.Now())...)))
	require.Equal(t, 1, transactions(t, dsn), "nobody said that it may be divided")
	require.NoError(t, e.ExportBatch(t.Context(), divisible(typicals(t, divideFrom-1, time.Now())...)))
	require.Equal(t, 2, transactions(t, dsn), "it is small")
	require.NoError(t, e.ExportBatch(t.Context(), divisible()))
}

// Whatever ids look like, each falls to one share, and about half of them to either.
func TestIDsDecideWhoseARecordIs(t *testing.T) {
	t.Parallel()
	const n = 4096
	for name, id := range map[string]func(i int) otelaudit.ID{
		"random":   func(i int) otelaudit.ID { return otelaudit.DeriveID("x", string(rune(i))) },
		"recorded": func(int) otelaudit.ID { return record(t, otelaudit.Activity{Action: "x"}).ID },
		"counted":  func(i int) otelaudit.ID { return otelaudit.ID{14: byte(i >> 8), 15: byte(i)} },
		"even":     func(i int) otelaudit.ID { return otelaudit.ID{14: byte(i >> 7), 15: byte(i << 1)} },
		"on top":   func(i int) otelaudit.ID { return otelaudit.ID{byte(i), byte(i >> 8)} },
	} {
		rs := make([]*otelaudit.Record, n)
		for i := range rs {
			rs[i] = &otelaudit.Record{ID: id(i)}
		}
		first, second := inShare(0, rs), inShare(1, rs)
		require.Len(t, append(first, second...), n, name)
		require.InDelta(t, n/2, len(first), n/8, name)
	}
}

// A divided batch of several months makes the partitions of all of them, which both shares miss at once.
func TestADividedBatchMakesPartitions(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	rs := typicals(t, divideFrom, time.Now())
	for i, r := range rs {
		r.Time = r.Time.AddDate(-10, -(i % 3), 0)
	}
	require.NoError(t, e.ExportBatch(t.Context(), divisible(rs...)))
	require.Equal(t, divideFrom, rows(t, dsn))
}

// Of two activities under one key the first one stays, also where each connection could have had one of them.
func TestTheSameKeyTwiceInADividedBatch(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	rs := typicals(t, divideFrom, time.Now())
	var conflicts []int
	for i := range 64 {
		again := rs[63-i].Clone()
		if i%2 == 0 {
			again.Reason = "other"
			conflicts = append(conflicts, len(rs))
		}
		rs = append(rs, again)
	}
	for range 2 {
		err := e.ExportBatch(t.Context(), divisible(rs...))
		require.Equal(t, conflicts, badRecords(t, err, ErrConflict))
		require.Equal(t, divideFrom, rows(t, dsn))
	}
	for _, r := range rs[:64] {
		require.Empty(t, difference(r, stored(t, e, r)))
	}
}

// Two exporters divide the same batch at once, in whatever order.
func TestTheSameDividedBatchAtOnce(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	other := opened(t, dsn)
	for round := range 4 {
		rs := typicals(t, divideFrom, time.Now())
		shuffled := slices.Clone(rs)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		var wg sync.WaitGroup
		var first, second error
		wg.Go(func() { first = e.ExportBatch(t.Context(), divisible(rs...)) })
		wg.Go(func() { second = other.ExportBatch(t.Context(), divisible(shuffled...)) })
		wg.Wait()
		require.NoError(t, errors.Join(first, second))
		require.Equal(t, (round+1)*divideFrom, rows(t, dsn))
	}
}

func TestBadRecordsOfADividedBatchAreFound(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	refuse(t, dsn)
	rs := approvals(t, divideFrom)
	there := rs[100].Clone()
	there.Reason = "other"
	require.NoError(t, e.ExportBatch(t.Context(), batch(there)))
	spoil := map[int]func(*otelaudit.Record){
		0:              func(r *otelaudit.Record) { r.Reason = "a\x00b" },
		1:              func(r *otelaudit.Record) { r.Metadata[0].Value = attribute.StringValue("a\x00b") },
		77:             func(r *otelaudit.Record) { r.Action = "order.ship" },
		78:             func(r *otelaudit.Record) { r.Time = r.Time.Add(1) },
		100:            func(*otelaudit.Record) {}, // another activity is there
		divideFrom - 2: func(r *otelaudit.Record) { r.Action = "order.ship" },
		divideFrom - 1: func(r *otelaudit.Record) { r.Outcome = "" },
	}
	for i, change := range spoil {
		change(rs[i])
	}
	for range 2 { // also when what is good is there already
		err := e.ExportBatch(t.Context(), divisible(rs...))
		require.Equal(t, []int{0, 1, 77, 78, 100, divideFrom - 2, divideFrom - 1}, badRecords(t, err, nil))
		require.Equal(t, divideFrom-len(spoil)+1, rows(t, dsn))
	}
}

// That all records of one share are bad says nothing about the table.
func TestAShareThatIsBadThroughout(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	refuse(t, dsn)
	rs := approvals(t, divideFrom)
	for number := range 2 {
		want := inShare(number, rs)
		for _, i := range want {
			rs[i].Action = "order.ship"
		}
		err := e.ExportBatch(t.Context(), divisible(rs...))
		if number == 0 {
			require.Equal(t, want, badRecords(t, err, nil))
			require.Equal(t, divideFrom-len(want), rows(t, dsn))
			run(t, dsn, "TRUNCATE otelaudit.activity")
			continue
		}
		require.Equal(t, stop, verdictOf(err), "now both are")
		require.Zero(t, rows(t, dsn))
	}
}
