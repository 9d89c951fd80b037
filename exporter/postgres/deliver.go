package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// delivery is one call of ExportBatch.
//
// Its transactions are on one connection, one after the other. A part is some of the batch's records, by ascending index.
type delivery struct {
	conn    *pgconn.PgConn
	records []*otelaudit.Record
	rows    *encoder
	bad     []trail.BadRecord
	refusal error // of the first record that the database refused for what it holds
	refused int   // how many of bad those are
	stored  bool  // a transaction with records has been committed
}

// run stores the records, but for the bad ones. It returns nil, a fault, or what ExportBatch is to return.
func (d *delivery) run(ctx context.Context) error {
	part := make([]int, 0, len(d.records))
	for i, r := range d.records {
		if err := d.rows.add(r); err != nil {
			d.addBad(i, err)
			continue
		}
		part = append(part, i)
	}
	if len(part) > 0 || len(d.records) == 0 { // without any, this asks whether the table would take some
		err := d.deliver(ctx, part)
		switch {
		case err != nil && ctx.Err() != nil && d.refused >= enoughRefused && !d.stored:
			// There was no time to try each of them, and there will be none in the next attempt.
			return d.refusesAll()
		case err != nil:
			return err
		}
	}
	switch {
	case len(d.bad) == 0:
		return nil
	case d.refused == len(part) && len(part) > 1:
		return d.refusesAll()
	}
	return &trail.BadRecordsError{Records: d.bad}
}

// enoughRefused is how many records, one by one, the database must have refused, and taken none, to pass for one that refuses
// them all.
const enoughRefused = 16

// refusesAll is the error where the database takes none of several records: the fault is more likely with the table than
// with each of them.
func (d *delivery) refusesAll() error {
	return &trail.StopError{Err: fmt.Errorf("postgres: the database refuses each of %d records, the first: %w", d.refused, d.refusal)}
}

func (d *delivery) addBad(i int, reason error) {
	d.bad = append(d.bad, trail.BadRecord{ID: d.records[i].ID, Index: i, Reason: reason})
}

// deliver stores part. What the database refuses it halves, each half in a transaction of its own, until it has found the
// records that are bad. An error is a fault.
func (d *delivery) deliver(ctx context.Context, part []int) error {
	err := d.store(ctx, part)
	if err == nil {
		d.stored = d.stored || len(part) > 0
		return nil
	}
	f := classify(err)
	switch {
	case f.verdict != bad || len(part) == 0:
		return f
	case len(part) == 1:
		d.addBad(part[0], f.err)
		d.refused++
		if d.refusal == nil {
			d.refusal = f.err
		}
		return nil
	}
	if err := d.deliver(ctx, part[:len(part)/2]); err != nil {
		return err
	}
	return d.deliver(ctx, part[len(part)/2:])
}

// maxDeadlocks is how often one part gives way to others that write the same rows, before it leaves that to the next attempt.
const maxDeadlocks = 3

// store writes part in one transaction: as if all of it were new, and in the way that bears what is not once Postgres has
// said so. It makes the partitions that are missing, between two attempts.
func (d *delivery) store(ctx context.Context, part []int) error {
	write, staged, made, deadlocks := d.copy, false, false, 0
	for {
		err := write(ctx, part)
		switch {
		case isKeyTaken(err) && !staged:
			write, staged = d.stage, true
		case isDeadlock(err) && deadlocks < maxDeadlocks: // staged rows are written in the order of their keys
			write, staged, deadlocks = d.stage, true, deadlocks+1
		case isPartitionMissing(err) && !made:
			if err := ensurePartitions(ctx, d.conn, d.months(part)); err != nil {
				return err
			}
			made = true
		default:
			return err
		}
	}
}

// months returns a day of each month that part needs, in UTC.
func (d *delivery) months(part []int) []time.Time {
	seen := map[time.Time]bool{}
	var months []time.Time
	for _, i := range part {
		if m := monthOf(d.records[i].Time); !seen[m] {
			seen[m] = true
			months = append(months, m)
		}
	}
	return months
}

const (
	copySQL = `COPY otelaudit.activity (` + columns + `) FROM STDIN BINARY`

	// beginCopySQL saves a round trip, which is a good part of what a batch of few records costs. COMMIT is not in it: it
	// must not be said before we know that all rows were taken.
	beginCopySQL = beginSQL + `; ` + copySQL
)

// copy writes part in a transaction of its own, on the assumption that no row of it is there.
func (d *delivery) copy(ctx context.Context, part []int) error {
	return commitAfter(ctx, d.conn, func() error {
		return d.copyTo(ctx, beginCopySQL, part)
	})
}

// copyTo sends part to the table that sql names.
func (d *delivery) copyTo(ctx context.Context, sql string, part []int) error {
	tag, err := d.conn.CopyFrom(ctx, d.rows.stream(part), sql)
	if err == nil && tag.RowsAffected() != int64(len(part)) {
		err = &fault{stop, fmt.Errorf("a trigger dropped %d of %d records: take it off otelaudit.activity",
			int64(len(part))-tag.RowsAffected(), len(part))}
	}
	return err
}
