package journal

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// extent is a stretch of a segment's file in which the numbers from first to last follow each other, frame behind frame. A
// reader that knows an extent need not look at the rest of the file.
type extent = piece

// segment is a segment as the journal knows it. Journal.mu guards what changes.
type segment struct {
	path    string
	header  header
	seed    uint32
	extents []extent
	last    uint64    // the highest number in it; header.first-1 while it is empty
	size    int64     // of the file
	next    time.Time // when the next segment was made; zero for the newest
	needed  bool      // it holds what is not secured yet
	keep    bool      // it holds damage that could not be copied: it is not removed, but goes to the quarantine
}

const segmentSuffix = ".segment"

func segmentPath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016x%s", number, segmentSuffix))
}

// segmentNumber returns the number in a segment's file name. One that no journal comes to is of something else.
func segmentNumber(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	return n, err == nil && n < 1<<63
}

// publish makes a group that is on disk known to readers.
func (s *segment) publish(g extent) {
	if n := len(s.extents); n == 0 || !s.extents[n-1].join(g) {
		s.extents = append(s.extents, g)
	}
	s.last = g.last
}

// find returns the first extent that holds a number from seq on, with those that follow it without a break, until it has want
// bytes.
func (s *segment) find(seq uint64, want int64) (extent, bool) {
	lo, hi := 0, len(s.extents)
	for lo < hi {
		if mid := (lo + hi) / 2; s.extents[mid].last < seq {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(s.extents) {
		return extent{}, false
	}
	e := s.extents[lo]
	for _, next := range s.extents[lo+1:] {
		if e.end-e.off >= want || next.off != e.end || next.first != e.last+1 {
			break
		}
		e.end, e.last = next.end, next.last
	}
	return e, true
}
