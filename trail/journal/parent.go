package journal

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// OpenIn opens a new journal for this process, in a directory of its own under parent. Config.Dir is ignored.
func OpenIn(parent string, config Config) (*Journal, error) {
	var name [8]byte
	_, _ = rand.Read(name[:]) // never fails
	config.Dir = filepath.Join(parent, hex.EncodeToString(name[:]))
	return Open(config)
}

// Adopt opens, with NoAppend, the journals under parent whose owner is gone: those that nobody has locked. Deliver what is in
// them under the names of Status().Readers, then call RemoveDelivered. Journals that could not be opened are left to the next
// Adopt, and named in the error beside those that were opened.
func Adopt(parent string, config Config) ([]*Journal, error) {
	config.setDefaults()
	config.NoAppend = true
	names, err := config.FS.List(parent)
	if err != nil {
		return nil, err
	}
	var adopted []*Journal
	var failed []error
	for _, name := range names {
		config.Dir = filepath.Join(parent, name)
		if !isJournal(config.FS, config.Dir) {
			continue
		}
		j, err := Open(config)
		switch {
		case err == nil:
			adopted = append(adopted, j)
		case !errors.Is(err, ErrLocked):
			failed = append(failed, fmt.Errorf("adopt %s: %w", config.Dir, err))
		}
	}
	return adopted, errors.Join(failed...)
}

// isJournal reports whether a directory has a journal's lock. One without it is being made, or removed, or something else.
func isJournal(f FS, dir string) bool {
	names, err := f.List(dir)
	return err == nil && slices.Contains(names, lockName)
}

// RemoveDelivered closes an adopted journal and removes its directory. It returns ErrPinned, and the journal stays open, unless
// every required reader has everything, and there is one. A directory with quarantined bytes keeps those.
func (j *Journal) RemoveDelivered() error {
	j.mu.Lock()
	passed, last := floor(j.cursors), j.synced
	required := false
	for _, c := range j.cursors {
		required = required || c.required
	}
	j.mu.Unlock()
	if !j.config.NoAppend || !required || passed < last {
		return ErrPinned
	}
	j.keepLock.Store(true)
	if err := j.Close(); err != nil {
		return err
	}
	return errors.Join(j.removeFiles(), j.lock.Close())
}

// removeFiles removes the journal, cursors last: a crash on the way leaves segments that everybody has, or none. The lock goes
// with the directory, and is held until then, so that nobody opens what is half gone.
func (j *Journal) removeFiles() error {
	names, err := j.fs.List(j.dir)
	if err != nil {
		return err
	}
	kept := false
	var cursors []string
	for _, name := range names {
		_, isSegment := segmentNumber(name)
		_, isCursor := cursorName(name)
		switch {
		case isSegment:
			if err := j.fs.Remove(filepath.Join(j.dir, name)); err != nil {
				return err
			}
		case isCursor:
			cursors = append(cursors, name)
		case name != lockName:
			kept = true
		}
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		return err
	}
	for _, name := range append(cursors, lockName) {
		if err := j.fs.Remove(filepath.Join(j.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if kept {
		return j.fs.SyncDir(j.dir)
	}
	if err := j.fs.Remove(j.dir); err != nil {
		return err
	}
	return j.fs.SyncDir(filepath.Dir(j.dir))
}
