package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// directory is what a journal's directory holds.
type directory struct {
	cursors   map[string]*cursor
	segments  []*segment
	ends      map[*segment]int64 // behind the last byte of a segment that is not zero
	temporary []string           // files that a crash left unfinished
	damage    []Damage
	noted     []numbers // what notes say is lost
	unread    error     // why it may have lost more than damage says: the notes cannot be read
	torn      []Torn
	mark      uint64 // the highest number that was on disk for sure
	next      uint64 // the number behind the last record
	number    uint64 // of the latest segment
}

// readDir reads all of a directory and changes nothing. Beside a process that goes on writing, it sees no damage that is none:
// cursors come first, because they lag behind what they follow, and segments from the newest to the oldest, because a segment
// does not grow any more once there is a newer one. What has gone since the names were listed was then the oldest.
func readDir(f FS, dir string, beside bool, m mutation) (*directory, error) {
	names, err := f.List(dir)
	if err != nil {
		return nil, err
	}
	d := &directory{cursors: map[string]*cursor{}, ends: map[*segment]int64{}}
	r := resolver{mutation: m}
	var numbers []uint64
	for _, name := range names { // sorted: segments come in the order of their numbers
		switch number, isSegment := segmentNumber(name); {
		case isSegment:
			numbers = append(numbers, number)
			d.number = number
		case isTemporary(name):
			d.temporary = append(d.temporary, name)
		case strings.HasSuffix(name, cursorSuffix):
			c, err := readCursor(f, dir, name)
			if beside && errors.Is(err, fs.ErrNotExist) {
				continue // forgotten
			}
			if err != nil {
				return nil, err
			}
			d.cursors[c.name] = c
			r.mark = max(r.mark, c.seq)
		}
	}
	gone := false
	var room []byte // for one segment after the other
	for _, number := range slices.Backward(numbers) {
		s, err := readSegment(&room, f, dir, number, m)
		if beside && errors.Is(err, fs.ErrNotExist) {
			gone = true
			break // and those before it
		}
		if err != nil {
			return nil, err
		}
		r.files = append(r.files, s)
	}
	slices.Reverse(r.files)
	r.floor = floor(d.cursors)
	if r.floor == math.MaxUint64 {
		r.floor = 0
	}
	if !gone {
		r.from = wanted(d.cursors)
	}
	r.resolve()
	if r.err != nil {
		return nil, r.err
	}
	next := time.Time{}
	for _, f := range slices.Backward(r.files) {
		f.segment.next = next
		if !f.headless {
			next = f.segment.header.created
		}
	}
	for i := range r.files {
		s := r.files[i].segment
		d.segments = append(d.segments, s)
		d.ends[s] = max(r.files[i].end, dataStart)
	}
	d.torn, d.mark, d.next = r.torn, r.mark, r.next
	d.damage, d.noted, d.unread = readNotes(f, dir, r.damage)
	return d, nil
}

// readSegment reads and scans one segment. It uses room, or makes it larger.
func readSegment(room *[]byte, f FS, dir string, number uint64, m mutation) (found, error) {
	s := &segment{path: segmentPath(dir, number)}
	b, unreadable, err := readSalvaging(*room, f, s.path)
	if err != nil {
		return found{}, err
	}
	*room = b
	s.size = int64(len(b))
	h, damaged, err := decodeHeader(b)
	if errors.Is(err, errVersion) {
		return found{}, fmt.Errorf("%s: %w", filepath.Base(s.path), err)
	}
	if intact := err == nil && h.number == number; !intact {
		s.header.number = number
		return found{segment: s, headless: true, unreadable: unreadable, contents: contents{end: s.size}}, nil
	}
	s.header, s.seed, s.last = h, h.seed(), h.first-1
	return found{segment: s, oneHeader: damaged, unreadable: unreadable, contents: scan(b, h, m)}, nil
}

// floor returns the highest number that every required cursor has passed. Without one it is the highest there is.
func floor(cursors map[string]*cursor) uint64 {
	lowest := uint64(math.MaxUint64)
	for _, c := range cursors {
		if c.required {
			lowest = min(lowest, c.seq)
		}
	}
	return lowest
}

// wanted returns the lowest number that a required reader has not committed, or zero where no cursor says so.
func wanted(cursors map[string]*cursor) uint64 {
	lowest := uint64(math.MaxUint64)
	for _, c := range cursors {
		if c.required && !c.damaged {
			lowest = min(lowest, c.seq)
		}
	}
	if lowest == math.MaxUint64 {
		return 0
	}
	return lowest + 1
}
