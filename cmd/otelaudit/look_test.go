package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// meddling is a file system on which the first read of a segment meets a write under way.
type meddling struct {
	journal.FS
	once sync.Once
	with func(journal.File) (journal.File, error)
}

func (m *meddling) OpenFile(path string, flag int) (f journal.File, err error) {
	f, err = m.FS.OpenFile(path, flag)
	if err == nil && strings.HasSuffix(path, segmentSuffix) {
		m.once.Do(func() { f, err = m.with(f) })
	}
	return f, err
}

// halfWritten lacks a byte of the first record.
type halfWritten struct{ journal.File }

func (h halfWritten) ReadAt(p []byte, off int64) (int, error) {
	n, err := h.File.ReadAt(p, off)
	if at := inRecord1 - off; at >= 0 && at < int64(n) {
		p[at] ^= 0xff
	}
	return n, err
}

func TestWhatIsBeingWrittenIsNotDamaged(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	l := newLooker(t.Context(), dir)
	l.files.FS = &meddling{FS: journal.OS(), with: func(f journal.File) (journal.File, error) { return halfWritten{f}, nil }}
	_, status, err := l.lookTwice()
	require.NoError(t, err)
	require.Empty(t, status.Damage)

	damage(t, segments(t, dir)[0], inRecord1) // and now it is
	_, status, err = l.lookTwice()
	require.NoError(t, err)
	require.Len(t, status.Damage, 1)
}

func TestASegmentThatGoesWhileTheJournalIsRead(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	l := newLooker(t.Context(), dir)
	l.files.FS = &meddling{FS: journal.OS(), with: func(f journal.File) (journal.File, error) {
		return nil, &fs.PathError{Op: "open", Err: errors.Join(f.Close(), fs.ErrNotExist)}
	}}
	view, err := l.look()
	require.NoError(t, err)
	require.EqualValues(t, 8, view.Status().Last)
}

// TestBesideABusyProcess looks at a journal into which four goroutines write, and from which two sinks read.
func TestBesideABusyProcess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	j, err := journal.Open(journal.Config{Dir: dir, SegmentBytes: 64 << 10})
	require.NoError(t, err)
	const writers, each = 4, 400
	var busy sync.WaitGroup
	for _, name := range []string{"otlp", "postgres"} {
		r, err := j.Reader(name, journal.Required)
		require.NoError(t, err)
		busy.Go(func() {
			defer r.Close()
			for at := uint64(0); at < writers*each; {
				records, err := r.Next(t.Context(), 16, 1<<20)
				if err != nil {
					t.Error(err)
					return
				}
				at = records[len(records)-1].Seq
				if err := r.Commit(at); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	data := updates(t, 1, 1)[0]
	for range writers {
		busy.Go(func() {
			for range each {
				if _, err := j.Append(t.Context(), data); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	t.Cleanup(busy.Wait)
	done := make(chan struct{})
	go func() { busy.Wait(); close(done) }()
	for {
		select {
		case <-done:
			require.NoError(t, j.Close())
			require.Contains(t, succeed(t, dir, "journal inspect DIR"), "..1600, in ")
			return
		default:
			succeed(t, dir, "journal inspect DIR")
			succeed(t, dir, "journal tail DIR -n 5 -json")
		}
	}
}
