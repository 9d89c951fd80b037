package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
)

// reclaim removes the segments that every required reader has passed, oldest first. Each removal is on disk before the next: a
// segment that a crash brings back must find those that supersede it. So what cannot be removed holds up what is behind it.
func (j *Journal) reclaim() {
	for {
		s := j.leaves()
		if s == nil {
			return
		}
		if err := j.discard(s); err != nil {
			j.note(fmt.Errorf("journal: remove a segment: %w", err))
			return
		}
		j.mu.Lock()
		j.leaving = j.leaving[1:]
		j.mu.Unlock()
		notify(j.space)
	}
}

// leaves returns the segment that is to go next, and takes it from the readers; nil where none may go.
func (j *Journal) leaves() *segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.leaving) > 0 {
		return j.leaving[0]
	}
	if len(j.segments) < 2 { // the newest one says what the next number is
		return nil
	}
	s := j.segments[0]
	if s.needed {
		return nil
	}
	empty := s.last < s.header.first
	if passed := floor(j.cursors); !empty && (passed == math.MaxUint64 || s.last > passed) {
		return nil
	}
	age := max(0, j.config.now().Sub(s.next)) // clocks are set back
	if s.next.IsZero() {
		age = 0 // nobody can say
	}
	if rest := j.config.Retention - age; !empty && j.config.Retention > 0 && rest > 0 {
		j.holding.Reset(rest)
		return nil
	}
	j.segments = j.segments[1:]
	j.leaving = append(j.leaving, s)
	return s
}

// discard removes a segment's file, or moves it into the quarantine where it holds damage that could not be copied. It returns
// after that is on disk, and may be called again after an error.
func (j *Journal) discard(s *segment) error {
	err := j.owns()
	switch {
	case err != nil:
		return err
	case s.keep:
		err = j.moveOut(s.path)
	default:
		err = j.fs.Remove(s.path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return j.fs.SyncDir(j.dir)
}

// moveOut moves a whole segment into the quarantine: that needs no space, and no reading of what cannot be read.
func (j *Journal) moveOut(path string) error {
	dir := filepath.Join(j.dir, quarantineName)
	if err := makeDir(j.fs, dir); err != nil {
		return err
	}
	if err := j.fs.Rename(path, filepath.Join(dir, filepath.Base(path))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return j.fs.SyncDir(dir) // before it leaves the journal's directory for good
}
