package trail

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/rj-gamer/go-activity-tracker/integrity"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

var _ query.Reader = (*Trail)(nil)

// Query implements [query.Reader] over what the trail's own journal still holds, by reading all of it: for small scale, and
// for services without a database. Without a journal it returns an error.
func (t *Trail) Query(ctx context.Context, f query.Filter, p query.PageRequest) (query.Page, error) {
	s, ok := t.store.(*journaled)
	if !ok {
		return query.Page{}, errors.New("trail: there is no journal to query (Config.NoJournal): ask an exporter that can be queried")
	}
	return query.Scan(t.records(ctx, s.journal), f, p)
}

// records yields the records of j. Each is valid until the next.
func (t *Trail) records(ctx context.Context, j *journal.Journal) iter.Seq2[*otelaudit.Record, error] {
	return func(yield func(*otelaudit.Record, error) bool) {
		var decoder integrity.Decoder
		var r otelaudit.Record
		for jr, err := range j.Records(0) {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				if err = decode(&decoder, j.Dir(), &jr, &r, t.set); err != nil {
					err = fmt.Errorf("record %d of the journal: %w", jr.Seq, err)
				}
			}
			if !yield(&r, err) || err != nil {
				return
			}
		}
	}
}
