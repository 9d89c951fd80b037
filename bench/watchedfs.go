package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// watchedFS sees when the journal has made the file of its next segment. Before that a journal is slower than it will be.
type watchedFS struct {
	journal.FS
	spares atomic.Int64 // that are complete
}

func (w *watchedFS) OpenFile(path string, flag int) (journal.File, error) {
	f, err := w.FS.OpenFile(path, flag)
	if err != nil || flag&os.O_TRUNC == 0 || !strings.Contains(path, "spare-") {
		return f, err
	}
	return &watchedFile{File: f, fs: w}, nil
}

func (w *watchedFS) Same(path string, f journal.File) (bool, error) {
	if watched, ok := f.(*watchedFile); ok {
		f = watched.File
	}
	return w.FS.Same(path, f)
}

// awaitSpare waits until n spares have been made.
func (w *watchedFS) awaitSpare(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for w.spares.Load() < int64(n) {
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("the journal has not made its spare segment: %w", ctx.Err())
		}
	}
	return nil
}

// watchedFile is the file of a spare segment, which is filled from its beginning to its end.
type watchedFile struct {
	journal.File
	fs       *watchedFS
	written  int64
	complete bool
}

func (f *watchedFile) WriteAt(b []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(b, off)
	f.written = off + int64(n)
	return n, err
}

func (f *watchedFile) Sync() error {
	err := f.File.Sync()
	if err == nil && f.written == defaultSegmentBytes && !f.complete {
		f.complete = true
		f.fs.spares.Add(1)
	}
	return err
}
