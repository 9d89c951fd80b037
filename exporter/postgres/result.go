package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/rj-gamer/go-activity-tracker/trail"
)

// result is what became of records that were to be stored.
type result struct {
	count   int // of the records that can be rows
	bad     []trail.BadRecord
	refusal error  // of the first record that the database refused for what it holds
	refused int    // how many of bad those are
	taken   bool   // the database has taken records, whether they were committed or not
	added   bool   // a transaction that added rows has been committed
	failure *fault // why not all but the bad records are stored
}

// add adds what became of other records. Of two failures the one that may pass counts: when the records come again, the other
// has its say.
func (r *result) add(other *result) {
	r.count += other.count
	r.bad = append(r.bad, other.bad...)
	if r.refusal == nil {
		r.refusal = other.refusal
	}
	r.refused += other.refused
	r.taken = r.taken || other.taken
	r.added = r.added || other.added
	if r.failure == nil || other.failure != nil && other.failure.verdict == retry {
		r.failure = other.failure
	}
}

// enoughRefused is how many records, one by one, the database must have refused, and taken none, to pass for one that refuses
// them all.
const enoughRefused = 16

// err is nil, or what ExportBatch returns.
func (r *result) err(ctx context.Context) error {
	switch f := r.failure; {
	case f != nil && ctx.Err() != nil && r.refused >= enoughRefused && !r.taken:
		// There was no time to try each of them, and there will be none in the next attempt.
		return r.refusesAll()
	case f != nil && f.verdict == stop && !r.added: // StopError says that nothing is stored; else the next attempt says it
		return &trail.StopError{Err: fmt.Errorf("postgres: %w", f.err)}
	case f != nil:
		return fmt.Errorf("postgres: %w", f.err)
	case len(r.bad) == 0:
		return nil
	case r.refused == r.count && r.count > 1:
		return r.refusesAll()
	}
	slices.SortFunc(r.bad, func(a, b trail.BadRecord) int { return a.Index - b.Index })
	return &trail.BadRecordsError{Records: r.bad}
}

// refusesAll is the error where the database takes none of several records: the fault is more likely with the table than
// with each of them.
func (r *result) refusesAll() error {
	return &trail.StopError{Err: fmt.Errorf("postgres: the database refuses each of %d records, the first: %w", r.refused, r.refusal)}
}
