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

// share is what one connection stores of a batch: all of it, or what falls to it, in transactions one after the other. A part
// is some of its records, by ascending index within the batch.
type share struct {
	records []*otelaudit.Record // all of the batch
	number  int                 // of this share
	of      int                 // how many there are: one or two
	conn    *pgconn.PgConn
	rows    *encoder

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
	s.conn, s.rows = conn, newEncoder()
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

// deliver stores part. What the database refuses it halves, each half in a transaction of its own, until it has found the
// records that are bad.
func (s *share) deliver(ctx context.Context, part []int) *fault {
	err := s.write(ctx, part)
	if err == nil {
		s.stored = s.stored || len(part) > 0
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
	}
	if f := s.deliver(ctx, part[:len(part)/2]); f != nil {
		return f
	}
	return s.deliver(ctx, part[len(part)/2:])
}

// maxDeadlocks is how often one part gives way to others that write the same rows, before it leaves that to the next attempt.
const maxDeadlocks = 3

// write writes part in one transaction: as if all of it were new, and in the way that bears what is not once Postgres has
// said so. It makes the partitions that are missing, between two attempts.
func (s *share) write(ctx context.Context, part []int) error {
	attempt, staged, made, deadlocks := s.copy, false, false, 0
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

const (
	copySQL = `COPY otelaudit.activity (` + columns + `) FROM STDIN BINARY`

	// beginCopySQL saves a round trip, which is a good part of what a batch of few records costs. COMMIT is not in it: it
	// must not be said before we know that all rows were taken.
	beginCopySQL = beginSQL + `; ` + copySQL
)

// copy writes part in a transaction of its own, on the assumption that no row of it is there.
func (s *share) copy(ctx context.Context, part []int) error {
	err := commitAfter(ctx, s.conn, func() error {
		return s.copyTo(ctx, beginCopySQL, part)
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
