package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// looker reads a journal without its lock, beside a process that may write it. Each look reads whole segments.
type looker struct {
	dir   string
	files files
}

func newLooker(ctx context.Context, dir string) *looker {
	return &looker{dir: dir, files: files{FS: journal.OS(), ended: ctx.Err}}
}

// vanishing is how often a look may find that a segment has gone, or been given back its unused end, since it was listed.
const vanishing = 20

// look returns the journal as it is now.
func (l *looker) look() (*journal.View, error) {
	for attempt := 1; ; attempt++ {
		view, err := journal.Look(&l.files, l.dir)
		switch {
		case err == nil:
			return view, nil
		case (errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.EOF)) && isDirectory(l.dir) && attempt < vanishing:
		default:
			return nil, explained(fmt.Errorf("read %s: %w", l.dir, err), l.dir)
		}
	}
}

// lookTwice returns the journal as it is now, and of what seems damaged that which stays so: what another process wrote while
// it was read looks damaged once.
func (l *looker) lookTwice() (*journal.View, journal.Status, error) {
	view, err := l.look()
	if err != nil {
		return nil, journal.Status{}, err
	}
	status := view.Status()
	if len(status.Damage) == 0 {
		return view, status, nil
	}
	if view, err = l.look(); err != nil {
		return nil, journal.Status{}, err
	}
	first := status.Damage
	status = view.Status()
	status.Damage = slices.DeleteFunc(status.Damage, func(d journal.Damage) bool { return !slices.Contains(first, d) })
	return view, status, nil
}

// leaveOut has the next look read no segment that is older than the newest one which the last look has read.
func (l *looker) leaveOut() { l.files.from = l.files.newest }

// files is the file system for a look. It reads no more once ended returns an error.
type files struct {
	journal.FS
	ended  func() error
	from   string // leave out the segments before this one
	newest string // the last segment that was listed
}

// List leaves out what was read before.
func (f *files) List(dir string) ([]string, error) {
	names, err := f.FS.List(dir)
	names = slices.DeleteFunc(names, func(name string) bool { return isSegment(name) && name < f.from })
	for _, name := range names {
		if isSegment(name) {
			f.newest = name
		}
	}
	return names, err
}

// OpenFile opens a file unless the command is to end.
func (f *files) OpenFile(path string, flag int) (journal.File, error) {
	if err := f.ended(); err != nil {
		return nil, err
	}
	return f.FS.OpenFile(path, flag)
}
