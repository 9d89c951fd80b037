package journal

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// OpenIn opens a new journal for this process, in a directory of its own under parent. Config.Dir is ignored.
func OpenIn(parent string, config Config) (*Journal, error) {
	for again := 0; ; again++ {
		var name [8]byte
		_, _ = rand.Read(name[:]) // never fails
		config.Dir = filepath.Join(parent, hex.EncodeToString(name[:]))
		j, err := Open(config)
		// Another process may adopt the directory before it is locked: it is not in use yet, and empty.
		if taken := errors.Is(err, ErrLocked) || errors.Is(err, fs.ErrNotExist); !taken || again == 10 {
			return j, err
		}
	}
}

// Adopt opens, with NoAppend, the journals under parent whose owner is gone: those that nobody has locked. Deliver what is in
// them under the names of Status().Readers, then call RemoveDelivered. Journals that could not be opened are left to the next
// Adopt, and named in the error beside those that were opened. Open reads all of a journal: have skip, where it is not nil, report
// true for the directory of one that cannot be removed yet, rather than adopt it again and again. What is no journal is left alone,
// and costs a look into its directory; one that this process may not look into is named in the error.
func Adopt(parent string, config Config, skip func(dir string) bool) ([]*Journal, error) {
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
		is, err := isJournal(config.FS, config.Dir)
		if err != nil {
			failed = append(failed, fmt.Errorf("adopt %s: %w", config.Dir, err))
		}
		if !is || skip != nil && skip(config.Dir) {
			continue
		}
		j, err := Open(config)
		switch {
		case err == nil:
			adopted = append(adopted, j)
		case !errors.Is(err, ErrLocked) && !errors.Is(err, fs.ErrNotExist): // in use; removed by who had it
			failed = append(failed, fmt.Errorf("adopt %s: %w", config.Dir, err))
		}
	}
	return adopted, errors.Join(failed...)
}

// lostAndFound is the directory that a file system has at its root, and that only the superuser may read.
const lostAndFound = "lost+found"

// besides is what a journal has besides segments, cursors and what is being made. The dead letters are trail's.
var besides = []string{lockName, quarantineName, "dead-letters"}

// isJournal reports whether a directory is a journal that can be locked. It has a lock, which is empty, and a segment or a cursor;
// or, where its owner died before it had one or while it was removed, nothing that is not a journal's. One without a lock is being
// made, or removed, or something else.
func isJournal(f FS, dir string) (bool, error) {
	names, err := f.List(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), err != nil && filepath.Base(dir) == lostAndFound:
		return false, nil
	case err != nil || !slices.Contains(names, lockName):
		return false, err
	}
	bare, used := true, false
	for _, name := range names {
		_, isSegment := segmentNumber(name)
		used = used || isSegment || strings.HasSuffix(name, cursorSuffix)
		bare = bare && (slices.Contains(besides, name) || isTemporary(name))
	}
	if !bare && !used {
		return false, nil
	}
	lock, b, err := openSized(nil, f, filepath.Join(dir, lockName), 1)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) { // removed by who had it
			err = nil
		}
		return false, err
	}
	return len(b) == 0, lock.Close()
}

// Cursors returns how far each reader of the journal in dir has come, by its name. It neither waits for the lock nor reads what is
// in the journal. fs may be nil: the operating system's.
func Cursors(fs FS, dir string) (map[string]uint64, error) {
	if fs == nil {
		fs = OS()
	}
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	seqs := map[string]uint64{}
	for _, name := range names {
		if !strings.HasSuffix(name, cursorSuffix) {
			continue
		}
		c, err := readCursor(fs, dir, name)
		if err != nil {
			return nil, err
		}
		seqs[c.name] = c.seq
	}
	return seqs, nil
}
