package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rj-gamer/go-activity-tracker/integrity"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// counts are three counts of this run's records that nothing connects but the trail.
type counts struct{ tracked, postgres, journal uint64 }

func (n counts) String() string {
	return fmt.Sprintf("tracked=%d postgres=%d journal=%d", n.tracked, n.postgres, n.journal)
}

// check returns an error where records are missing that ought to be there.
func (n counts) check(db *database) error {
	switch {
	case db != nil && n.postgres != n.tracked:
		return fmt.Errorf("the trail confirmed %d records, and the table has %d", n.tracked, n.postgres)
	case n.journal != n.tracked && (db == nil || db.vanishes): // else the table has them, and full segments may go
		return fmt.Errorf("the trail confirmed %d records, and the journal has %d", n.tracked, n.journal)
	}
	return nil
}

// count counts the records that the closed trail t has made since began.
func count(ctx context.Context, t *trail.Trail, db *database, began time.Time) (n counts, err error) {
	id, _ := t.Resource().Set().Value(otelaudit.KeyServiceID)
	instance := id.AsString() // this process, among all that ever wrote to the same table or directory
	n.tracked = t.Status().Emitted
	if db != nil {
		if n.postgres, err = db.count(ctx, instance, began); err != nil {
			return n, err
		}
	}
	n.journal, err = countJournal(t.Status().Journal.Dir, instance, began)
	return n, err
}

// countJournal reads the journal's files as a stranger would.
func countJournal(dir, instance string, began time.Time) (n uint64, err error) {
	view, err := journal.Look(journal.OS(), dir)
	if err != nil {
		return 0, fmt.Errorf("read the journal: %w", err)
	}
	for stored, err := range view.Records(0) {
		if err != nil {
			return 0, fmt.Errorf("read the journal: %w", err)
		}
		if stored.Gap != nil { // says that records were refused, and is none
			continue
		}
		r, err := integrity.ParseCanonical(stored.Data)
		if err != nil {
			return 0, fmt.Errorf("read the journal: record %d: %w", stored.Seq, err)
		}
		id, _ := r.Resource.Value(otelaudit.KeyServiceID)
		if id.AsString() == instance && !r.Time.Before(began) {
			n++
		}
	}
	return n, nil
}
