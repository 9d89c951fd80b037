package journal

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
)

// directory is what a journal's directory holds.
type directory struct {
	cursors   map[string]*cursor
	segments  []*segment
	ends      map[*segment]int64 // behind the last byte of a segment that is not zero
	temporary []string           // files that a crash left unfinished
	damage    []Damage
	torn      []Torn
	mark      uint64 // the highest number that was on disk for sure
	next      uint64 // the number behind the last record
	number    uint64 // of the latest segment
}

// readDir reads all of a directory and changes nothing.
func readDir(fs FS, dir string, m mutation) (*directory, error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	d := &directory{cursors: map[string]*cursor{}, ends: map[*segment]int64{}}
	r := resolver{mutation: m}
	for _, name := range names { // sorted: segments come in the order of their numbers
		switch number, isSegment := segmentNumber(name); {
		case isSegment:
			f, err := readSegment(fs, dir, number, m)
			if err != nil {
				return nil, err
			}
			r.files = append(r.files, f)
			d.number = number
		case strings.HasSuffix(name, temporarySuffix):
			d.temporary = append(d.temporary, name)
		case strings.HasSuffix(name, cursorSuffix):
			c, err := readCursor(fs, dir, name)
			if err != nil {
				return nil, err
			}
			d.cursors[c.name] = c
			r.mark = max(r.mark, c.seq)
		}
	}
	r.floor = floor(d.cursors)
	if r.floor == math.MaxUint64 {
		r.floor = 0
	}
	r.resolve()
	for i := range r.files {
		s := r.files[i].segment
		if i+1 < len(r.files) {
			s.next = r.files[i+1].segment.header.created
		}
		d.segments = append(d.segments, s)
		d.ends[s] = max(r.files[i].end, dataStart)
	}
	d.damage, d.torn, d.mark, d.next = r.damage, r.torn, r.mark, r.next
	return d, nil
}

// readSegment reads and scans one segment.
func readSegment(fs FS, dir string, number uint64, m mutation) (found, error) {
	s := &segment{path: segmentPath(dir, number)}
	b, err := readFile(fs, s.path, 0)
	if err != nil {
		return found{}, err
	}
	s.size = int64(len(b))
	h, damaged, err := decodeHeader(b)
	if errors.Is(err, errVersion) {
		return found{}, fmt.Errorf("%s: %w", filepath.Base(s.path), err)
	}
	if intact := err == nil && h.number == number; !intact {
		s.header.number = number
		return found{segment: s, headless: true, contents: contents{end: s.size}}, nil
	}
	s.header, s.seed, s.last = h, h.seed(), h.first-1
	return found{segment: s, oneHeader: damaged, contents: scan(b, h, m)}, nil
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
