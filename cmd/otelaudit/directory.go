package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// What lies in a journal's directory: docs/journal-format.md.
const (
	lockName        = "lock"
	segmentSuffix   = ".segment"
	quarantineName  = "quarantine"
	deadLettersName = "dead-letters"
)

// isSegment reports whether a name is a segment's: one with a number that journals come to.
func isSegment(name string) bool {
	return strings.HasSuffix(name, segmentSuffix) && name < "8"
}

// isJournal reports whether a directory with these names is a journal.
func isJournal(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return name == lockName || isSegment(name) })
}

// wasJournal reports whether they are what stays of one that was adopted, delivered and removed.
func wasJournal(names []string) bool {
	return slices.Contains(names, deadLettersName) || slices.Contains(names, quarantineName)
}

// journalsAt returns dir where it is a journal, else the journals in it: dir may be a trail.Config.ParentDir. What cannot be looked
// into may be one too, but for the directory that a file system has at its root.
func journalsAt(dir string) ([]string, error) {
	names, err := journal.OS().List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist: name the directory that trail.Config.Dir or ParentDir names", dir)
	}
	if err != nil {
		return nil, err
	}
	if isJournal(names) || wasJournal(names) {
		return []string{dir}, nil
	}
	var found []string
	for _, name := range names {
		path := filepath.Join(dir, name)
		below, err := journal.OS().List(path)
		closed := err != nil && !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, fs.ErrNotExist) && name != "lost+found"
		if closed || isJournal(below) || wasJournal(below) {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s is no journal, and has none in it: name the directory that trail.Config.Dir or ParentDir names", dir)
	}
	return found, nil
}

// journalAt checks that dir is one journal, or what stays of it.
func journalAt(dir string) error {
	found, err := journalsAt(dir)
	if err == nil && (len(found) > 1 || found[0] != dir) {
		err = fmt.Errorf("%s is no journal itself: name one of those in it: %s", dir, strings.Join(found, ", "))
	}
	return err
}

// wholeJournalAt checks that dir is one journal: it is about to be opened, which would make it.
func wholeJournalAt(dir string) error {
	if err := journalAt(dir); err != nil {
		return err
	}
	names, err := journal.OS().List(dir)
	if err == nil && !isJournal(names) {
		err = fmt.Errorf("%s has been delivered and removed: only its dead letters or quarantined bytes are left", dir)
	}
	return err
}

func isDirectory(path string) bool {
	_, err := journal.OS().List(path)
	return err == nil
}

// explained is err with what to do about it.
func explained(err error, dir string) error {
	switch {
	case errors.Is(err, journal.ErrLocked):
		return fmt.Errorf("%s is in use: the process that has it open delivers it itself; to do this, end that process first "+
			"(fuser -v %s names it)", dir, filepath.Join(dir, lockName))
	case errors.Is(err, journal.ErrFormat):
		return fmt.Errorf("%s: %w; if it is of a later version, use the otelaudit of the program that wrote it", dir, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: run this as the user of the services that write there", err)
	}
	return err
}
