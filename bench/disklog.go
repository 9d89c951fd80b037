package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// diskLog is what brings records to disk.
type diskLog interface {
	// append returns after the record is on disk. answer is a channel of one that belongs to the call.
	append(ctx context.Context, record []byte, answer chan error) error
	close() error
}

// openLog opens a log for n records in dir, which is empty, and returns it when it is as fast as it will be.
type openLog func(ctx context.Context, dir string, n int) (diskLog, error)

// inDirectory calls f with a new directory on a disk, where a private Postgres would be too.
func inDirectory(f func(dir string) error) (err error) {
	dir, err := os.MkdirTemp(cmp.Or(os.Getenv("TMPDIR"), "/var/tmp"), "otelaudit-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return f(dir)
}

func inDirectories(n int, f func(dirs []string) error) error {
	return inDirectory(func(dir string) error {
		dirs := make([]string, n)
		for i := range dirs {
			dirs[i] = filepath.Join(dir, fmt.Sprint(i))
			if err := os.Mkdir(dirs[i], 0o700); err != nil {
				return err
			}
		}
		return f(dirs)
	})
}

func makeRecord(seed int) []byte {
	record := make([]byte, recordBytes)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(record) // never fails
	return record
}

// journalLog is the journal, as it is by default.
type journalLog struct{ *journal.Journal }

func openJournal(ctx context.Context, dir string, _ int) (diskLog, error) {
	fs := &watchedFS{FS: journal.OS()}
	j, err := journal.Open(journal.Config{Dir: dir, FS: fs})
	if err != nil {
		return nil, err
	}
	err = fs.awaitSpare(ctx, 1)
	if err == nil {
		_, err = j.Append(ctx, makeRecord(0)) // which takes the spare segment, and has the next one made
	}
	if err == nil {
		err = fs.awaitSpare(ctx, 2)
	}
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return journalLog{j}, nil
}

func (l journalLog) append(ctx context.Context, record []byte, _ chan error) error {
	_, err := l.Append(ctx, record)
	return err
}

func (l journalLog) close() error { return l.Close() }

// groupedLog is a log behind a bare group commit.
type groupedLog struct {
	*groupCommit
	closeLog func() error
}

func (l groupedLog) append(_ context.Context, record []byte, answer chan error) error {
	return l.groupCommit.append(record, answer)
}

func (l groupedLog) close() error {
	l.groupCommit.close()
	return l.closeLog()
}

// openBare opens a file that n records fit into, behind a bare group commit.
func openBare(_ context.Context, dir string, n int) (diskLog, error) {
	f := &bareFiles{dir: dir, size: int64(n) * recordBytes}
	if err := f.open(); err != nil {
		return nil, err
	}
	return groupedLog{newGroupCommit(f.append), f.close}, nil
}

// openRollingBare opens a file as long as a journal's segment, which the next one will follow.
func openRollingBare(_ context.Context, dir string, _ int) (diskLog, error) {
	f := &bareFiles{dir: dir, size: defaultSegmentBytes, rolls: true}
	if err := f.open(); err != nil {
		return nil, err
	}
	return groupedLog{newGroupCommit(f.append), f.close}, nil
}

// directLog is a file to which the caller itself writes.
type directLog struct{ *bareFiles }

func openDirect(_ context.Context, dir string, n int) (diskLog, error) {
	f := &bareFiles{dir: dir, size: int64(n) * recordBytes}
	return directLog{f}, f.open()
}

func (l directLog) append(_ context.Context, record []byte, _ chan error) error {
	return l.bareFiles.append(record)
}
