package journal

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// fill appends n records of 200 bytes.
func fill(tb testing.TB, j *Journal, n int) {
	tb.Helper()
	for i := range n {
		_, err := j.Append(context.Background(), fmt.Appendf(nil, "%-200d", i))
		require.NoError(tb, err)
	}
}

// take reads n records and returns the number of the last.
func take(tb testing.TB, r *Reader, n int) uint64 {
	tb.Helper()
	last := uint64(0)
	for got := 0; got < n; {
		records, err := r.Next(context.Background(), n-got, 1<<20)
		require.NoError(tb, err)
		for _, rec := range records {
			require.Greater(tb, rec.Seq, last)
			last = rec.Seq
		}
		got += len(records)
	}
	return last
}

func TestReadersKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	config := small(newSimFS())
	j, err := Open(config)
	require.NoError(t, err)
	a, err := j.Reader("Postgres, north/1", Required)
	require.NoError(t, err)
	b, err := j.Reader("b", BestEffort)
	require.NoError(t, err)
	_, err = j.Reader("b", Required)
	require.ErrorIs(t, err, ErrInUse)
	fill(t, j, 40)
	require.Equal(t, uint64(40), a.Behind())
	require.Equal(t, uint64(30), take(t, a, 30))
	require.Equal(t, uint64(10), a.Behind())
	require.Equal(t, uint64(10), take(t, b, 10), "before anything may go")
	require.NoError(t, b.Commit(10))
	require.NoError(t, a.Commit(25))
	require.NoError(t, a.Commit(3), "behind is no error")
	require.ErrorIs(t, a.Commit(31), ErrAhead)
	require.ErrorIs(t, j.Forget("b"), ErrInUse)
	require.ErrorIs(t, j.Forget("c"), ErrUnknown)
	a.Close()
	a.Close()
	require.ErrorIs(t, a.Commit(30), ErrClosed)
	b.Close()
	require.NoError(t, j.Close())

	j = open(t, config)
	status := j.Status()
	require.Equal(t, "Postgres, north/1", status.Readers[0].Name)
	require.Equal(t, ReaderStatus{Name: "b", Seq: 10, Lag: 30, Oldest: status.Readers[1].Oldest}, status.Readers[1])
	a, err = j.Reader("Postgres, north/1", Required)
	require.NoError(t, err)
	records, err := a.Next(context.Background(), 1, 1)
	require.NoError(t, err)
	require.Equal(t, uint64(26), records[0].Seq)
	a.Close()
	require.NoError(t, j.Forget("b"))
	require.Len(t, j.Status().Readers, 1)
}

func TestNamesOfReaders(t *testing.T) {
	t.Parallel()
	j := open(t, small(newSimFS()))
	for _, name := range []string{"", strings.Repeat("x", MaxNameBytes+1)} {
		_, err := j.Reader(name, Required)
		require.ErrorIs(t, err, ErrName)
	}
	for _, name := range []string{"a", "A", "ä", "a/b", "..", "%", "a b", strings.Repeat("ß", 32)} {
		r, err := j.Reader(name, Required)
		require.NoError(t, err)
		got, ok := cursorName(cursorPath("", name))
		require.True(t, ok)
		require.Equal(t, name, got)
		r.Close()
	}
	require.Len(t, j.Status().Readers, 8)
}

// Next waits for a record, for its context and for Close.
func TestNextWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, err := Open(small(newSimFS()))
		require.NoError(t, err)
		r, err := j.Reader("a", Required)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err = r.Next(ctx, 1, 1)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		got := make(chan error)
		go func() {
			records, err := r.Next(context.Background(), 10, 1<<20)
			if err == nil && string(records[0].Data) != "a record" {
				err = fmt.Errorf("got %q", records[0].Data)
			}
			got <- err
			_, err = r.Next(context.Background(), 10, 1<<20)
			got <- err
		}()
		synctest.Wait()
		_, err = j.Append(context.Background(), []byte("a record"))
		require.NoError(t, err)
		require.NoError(t, <-got)
		synctest.Wait()
		require.NoError(t, j.Close())
		require.ErrorIs(t, <-got, ErrClosed)
		r.Close()
	})
}

// Batches respect both limits, but for a record that is longer than the limit, and cross segments.
func TestLimitsOfABatch(t *testing.T) {
	t.Parallel()
	config := small(newSimFS())
	config.SegmentBytes = 1 << 20
	j := open(t, config)
	r, err := j.Reader("a", Required)
	require.NoError(t, err)
	fill(t, j, 10)
	_, err = j.Append(context.Background(), make([]byte, 300<<10), []byte{}, make([]byte, 2<<20)) // a segment of its own
	require.NoError(t, err)
	fill(t, j, 3000)
	for _, want := range []struct{ maxRecords, maxBytes, n int }{
		{3, 1 << 20, 3}, {100, 400, 2}, {100, 199, 1}, {0, 0, 1}, {3, 1 << 20, 3}, {1, 5, 1}, {100, 1, 1}, {100, 0, 1},
	} {
		records, err := r.Next(context.Background(), want.maxRecords, want.maxBytes)
		require.NoError(t, err)
		require.Len(t, records, want.n, "%+v", want)
	}
	require.Equal(t, uint64(3013), take(t, r, 3000))
	r.Close()
}

// A backlog comes in batches that are as large as was asked for, by few and large reads.
func TestABacklogIsReadInLargeBlocks(t *testing.T) {
	t.Parallel()
	s := newSimFS()
	config := small(s)
	config.SegmentBytes = 16 << 20
	j := open(t, config)
	call := make([][]byte, 100)
	for i := range call {
		call[i] = make([]byte, 500)
	}
	for range 200 {
		_, err := j.Append(context.Background(), call...)
		require.NoError(t, err)
	}
	r, err := j.Reader("a", Required)
	require.NoError(t, err)
	var reads atomic.Int64
	s.setFault(func(op, _ string) error {
		if op == "read" {
			reads.Add(1)
		}
		return nil
	})
	for range 9 {
		records, err := r.Next(context.Background(), 2048, 4<<20)
		require.NoError(t, err)
		require.Equal(t, 2048, len(records)) //nolint:testifylint // Len would print a megabyte
	}
	require.LessOrEqual(t, reads.Load(), int64(6), "of ten megabytes")
	s.setFault(nil)
	r.Close()
}

// A segment goes when the cursors on disk of all required readers have passed it, and not before.
func TestSegmentsGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSimFS()
		config := small(s)
		j, err := Open(config)
		require.NoError(t, err)
		best, err := j.Reader("best", BestEffort)
		require.NoError(t, err)
		fill(t, j, 100)
		take(t, best, 50)
		require.NoError(t, best.Commit(50))
		synctest.Wait()
		all := j.Status().Segments
		require.Greater(t, all, 5, "without a required reader, nothing goes")

		a, err := j.Reader("a", Required)
		require.NoError(t, err)
		b, err := j.Reader("b", Required)
		require.NoError(t, err)
		take(t, a, 100)
		require.NoError(t, a.Commit(100))
		take(t, b, 100)
		synctest.Wait()
		require.Equal(t, all, j.Status().Segments, "read is not committed")
		require.NoError(t, b.Commit(60))
		synctest.Wait()
		status := j.Status()
		require.Less(t, status.Segments, all)
		require.LessOrEqual(t, status.First, uint64(61))
		require.Greater(t, status.First, uint64(30))

		fill(t, j, 20)
		take(t, best, 1)
		b.Close()
		require.NoError(t, j.Forget("b"))
		synctest.Wait()
		require.Greater(t, j.Status().First, uint64(61), "what is forgotten does not pin")
		take(t, best, 5)
		require.Positive(t, best.Missed())
		late, err := j.Reader("late", Required)
		require.NoError(t, err)
		records, err := late.Next(context.Background(), 1, 1)
		require.NoError(t, err)
		require.Equal(t, j.Status().First, records[0].Seq, "a new reader starts at the oldest record left")
		for _, r := range []*Reader{a, late, best} {
			r.Close()
		}
		require.NoError(t, j.Close())

		j, err = Open(config)
		require.NoError(t, err)
		fill(t, j, 40)
		synctest.Wait()
		status = j.Status()
		require.LessOrEqual(t, status.First, uint64(101), "cursors that nobody opened pin")
		require.Empty(t, status.Damage)
		require.False(t, status.Readers[0].Open)
		require.NoError(t, j.Close())
	})
}

func TestRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := small(newSimFS())
		config.Retention = time.Hour
		j, err := Open(config)
		require.NoError(t, err)
		r, err := j.Reader("a", Required)
		require.NoError(t, err)
		fill(t, j, 100)
		take(t, r, 100)
		require.NoError(t, r.Commit(100))
		synctest.Wait()
		require.Equal(t, uint64(1), j.Status().First)
		<-time.After(time.Hour) // the bubble's clock, which takes no time
		synctest.Wait()
		require.Equal(t, 1, j.Status().Segments)
		r.Close()
		require.NoError(t, j.Close())
	})
}

// A cursor of which no slot is intact starts again at the oldest record, pins, and says so; one slot is enough.
func TestDamagedCursors(t *testing.T) {
	t.Parallel()
	s := newSimFS()
	config := small(s)
	j, err := Open(config)
	require.NoError(t, err)
	r, err := j.Reader("a", BestEffort)
	require.NoError(t, err)
	fill(t, j, 9)
	for range 3 {
		require.NoError(t, r.Commit(take(t, r, 3)))
	}
	r.Close()
	require.NoError(t, j.Close())
	path := cursorPath("/var/audit", "a")
	files := s.contents("/var/audit")
	good := files[path]
	for i := range good {
		files[path] = append([]byte{}, good...)
		files[path][i] ^= 1 << (i % 8)
		view, err := Look(diskOf(files), "/var/audit")
		require.NoError(t, err)
		r := view.Status().Readers[0]
		require.Contains(t, []uint64{6, 9}, r.Seq, "byte %d", i)
		require.False(t, r.Damaged)
	}
	files[path] = good[:100]
	config.FS = diskOf(files)
	j = open(t, config)
	status := j.Status().Readers[0]
	require.True(t, status.Damaged)
	require.True(t, status.Required)
	r, err = j.Reader("a", Required)
	require.NoError(t, err)
	require.Equal(t, uint64(9), take(t, r, 9))
	require.False(t, j.Status().Readers[0].Damaged)
	r.Close()
}

// A cursor whose sync fails stays where it is; the next one goes to a new file.
func TestACursorThatCannotBeSynced(t *testing.T) {
	t.Parallel()
	s := newSimFS()
	j := open(t, small(s))
	r, err := j.Reader("a", Required)
	require.NoError(t, err)
	defer r.Close()
	fill(t, j, 4)
	take(t, r, 4)
	s.setFault(func(op, path string) error {
		if op == "sync" && strings.Contains(path, cursorSuffix) {
			return errShort
		}
		return nil
	})
	require.Error(t, r.Commit(2))
	require.Zero(t, j.Status().Readers[0].Seq)
	s.setFault(nil)
	require.NoError(t, r.Commit(3))
	after := open(t, small(s.crash(loseAll, newRandom(1))))
	require.Equal(t, uint64(3), after.Status().Readers[0].Seq)
	s.revive()
}

// Who keeps everything keeps it also where the clock that wrote it was ahead.
func TestRetentionForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := small(newSimFS())
		config.Retention = math.MaxInt64
		config.now = func() time.Time { return time.Now().Add(time.Hour) }
		j, err := Open(config)
		require.NoError(t, err)
		r, err := j.Reader("a", Required)
		require.NoError(t, err)
		fill(t, j, 60)
		require.NoError(t, r.Commit(take(t, r, 60)))
		r.Close()
		require.NoError(t, j.Close())
		segments := j.Status().Segments
		require.Greater(t, segments, 2)
		config.now, config.NoAppend = nil, true
		j, err = Open(config)
		require.NoError(t, err)
		synctest.Wait()
		require.GreaterOrEqual(t, j.Status().Segments, segments)
		require.NoError(t, j.Close())
	})
}

// Nor is that file written again when the disk has no room for a new one, as it would be otherwise.
func TestACursorThatFailedIsNotWrittenAgain(t *testing.T) {
	t.Parallel()
	for _, failed := range []bool{false, true} {
		s := newSimFS()
		j := open(t, small(s))
		r, err := j.Reader("a", Required)
		require.NoError(t, err)
		fill(t, j, 4)
		take(t, r, 4)
		require.NoError(t, r.Commit(1))
		path := cursorPath("/var/audit", "a")
		full, reopened := false, 0
		s.setFault(func(op, at string) error {
			switch {
			case op == "sync" && strings.HasPrefix(at, path) && !full && failed:
				return syscall.EIO
			case op == "open" && at == path+temporarySuffix && full:
				return syscall.ENOSPC
			case op == "open" && at == path:
				reopened++
			}
			return nil
		})
		if failed {
			require.ErrorIs(t, r.Commit(2), syscall.EIO)
			full = true
			require.ErrorIs(t, r.Commit(3), syscall.ENOSPC)
			require.Zero(t, reopened)
		} else {
			r.cursor.close()
			full = true
			require.NoError(t, r.Commit(3))
			require.Equal(t, 1, reopened)
		}
		s.setFault(nil)
		require.NoError(t, r.Commit(4))
		r.Close()
	}
}

// A frame that was intact at Open and is not when it is read costs one record, which is reported; the rest is read.
func TestRotWhileOpen(t *testing.T) {
	t.Parallel()
	s := newSimFS()
	j := open(t, small(s))
	r, err := j.Reader("a", Required)
	require.NoError(t, err)
	defer r.Close()
	fill(t, j, 40)
	s.mu.Lock()
	s.nodes[segmentPath("/var/audit", 2)].data[dataStart+frameHeaderSize+3] ^= 1
	s.mu.Unlock()
	require.Equal(t, uint64(40), take(t, r, 39))
	status := j.Status()
	require.Equal(t, uint64(1), status.Lost())
	require.NotEmpty(t, status.Damage[0].Quarantine)
}

func TestAgeOfTheOldest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, err := Open(small(newSimFS()))
		require.NoError(t, err)
		r, err := j.Reader("a", Required)
		require.NoError(t, err)
		fill(t, j, 3)
		<-time.After(time.Minute) // the bubble's clock, which takes no time
		fill(t, j, 3)
		require.Equal(t, time.Minute, j.Status().Readers[0].Oldest)
		require.NoError(t, r.Commit(take(t, r, 3)))
		require.Zero(t, j.Status().Readers[0].Oldest)
		require.Equal(t, uint64(3), j.Status().Readers[0].Lag)
		r.Close()
		require.NoError(t, j.Close())
	})
}
