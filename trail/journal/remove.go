package journal

import (
	"errors"
	"io/fs"
	"math"
	"path/filepath"
)

// RemoveDelivered closes an adopted journal and removes its directory. It returns ErrPinned, and the journal stays open, unless
// every required reader has all that can be read, and there is such a reader; where nothing is left it needs none. Retention does
// not hold it. A directory with quarantined bytes, or with something that is not the journal's, keeps those, and is no journal
// any more. After any other error the journal is closed; what is left of it can be adopted again. ErrClosed: it was closed before.
func (j *Journal) RemoveDelivered() error {
	j.mu.Lock()
	if j.closing {
		j.mu.Unlock()
		return ErrClosed
	}
	if !j.config.NoAppend || !j.delivered() {
		j.mu.Unlock()
		return ErrPinned
	}
	j.closing = true // nobody opens a reader from here on
	j.mu.Unlock()
	j.keepLock.Store(true)
	err := j.Close()
	switch {
	case err == nil:
		err = j.removeFiles()
	case j.keepLock.CompareAndSwap(true, false):
		return err // the lock goes when the disk answers
	}
	return errors.Join(err, j.lock.Close())
}

// delivered reports whether nobody needs what is left. Called with mu held.
func (j *Journal) delivered() bool {
	passed, newest := floor(j.cursors), j.newest()
	return j.unsecured == nil && (newest == 0 || passed != math.MaxUint64 && passed >= newest)
}

// removeFiles removes the journal. Wherever a crash cuts it off, what is left says truly what was delivered: segments go oldest
// first, each removal on disk before the next, then the cursors, those last that pin. The lock goes with the directory, and is
// held until then, so that nobody opens what is half gone.
func (j *Journal) removeFiles() error {
	if err := j.owns(); err != nil {
		return err
	}
	if err := j.noteLosses(); err != nil && !isFull(err) {
		return err
	}
	for _, s := range append(j.leaving, j.segments...) {
		if err := j.discard(s); err != nil {
			return err
		}
	}
	if err := j.noteLosses(); err != nil {
		return err
	}
	for _, required := range []bool{false, true} {
		for _, c := range j.cursors {
			if c.required != required {
				continue
			}
			if err := j.fs.Remove(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if err := j.fs.SyncDir(j.dir); err != nil {
			return err
		}
	}
	names, err := j.fs.List(j.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == lockName || isTemporary(name) {
			if err := j.fs.Remove(filepath.Join(j.dir, name)); err != nil {
				return err
			}
		}
	}
	err = j.fs.Remove(j.dir)
	if errors.Is(err, fs.ErrExist) { // as a directory that is not empty says
		return j.fs.SyncDir(j.dir)
	}
	if err != nil {
		return err
	}
	return j.fs.SyncDir(filepath.Dir(j.dir))
}
