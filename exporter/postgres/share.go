package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// share is what one connection stores of a batch: all of it, or what falls to it. A part is some of its records, by ascending
// index within the batch.
type share struct {
	records   []*otelaudit.Record // all of the batch
	number    int                 // of this share
	of        int                 // how many there are: one or two
	divisible bool                // it may be several transactions
	conn      *pgconn.PgConn
	rows      *encoder
	unit      *unit // what a part is written in

	result
}

// owns reports whether a record falls to this share. Its id decides, so that of two records with the same key the first one
// wins, whichever share is faster, and so that shares do not wait for each other. About half of any ids fall to either,
// whether they are random or count.
func (s *share) owns(id *otelaudit.ID) bool {
	if s.of == 1 {
		return true
	}
	return bits.OnesCount64(binary.BigEndian.Uint64(id[:8])^binary.BigEndian.Uint64(id[8:]))%2 == s.number
}

// store stores the share over conn.
func (s *share) store(ctx context.Context, conn *pgconn.PgConn) {
	s.conn, s.rows, s.unit = conn, newEncoder(), transaction
	defer func() {
		if !conn.IsClosed() { // a CopyFrom that has lost its connection may still be reading the rows
			s.rows.free()
		}
	}()
	part := make([]int, 0, len(s.records)/s.of)
	for i, r := range s.records {
		if !s.owns(&r.ID) {
			s.rows.skip()
			continue
		}
		if err := s.rows.add(r); err != nil {
			s.addBad(i, err)
			continue
		}
		part = append(part, i)
	}
	s.count = len(part)
	if len(part) > 0 || len(s.records) == 0 { // without any, this asks whether the table would take some
		s.failure = s.deliver(ctx, part)
	}
}

func (s *share) addBad(i int, reason error) {
	s.bad = append(s.bad, trail.BadRecord{ID: s.records[i].ID, Index: i, Reason: reason})
}

// deliver stores part. What the database refuses it halves until it has found the records that are bad: each half in a
// transaction of its own, or all of them in one.
func (s *share) deliver(ctx context.Context, part []int) *fault {
	err := s.write(ctx, part)
	if err == nil {
		s.taken = s.taken || len(part) > 0
		return nil
	}
	f := classify(err)
	switch {
	case f.verdict != bad || len(part) == 0:
		return f
	case len(part) == 1:
		s.addBad(part[0], f.err)
		s.refused++
		if s.refusal == nil {
			s.refusal = f.err
		}
		return nil
	case s.unit == transaction && !s.divisible:
		return s.deliverWhole(ctx, part)
	}
	return s.deliverHalves(ctx, part)
}

func (s *share) deliverHalves(ctx context.Context, part []int) *fault {
	if f := s.deliver(ctx, part[:len(part)/2]); f != nil {
		return f
	}
	return s.deliver(ctx, part[len(part)/2:])
}

// deliverWhole stores part, but for its bad records, in one transaction, and makes the partitions that it misses.
func (s *share) deliverWhole(ctx context.Context, part []int) *fault {
	before := s.result
	f := s.search(ctx, part)
	if f == nil || !isPartitionMissing(f) {
		return f
	}
	if err := ensurePartitions(ctx, s.conn, s.months(part)); err != nil {
		return classify(err)
	}
	s.result = before
	return s.search(ctx, part)
}

// search halves part within one transaction. Until that is committed, nothing is stored.
func (s *share) search(ctx context.Context, part []int) *fault {
	s.unit = savepoint
	defer func() { s.unit = transaction }()
	err := inTransaction(ctx, s.conn, func() error {
		if _, err := exec(ctx, s.conn, immediateSQL); err != nil {
			return err
		}
		if f := s.deliverHalves(ctx, part); f != nil {
			return f
		}
		return nil
	})
	if err != nil {
		s.added = false
		return classifySetup(err)
	}
	return nil
}

// immediateSQL has a constraint that somebody has deferred say at once, and not at COMMIT, that it refuses a part.
const immediateSQL = `SET CONSTRAINTS ALL IMMEDIATE`

// maxDeadlocks is how often one part gives way to others that write the same rows, before it leaves that to the next attempt.
const maxDeadlocks = 3

// write writes part in one unit: as if all of it were new, and in the way that bears what is not once Postgres has said so. It
// makes the partitions that are missing, between two attempts, where that is no part of a transaction.
func (s *share) write(ctx context.Context, part []int) error {
	attempt, staged, made, deadlocks := s.copy, false, s.unit != transaction, 0
	for {
		err := attempt(ctx, part)
		switch {
		case isKeyTaken(err) && !staged:
			attempt, staged = s.stage, true
		case isDeadlock(err) && deadlocks < maxDeadlocks: // staged rows are written in the order of their keys
			attempt, staged, deadlocks = s.stage, true, deadlocks+1
		case isPartitionMissing(err) && !made:
			if err := ensurePartitions(ctx, s.conn, s.months(part)); err != nil {
				return err
			}
			made = true
		default:
			return err
		}
	}
}

// months returns a day of each month that part needs, in UTC.
func (s *share) months(part []int) []time.Time {
	seen := map[time.Time]bool{}
	var months []time.Time
	for _, i := range part {
		if m := monthOf(s.records[i].Time); !seen[m] {
			seen[m] = true
			months = append(months, m)
		}
	}
	return months
}

const copySQL = `COPY otelaudit.activity (` + columns + `) FROM STDIN BINARY`

// copy writes part in a unit of its own, on the assumption that no row of it is there.
func (s *share) copy(ctx context.Context, part []int) error {
	err := s.unit.after(ctx, s.conn, func() error {
		// In one message, which saves a round trip: a good part of what a batch of few records costs. COMMIT is not in it: it must
		// not be said before we know that all rows were taken.
		return s.copyTo(ctx, s.unit.begin+"; "+copySQL, part)
	})
	s.added = s.added || err == nil && len(part) > 0
	return err
}

// copyTo sends part to the table that sql names.
func (s *share) copyTo(ctx context.Context, sql string, part []int) error {
	tag, err := s.conn.CopyFrom(ctx, s.rows.stream(part), sql)
	if err == nil && tag.RowsAffected() != int64(len(part)) {
		err = &fault{stop, fmt.Errorf("a trigger dropped %d of %d records: take it off otelaudit.activity",
			int64(len(part))-tag.RowsAffected(), len(part))}
	}
	return err
}
