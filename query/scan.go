package query

import (
	"bytes"
	"cmp"
	"iter"
	"slices"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Scan answers like [Reader] from records, for what can only be read from one end to the other. It reads all of them, in any
// order, and keeps no more than a page and one record in memory. What it keeps are clones: records may reuse theirs.
//
// A time and id that comes again is the same record: the first that matches counts. Scan stops at the first error of records
// and returns it as it is. One that wraps [ErrInvalid] comes before anything is read.
func Scan(records iter.Seq2[*otelaudit.Record, error], f Filter, p PageRequest) (Page, error) {
	limit, err := p.Size()
	if err != nil {
		return Page{}, err
	}
	m, err := newMatcher(f)
	if err != nil {
		return Page{}, err
	}
	after, follows, err := p.Start()
	if err != nil {
		return Page{}, err
	}
	// The newest of what was read, newest first; one more than the page holds says whether there is a next. What has fallen
	// out does not come back: whatever has its key is too old as well.
	var newest []*otelaudit.Record
	for r, err := range records {
		if err != nil {
			return Page{}, err
		}
		if follows && newestFirst(r, after) <= 0 || !m.matches(r) {
			continue
		}
		at, twice := slices.BinarySearchFunc(newest, Key{r.Time, r.ID}, newestFirst)
		if twice || at > limit {
			continue
		}
		if len(newest) > limit {
			newest = newest[:limit]
		}
		newest = slices.Insert(newest, at, r.Clone())
	}
	page := Page{Records: newest}
	if len(newest) > limit {
		page.Records = newest[:limit]
		page.Next = Cursor(newest[limit-1])
	}
	return page, nil
}

// newestFirst is negative where r comes before k in the order of a query.
func newestFirst(r *otelaudit.Record, k Key) int {
	return cmp.Or(k.Time.Compare(r.Time), bytes.Compare(k.ID[:], r.ID[:]))
}
