package journal

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWithout(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ others, want []numbers }{
		{nil, []numbers{{10, 20}}},
		{[]numbers{{1, 9}, {21, 30}}, []numbers{{10, 20}}},
		{[]numbers{{10, 20}}, nil},
		{[]numbers{{1, 30}}, nil},
		{[]numbers{{1, 12}}, []numbers{{13, 20}}},
		{[]numbers{{15, 30}}, []numbers{{10, 14}}},
		{[]numbers{{12, 13}, {17, 18}}, []numbers{{10, 11}, {14, 16}, {19, 20}}},
		{[]numbers{{10, 10}, {20, 20}}, []numbers{{11, 19}}},
	} {
		require.Equal(t, tc.want, numbers{10, 20}.without(tc.others), "%v", tc.others)
	}
}

// lossy is a journal whose second segment is gone, with the numbers that were in it. Its required readers are "a" and "b".
func lossy(t *testing.T) (files map[string][]byte, lost numbers) {
	t.Helper()
	s := newSimFS()
	j, err := Open(small(s))
	require.NoError(t, err)
	for _, name := range []string{"a", "b"} {
		r, err := j.Reader(name, Required)
		require.NoError(t, err)
		r.Close()
	}
	fill(t, j, 80)
	require.NoError(t, j.Close())
	files = s.contents("/var/audit")
	paths := segmentsOf(files)
	require.Greater(t, len(paths), 4)
	lost = numbersIn(t, files, paths[1], paths[2])
	delete(files, paths[1])
	return files, lost
}

// numbersIn returns the numbers of a segment that another one follows.
func numbersIn(t *testing.T, files map[string][]byte, path, next string) numbers {
	t.Helper()
	h, _, err := decodeHeader(files[path])
	require.NoError(t, err)
	n, _, err := decodeHeader(files[next])
	require.NoError(t, err)
	return numbers{h.first, n.first - 1}
}

func (n numbers) count() uint64 { return n.to + 1 - n.from }

// deliverRest has both readers get what a lossy journal has.
func deliverRest(t *testing.T, j *Journal, lost numbers) {
	t.Helper()
	for _, name := range []string{"a", "b"} {
		r, err := j.Reader(name, Required)
		require.NoError(t, err)
		require.NoError(t, r.Commit(take(t, r, int(80-lost.count()))))
		r.Close()
	}
}

func lostIn(j interface{ Status() Status }) uint64 {
	status := j.Status()
	return status.Lost()
}

// No record is counted twice, however the damage around it changes.
func TestALossThatGrows(t *testing.T) {
	t.Parallel()
	files, lost := lossy(t)
	paths := segmentsOf(files)
	more := numbersIn(t, files, paths[1], paths[2])
	s := diskOf(files)
	j, err := Open(small(s))
	require.NoError(t, err)
	require.Equal(t, lost.count(), lostIn(j))
	require.NoError(t, j.Close())
	require.NoError(t, s.Remove(paths[1]))
	for range 2 {
		j, err = Open(small(s))
		require.NoError(t, err)
		require.Equal(t, more.to+1-lost.from, lostIn(j))
		require.NoError(t, j.Close())
	}
	view, err := Look(s, "/var/audit")
	require.NoError(t, err)
	require.Equal(t, more.to+1-lost.from, lostIn(view))
	require.Len(t, s.contents("/var/audit/quarantine"), 2, "what the first note does not say")
}

// Where one reader has passed a part of it, and the one that has not is forgotten, all of it stays lost.
func TestALossWithinWhichAReaderIs(t *testing.T) {
	t.Parallel()
	files, lost := lossy(t)
	whole := newSimFS() // of which "b" has a part of what will be lost
	j, err := Open(small(whole))
	require.NoError(t, err)
	for name, n := range map[string]int{"a": 0, "b": int(lost.from) + 1} {
		r, err := j.Reader(name, Required)
		require.NoError(t, err)
		if n > 0 {
			fill(t, j, 80)
			require.NoError(t, r.Commit(take(t, r, n)))
		}
		r.Close()
	}
	require.NoError(t, j.Close())
	for path, b := range whole.contents("/var/audit") {
		if strings.HasSuffix(path, cursorSuffix) {
			files[path] = b
		}
	}
	s := diskOf(files)
	for range 2 {
		j, err = Open(small(s))
		require.NoError(t, err)
		require.Equal(t, lost.count(), lostIn(j))
		_ = j.Forget("a")
		require.NoError(t, j.Close())
	}
	require.Len(t, s.contents("/var/audit/quarantine"), 1)
}

// A note that cannot be written is, once it can.
func TestANoteThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		files, lost := lossy(t)
		s := diskOf(files)
		s.setFault(func(op, path string) error {
			if op == "write" && strings.Contains(path, quarantineName) {
				return syscall.ENOSPC
			}
			return nil
		})
		j, err := Open(small(s))
		require.NoError(t, err)
		require.ErrorIs(t, j.Status().LastError, syscall.ENOSPC)
		require.Equal(t, lost.count(), lostIn(j))
		synctest.Wait()
		s.setFault(nil)
		deliverRest(t, j, lost)
		synctest.Wait()
		require.NoError(t, j.Close())
		require.Len(t, segmentsOf(s.contents("/var/audit")), 1)
		view, err := Look(s, "/var/audit")
		require.NoError(t, err)
		require.Equal(t, lost.count(), lostIn(view))
	})
}

// Records that are damaged stay reported too, when their segment has gone and only their bytes are kept.
func TestDamagedRecordsStayReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSimFS()
		j, err := Open(small(s))
		require.NoError(t, err)
		r, err := j.Reader("a", Required)
		require.NoError(t, err)
		fill(t, j, 40)
		s.mu.Lock()
		s.nodes[segmentPath("/var/audit", 2)].data[dataStart+frameHeaderSize+3] ^= 1
		s.mu.Unlock()
		require.NoError(t, r.Commit(take(t, r, 39))) // it is met while the journal is open
		<-time.After(time.Minute)                    // the bubble's clock, which takes no time
		r.Close()
		require.NoError(t, j.Close())
		require.Len(t, segmentsOf(s.contents("/var/audit")), 1)
		j, err = Open(small(s))
		require.NoError(t, err)
		require.Equal(t, uint64(1), lostIn(j))
		require.NoError(t, j.Close())
	})
}

// A directory with names like a journal's, whose lock is somebody else's, is not one.
func TestALockOfSomebodyElse(t *testing.T) {
	t.Parallel()
	s := diskOf(map[string][]byte{
		"/var/audit/" + lockName:  []byte("4711"),
		"/var/audit/mouse.cursor": []byte("precious"),
	})
	require.Nil(t, adoptOne(t, s))
	require.True(t, s.has("/var/audit/mouse.cursor"))
}

// What a crash leaves of a removal beside the quarantine is removed by the next who adopts.
func TestARemovalThatWasCutOff(t *testing.T) {
	t.Parallel()
	s := diskOf(map[string][]byte{"/var/audit/" + lockName: nil})
	require.NoError(t, s.Mkdir("/var/audit/quarantine"))
	j := adoptOne(t, s)
	require.NotNil(t, j)
	require.NoError(t, j.RemoveDelivered())
	require.False(t, s.has("/var/audit/"+lockName))
	require.True(t, s.has("/var/audit/quarantine"))
}

// What every required reader had when it was found damaged is no loss that outlives its segment.
func TestDamageOfWhatWasDelivered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSimFS()
		config := small(s)
		config.Retention = time.Hour
		j, err := Open(config)
		require.NoError(t, err)
		r, err := j.Reader("a", Required)
		require.NoError(t, err)
		fill(t, j, 40)
		require.NoError(t, r.Commit(take(t, r, 40)))
		r.Close()
		require.NoError(t, j.Close())
		files := s.contents("/var/audit")
		files[segmentsOf(files)[0]][dataStart+frameHeaderSize+3] ^= 1
		s = diskOf(files)
		config.FS = s
		j, err = Open(config)
		require.NoError(t, err)
		require.Equal(t, uint64(1), lostIn(j))
		require.NoError(t, j.Close())
		j, err = Open(small(s)) // without Retention
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, j.Close())
		view, err := Look(s, "/var/audit")
		require.NoError(t, err)
		require.Zero(t, lostIn(view))
	})
}

// While a loss cannot be noted, what shows it stays.
func TestWhatShowsALossStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		files, lost := lossy(t)
		s := diskOf(files)
		broken := func(op, path string) error {
			if op == "write" && strings.Contains(path, quarantineName) {
				return syscall.EIO
			}
			return nil
		}
		s.setFault(broken)
		j, err := Open(small(s))
		require.NoError(t, err)
		before := j.Status().Segments
		deliverRest(t, j, lost)
		synctest.Wait()
		require.Equal(t, before, j.Status().Segments)
		require.ErrorIs(t, j.Status().LastError, syscall.EIO)
		require.NoError(t, j.Close())

		j = adoptOne(t, s)
		require.ErrorIs(t, j.RemoveDelivered(), syscall.EIO)
		s.setFault(nil)
		j = adoptOne(t, s)
		require.NoError(t, j.RemoveDelivered())
		view, err := Look(s, "/var/audit")
		require.NoError(t, err)
		require.Equal(t, lost.count(), lostIn(view))
	})
}

// A note that went with the directory is made once more.
func TestANoteThatIsRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		files, lost := lossy(t)
		s := diskOf(files)
		j, err := Open(small(s))
		require.NoError(t, err)
		synctest.Wait()
		s.removeAll("/var/audit")
		_, err = j.Append(context.Background(), []byte("nowhere"))
		require.Error(t, err)
		require.NoError(t, s.Mkdir("/var/audit"))
		fill(t, j, 1)
		synctest.Wait()
		require.Equal(t, uint64(80), lostIn(j))
		require.NoError(t, j.Close())
		view, err := Look(s, "/var/audit")
		require.NoError(t, err)
		require.Equal(t, uint64(80), lostIn(view))
		require.Less(t, lost.to, uint64(80))
	})
}
