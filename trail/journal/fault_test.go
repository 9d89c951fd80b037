package journal

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// hang has operations wait until it is released.
type hang struct {
	on      atomic.Bool
	release chan struct{}
}

func (h *hang) fault(ops ...string) func(op, path string) error {
	return func(op, path string) error {
		for _, o := range ops {
			if o == op && h.on.Load() && strings.HasSuffix(path, temporarySuffix) {
				<-h.release
			}
		}
		return nil
	}
}

// A write or fsync that hangs for a minute holds no appender longer than AppendTimeout, and what waits stays bounded.
func TestADiskThatHangs(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"write", "sync"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSimFS()
				h := &hang{release: make(chan struct{})}
				s.fault = h.fault(op)
				config := small(s)
				config.MaxWaitingBytes = 1 << 10
				j, err := Open(config)
				require.NoError(t, err)
				ctx := context.Background()
				_, err = j.Append(ctx, []byte("before"))
				require.NoError(t, err)
				synctest.Wait()
				h.on.Store(true)
				for range 12 { // a minute
					began := time.Now()
					_, err := j.Append(ctx, []byte("meanwhile"))
					require.ErrorIs(t, err, ErrTimeout)
					require.Equal(t, 5*time.Second, time.Since(began))
				}
				began := time.Now()
				_, err = j.Append(ctx, make([]byte, 1000))
				require.ErrorIs(t, err, ErrFull)
				require.Zero(t, time.Since(began))
				require.LessOrEqual(t, j.Status().Waiting, config.MaxWaitingBytes)

				canceled, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				_, err = j.Append(canceled, []byte("canceled"))
				require.ErrorIs(t, err, ErrTimeout)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, time.Second, time.Since(began))

				h.on.Store(false)
				close(h.release)
				first, err := j.Append(ctx, []byte("after"))
				require.NoError(t, err)
				require.Equal(t, uint64(4), first, "the one in the system call arrived; then the gap; then this")
				var gap *Gap
				var there []string
				for r, err := range j.Records(0) {
					require.NoError(t, err)
					if r.Gap != nil {
						gap = r.Gap
						continue
					}
					there = append(there, string(r.Data))
				}
				require.Equal(t, []string{"before", "meanwhile", "after"}, there)
				require.Equal(t, uint64(11+1+1), gap.Refused, "what timed out, what was too much, what was canceled")
				require.NoError(t, j.Close())
			})
		})
	}
}

func TestCloseOfADiskThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSimFS()
		h := &hang{release: make(chan struct{})}
		s.fault = h.fault("sync")
		j, err := Open(small(s))
		require.NoError(t, err)
		synctest.Wait()
		h.on.Store(true)
		_, err = j.Append(context.Background(), []byte("hangs"))
		require.ErrorIs(t, err, ErrTimeout)
		began := time.Now()
		require.Error(t, j.Close())
		require.Equal(t, 10*time.Second, time.Since(began))
		_, err = Open(small(s))
		require.ErrorIs(t, err, ErrLocked, "the system call may still bring something to the disk")
		close(h.release)
		require.NoError(t, j.Close())
		_, err = j.Append(context.Background(), []byte("late"))
		require.ErrorIs(t, err, ErrClosed)
	})
}

// A failed fsync or write goes to a new segment, which supersedes what it may have left; the appender gets nil.
func TestAFaultThatPasses(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct {
		op  string
		err error
	}{
		"fsync":       {"sync", syscall.EIO},
		"write":       {"write", syscall.EIO},
		"short write": {"write", errShort},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSimFS()
			config := small(s)
			config.SegmentBytes = 1 << 20
			config.IdleMark = time.Hour
			j := open(t, config)
			_, err := j.Append(context.Background(), []byte("one"))
			require.NoError(t, err)
			j.awaitSpare(t)
			var once sync.Once
			s.setFault(func(op, _ string) (err error) {
				if op == fault.op {
					once.Do(func() { err = fault.err })
				}
				return err
			})
			second, err := j.Append(context.Background(), bytes.Repeat([]byte("two"), 300))
			require.NoError(t, err)
			require.Equal(t, uint64(2), second)
			third, err := j.Append(context.Background(), []byte("three"))
			require.NoError(t, err)
			require.Equal(t, uint64(3), third)
			require.Equal(t, 2, j.Status().Segments)
			for how := range losses {
				after := open(t, small(s.crash(how, newRandom(1))))
				numbers, _ := contentsOf(t, after)
				require.Equal(t, []uint64{1, 2, 3}, numbers)
				require.Empty(t, after.Status().Damage)
			}
			s.revive()
		})
	}
}

// Faults that do not pass give errors at once, and the journal goes on when they are over.
func TestAFaultThatStays(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"sync", "write", "open", "rename", "syncdir", "same"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSimFS()
				config := small(s)
				config.SegmentBytes = minSegmentBytes
				j, err := Open(config)
				require.NoError(t, err)
				ctx := context.Background()
				_, err = j.Append(ctx, []byte("one"))
				require.NoError(t, err)
				synctest.Wait()
				s.setFault(func(o, _ string) error {
					if o == op {
						return syscall.EIO
					}
					return nil
				})
				began := time.Now()
				failed := 0
				for range 3 {
					if _, err = j.Append(ctx, make([]byte, 900)); err != nil { // each needs a new segment
						require.ErrorIs(t, err, syscall.EIO)
						failed++
					}
				}
				require.GreaterOrEqual(t, failed, 2, "the spare segment may serve one")
				require.Zero(t, time.Since(began))
				require.ErrorIs(t, j.Status().LastError, syscall.EIO)
				s.setFault(nil)
				_, err = j.Append(ctx, []byte("two"))
				require.NoError(t, err)
				require.NoError(t, j.Close())
				j, err = Open(config)
				require.NoError(t, err)
				gaps, texts := 0, []string{}
				for r, err := range j.Records(0) {
					require.NoError(t, err)
					switch {
					case r.Gap != nil:
						gaps++
						require.Equal(t, uint64(failed), r.Gap.Refused)
					case len(r.Data) < 900:
						texts = append(texts, string(r.Data))
					}
				}
				require.Equal(t, 1, gaps)
				require.Equal(t, []string{"one", "two"}, texts)
				require.Empty(t, j.Status().Damage)
				require.NoError(t, j.Close())
			})
		})
	}
}

// A disk that is full is waited for; what is refused meanwhile is counted, and a gap record says so when there is space.
func TestADiskThatIsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSimFS()
		config := small(s)
		config.SegmentBytes = minSegmentBytes
		j, err := Open(config)
		require.NoError(t, err)
		ctx := context.Background()
		r, err := j.Reader("sink", Required)
		require.NoError(t, err)
		s.setQuota(16 << 10)
		confirmed := uint64(0)
		for {
			if _, err = j.Append(ctx, make([]byte, 500)); err != nil {
				break
			}
			confirmed++
		}
		require.ErrorIs(t, err, ErrTimeout)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Greater(t, confirmed, uint64(5))
		began := time.Now()
		_, err = j.Append(ctx, []byte("a small one"))
		require.ErrorIs(t, err, ErrTimeout)
		require.Equal(t, 5*time.Second, time.Since(began))
		synctest.Wait() // who gives up while the writer tries again is counted when that has failed
		require.Equal(t, uint64(2), j.Status().Refused)

		// A reader that comes forward makes space, for somebody who waits.
		waited := make(chan error)
		go func() {
			_, err := j.Append(ctx, []byte("waits"))
			waited <- err
		}()
		synctest.Wait()
		read := uint64(0)
		for read < confirmed {
			records, err := r.Next(ctx, 100, 1<<20)
			require.NoError(t, err)
			read = records[len(records)-1].Seq
			require.NoError(t, r.Commit(read))
		}
		require.NoError(t, <-waited)
		records, err := r.Next(ctx, 100, 1<<20)
		require.NoError(t, err)
		require.Len(t, records, 2)
		require.Equal(t, uint64(2), records[0].Gap.Refused)
		require.Equal(t, 5*time.Second, records[0].Gap.To.Sub(records[0].Gap.From))
		require.Equal(t, "waits", string(records[1].Data))
		r.Close()
		require.NoError(t, j.Close())
	})
}

// With the directory, the cursors come back: what is appended then is pinned for those who read, after a crash too.
func TestTheDirectoryIsBack(t *testing.T) {
	t.Parallel()
	s := newSimFS()
	j, err := Open(small(s))
	require.NoError(t, err)
	for _, name := range []string{"a", "b"} {
		r, err := j.Reader(name, Required)
		require.NoError(t, err)
		r.Close()
	}
	fill(t, j, 3)
	s.removeAll("/var/audit")
	_, err = j.Append(context.Background(), []byte("nowhere"))
	require.Error(t, err)
	require.NoError(t, s.Mkdir("/var/audit"))
	require.NoError(t, s.SyncDir("/var"))
	fill(t, j, 1)
	after := open(t, small(s.crash(loseAll, newRandom(1))))
	require.Len(t, after.Status().Readers, 2)
	numbers, _ := contentsOf(t, after)
	require.Equal(t, []uint64{4, 5}, numbers, "a gap, and what was confirmed behind it")
	s.revive()
	require.NoError(t, j.Close())
}

// A segment that failed on its way to its name, and could not be taken back, goes before the one that supersedes it.
func TestAFailedSegmentIsTakenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSimFS()
		config := small(s)
		config.SegmentBytes = minSegmentBytes
		j, err := Open(config)
		require.NoError(t, err)
		r, err := j.Reader("a", Required)
		require.NoError(t, err)
		ctx := context.Background()
		_, err = j.Append(ctx, make([]byte, 900))
		require.NoError(t, err)
		synctest.Wait()
		s.setFault(func(op, path string) error { // the name is there; nobody can say that it stays, nor take it away
			if op == "syncdir" || op == "remove" {
				return syscall.EIO
			}
			return nil
		})
		_, err = j.Append(ctx, bytes.Repeat([]byte("refused"), 100))
		require.ErrorIs(t, err, syscall.EIO)
		s.setFault(nil)
		fill(t, j, 20)
		require.NoError(t, r.Commit(take(t, r, 22)))
		synctest.Wait()
		require.Len(t, segmentsOf(s.contents("/var/audit")), 1)
		r.Close()
		require.NoError(t, j.Close())
		j, err = Open(config)
		require.NoError(t, err)
		_, texts := contentsOf(t, j)
		for _, text := range texts {
			require.NotContains(t, text, "refused")
		}
		require.NoError(t, j.Close())
	})
}

// Without its directory the journal refuses at once, and takes records again when it is back.
func TestTheDirectoryIsRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSimFS()
		j, err := Open(small(s))
		require.NoError(t, err)
		ctx := context.Background()
		_, err = j.Append(ctx, []byte("one"))
		require.NoError(t, err)
		synctest.Wait()
		s.removeAll("/var/audit")
		began := time.Now()
		for range 2 {
			_, err = j.Append(ctx, []byte("two"))
			require.Error(t, err)
		}
		require.Zero(t, time.Since(began))
		require.NoError(t, s.Mkdir("/var/audit"))
		third, err := j.Append(ctx, []byte("three"))
		require.NoError(t, err)
		require.Equal(t, uint64(3), third, "behind the gap record; no number comes twice")
		synctest.Wait()
		want := []Damage{{Segment: 1, From: 1, To: 1, Quarantine: "/var/audit/quarantine/0000000000000001-00000000-lost-1-1.damaged"}}
		require.Equal(t, want, j.Status().Damage)
		_, err = Open(small(s))
		require.ErrorIs(t, err, ErrLocked)
		require.NoError(t, j.Close())
		require.NoError(t, j.Close(), "again")
		view, err := Look(s, "/var/audit")
		require.NoError(t, err)
		require.Equal(t, want, view.Status().Damage, "it stays reported")
	})
}
