package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"go.opentelemetry.io/otel"
	sdklog "go.opentelemetry.io/otel/sdk/log"
)

const (
	// aheadOf is how long before a month begins its partition is made.
	aheadOf = 7 * 24 * time.Hour
	// aheadEvery is how often that is tried, and its failure reported.
	aheadEvery = time.Hour
	// aheadTimeout bounds how long that may take.
	aheadTimeout = 5 * time.Second

	maxPartitions = 1200 // of one MakePartitions: a hundred years
)

// MakePartitions makes the missing partitions of the months in which from and to lie and of those between. Months without
// one get theirs when the first record arrives, and the next month's is made a week ahead, so this is for a database whose
// delivering role may not make any. At most 1,200 months.
//
// It does not wait for transactions that read or write the table. The role needs EXECUTE on otelaudit.ensure_partitions.
func (e *Exporter) MakePartitions(ctx context.Context, from, to time.Time) error {
	months, err := monthsBetween(from, to)
	if err != nil {
		return err
	}
	err = e.withConn(ctx, func(pc *pgconn.PgConn) error { return ensurePartitions(ctx, pc, months) })
	if err != nil {
		return fmt.Errorf("postgres: make partitions: %w", err)
	}
	return nil
}

func monthsBetween(from, to time.Time) ([]time.Time, error) {
	if to.Before(from) {
		return nil, fmt.Errorf("postgres: MakePartitions to %s is before from %s", to.Format(time.DateOnly), from.Format(time.DateOnly))
	}
	var months []time.Time
	for m := monthOf(from); !m.After(to); m = m.AddDate(0, 1, 0) {
		if len(months) == maxPartitions {
			return nil, fmt.Errorf("postgres: MakePartitions from %s to %s are more than %d months",
				from.Format(time.DateOnly), to.Format(time.DateOnly), maxPartitions)
		}
		months = append(months, m)
	}
	return months, nil
}

// monthOf is the first instant of t's month in UTC.
func monthOf(t time.Time) time.Time {
	year, month, _ := t.UTC().Date()
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
}

const (
	// How long that takes is for ctx to bound, as with a migration; it waits for locks no longer than its own lock_timeout.
	unhurriedSQL        = `SET LOCAL statement_timeout = 0`
	ensurePartitionsSQL = `SELECT otelaudit.ensure_partitions($1)`
)

// ensurePartitions makes the partitions of months that are missing, not in the delivering transaction: that holds a lock on
// the table, with which two of them would wait for each other's. Each month has a transaction of its own, so that what is
// made stays made when ctx ends, and hundreds of months do not need hundreds of locks at once.
func ensurePartitions(ctx context.Context, pc *pgconn.PgConn, months []time.Time) error {
	for _, m := range months {
		day := []byte("{" + m.Format(time.DateOnly) + "}")
		err := inTransaction(ctx, pc, func() error {
			if _, err := exec(ctx, pc, unhurriedSQL); err != nil {
				return err
			}
			result := pc.ExecParams(ctx, ensurePartitionsSQL, [][]byte{day}, []uint32{pgtype.DateArrayOID}, nil, nil)
			_, err := result.Close()
			return err
		})
		if err != nil {
			f := classifySetup(err)
			return &fault{f.verdict, fmt.Errorf("make the partition of %s: %w", m.Format("2006-01"), f.err)}
		}
	}
	return nil
}

// partitionSQL says whether a table is a partition of the activity table, and needs no privilege for it.
const partitionSQL = `SELECT pg_catalog.pg_partition_root(pg_catalog.to_regclass($1)) = pg_catalog.to_regclass('otelaudit.activity')`

// hasPartition reports whether month has its partition.
func hasPartition(ctx context.Context, pc *pgconn.PgConn, month time.Time) (bool, error) {
	rows, err := queryText(ctx, pc, partitionSQL, "otelaudit.activity_"+month.Format("2006_01"))
	return len(rows) == 1 && rows[0][0] == "t", err
}

// ahead makes the next month's partition before it is needed, so that the first record of a month need not wait for it.
type ahead struct {
	now    func() time.Time
	making sync.WaitGroup // the goroutines that make one

	mu    sync.Mutex // guards what follows
	known time.Time  // the latest month whose partition is known to be there
	next  time.Time  // not before this is it tried again
}

// due returns the month whose partition is to be made now. To one caller only: others are not to wait for it.
func (a *ahead) due() (time.Time, bool) {
	now := a.now()
	month := monthOf(now.Add(aheadOf))
	a.mu.Lock()
	defer a.mu.Unlock()
	if !month.After(a.known) || now.Before(a.next) {
		return time.Time{}, false
	}
	a.next = now.Add(aheadEvery)
	return month, true
}

func (a *ahead) made(month time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known, a.next = month, time.Time{}
}

// makeAhead does neither delay nor fail the batch that it comes after: it has a goroutine and a connection of its own, and
// when it fails, the month's first batch makes its partition itself.
func (e *Exporter) makeAhead() {
	if month, due := e.ahead.due(); due {
		e.ahead.making.Go(func() { e.makeAheadOf(month) })
	}
}

func (e *Exporter) makeAheadOf(month time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), aheadTimeout)
	defer cancel()
	err := e.withConn(ctx, func(pc *pgconn.PgConn) error {
		if there, err := hasPartition(ctx, pc, month); there || err != nil {
			return err
		}
		return ensurePartitions(ctx, pc, []time.Time{month})
	})
	switch {
	case err == nil:
		e.ahead.made(month)
	case !errors.Is(err, sdklog.ErrExporterShutdown):
		otel.Handle(fmt.Errorf("postgres: ahead of time: %w", err))
	}
}
