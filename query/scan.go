package query

import (
	"bytes"
	"cmp"
	"iter"
	"slices"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Scan answers like [Reader] from records, for what can only be read from one end to the other. It reads all of them, in any
// order, and keeps little more than a page in memory. What it keeps are clones: records may reuse theirs.
//
// A time and id that comes again is the same record: the first that matches counts. Scan stops at the first error of records
// and returns it as it is. What wraps [ErrInvalid] is returned before anything is read.
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
	// The newest of what was read, oldest first, as a journal gives them; one more than the page holds says whether there is a
	// next. What has fallen out does not come back: whatever has its key is too old as well.
	var newest []*otelaudit.Record
	for r, err := range records {
		if err != nil {
			return Page{}, err
		}
		if follows && oldestFirst(r, after) >= 0 || !m.matches(r) {
			continue
		}
		at, twice := slices.BinarySearchFunc(newest, Key{r.Time, r.ID}, oldestFirst)
		full := len(newest) > limit
		if twice || full && at == 0 {
			continue
		}
		newest = slices.Insert(newest, at, r.Clone())
		if full {
			newest = newest[1:]
		}
	}
	slices.Reverse(newest)
	page := Page{Records: newest}
	if len(newest) > limit {
		page.Records = newest[:limit]
		page.Next = Cursor(newest[limit-1])
	}
	return page, nil
}

// oldestFirst is negative where r is older than k.
func oldestFirst(r *otelaudit.Record, k Key) int {
	return cmp.Or(r.Time.Compare(k.Time), bytes.Compare(r.ID[:], k.ID[:]))
}
