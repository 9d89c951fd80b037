package journal

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
)

// errAway says that the directory is not where it was.
var errAway = errors.New("journal: the directory was removed or moved away")

// errAnother says that what is in the directory's place holds another journal's records.
var errAnother = errors.New("journal: the directory was moved away, and another journal is in its place: open that one anew")

// Owns returns an error unless the directory's name leads to this journal: what is made beside it, in a directory below it, would
// be in another's place. It makes a system call.
func (j *Journal) Owns() error { return j.owns() }

// owns returns an error unless the directory's name still leads to the one that this journal has locked. Whatever makes, renames
// or removes a file by its name asks first: where somebody has moved the directory away, that name may be another process's file.
func (j *Journal) owns() error {
	j.mu.Lock()
	lock := j.lock
	j.mu.Unlock()
	same, err := j.fs.Same(filepath.Join(j.dir, lockName), lock)
	switch {
	case err != nil:
		return fmt.Errorf("journal: %w", err)
	case !same:
		return errAway
	}
	return nil
}

// held makes sure that the directory is there and is ours. Where it was removed and is back, the lock is taken again. For the
// writer alone.
func (j *Journal) held() error {
	err := j.owns()
	if !errors.Is(err, errAway) {
		return err
	}
	lock, err := j.fs.Lock(filepath.Join(j.dir, lockName))
	if err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	there, err := j.whatIsBack() // before anybody takes the directory for ours
	if err != nil {
		return errors.Join(err, lock.Close())
	}
	gone := j.swapLock(lock)
	if err := j.revisit(there); err != nil {
		return errors.Join(err, j.swapLock(gone).Close()) // and again, the next time
	}
	_ = gone.Close() // nobody can find that file
	return nil
}

func (j *Journal) swapLock(lock File) (before File) {
	j.mu.Lock()
	defer j.mu.Unlock()
	before, j.lock = j.lock, lock
	return before
}

// revisit notes which segments have gone with a directory that was removed and is back, and writes the cursors that have: what
// comes now must be pinned after a crash too.
func (j *Journal) revisit(there map[string]bool) error {
	if err := j.secureCursors(); err != nil {
		return err
	}
	_, noted, err := readNotes(j.fs, j.dir, nil)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.noted = noted // what has gone with it is noted once more
	notify(j.kick)
	passed := floor(j.cursors)
	kept := j.segments[:0:0]
	for _, s := range j.segments {
		if there[s.path] {
			kept = append(kept, s)
			continue
		}
		if from := max(s.header.first, addOne(passed)); from <= s.last {
			d := Damage{Segment: s.header.number, From: from, To: s.last}
			j.damage = append(j.damage, d)
			j.lose(d)
		}
	}
	j.segments = kept
	return nil
}

// whatIsBack returns the segments that are in the directory. All of them must be this journal's: what another one has left there
// would be taken for ours, and removed as such.
func (j *Journal) whatIsBack() (map[string]bool, error) {
	names, err := j.fs.List(j.dir)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j.mu.Lock()
	ours := map[string]header{}
	for _, s := range slices.Concat(j.leaving, j.segments) {
		ours[s.path] = s.header
	}
	j.mu.Unlock()
	there := map[string]bool{}
	for _, name := range names {
		if _, isSegment := segmentNumber(name); !isSegment {
			continue
		}
		path := filepath.Join(j.dir, name)
		b, err := readFile(j.fs, path, dataStart)
		if err != nil {
			return nil, err
		}
		h, _, err := decodeHeader(b)
		if err != nil {
			h = header{} // as damage has left it, at Open already
		}
		if known, ok := ours[path]; !ok || h.salt != known.salt {
			return nil, fmt.Errorf("%w: %s", errAnother, path)
		}
		there[path] = true
	}
	return there, nil
}

// addOne is n+1, but for the highest number, which stands for "no required reader": then nothing was passed.
func addOne(n uint64) uint64 {
	if n == math.MaxUint64 {
		return 1
	}
	return n + 1
}
