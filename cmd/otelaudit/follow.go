package main

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// pollInterval is how often tail -f looks whether there is more.
const pollInterval = 500 * time.Millisecond

// goOn prints what comes, until ctx ends.
func (t *tail) goOn(ctx context.Context) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var seen version
	var jump uint64 // a number that was found where next should be
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now, err := versionOf(t.dir)
		if err == nil && now == seen {
			continue
		}
		view, err := t.looker.look()
		if err == nil {
			if first := firstFrom(view, t.next); first > t.next && first != jump {
				jump = first // a write under way may hide a record once; what is missing twice is
				continue
			}
			err = t.show(ctx, view, math.MaxUint64)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		t.looker.leaveOut() // all that they hold is printed
		seen = now
	}
}

// firstFrom returns the first number from next on that view has, or 0.
func firstFrom(view *journal.View, next uint64) uint64 {
	for r, err := range view.Records(next) {
		if err != nil {
			return 0
		}
		return r.Seq
	}
	return 0
}

// version tells one state of a journal from another, without reading it.
type version struct {
	newest string // segment
	at     int64  // when it was written last, Unix nanoseconds
}

func versionOf(dir string) (v version, err error) {
	names, err := journal.OS().List(dir)
	if err != nil {
		return v, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, segmentSuffix) {
			v.newest = name
		}
	}
	info, err := os.Stat(filepath.Join(dir, v.newest))
	if err != nil {
		return v, err
	}
	v.at = info.ModTime().UnixNano()
	return v, nil
}
