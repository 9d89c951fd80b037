package journal

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// After Close the directory is somebody else's: nothing here writes to it any more.
func TestWhatIsClosedWritesNothing(t *testing.T) {
	t.Parallel()
	s := newSimFS()
	j, err := Open(small(s))
	require.NoError(t, err)
	r, err := j.Reader("a", Required)
	require.NoError(t, err)
	other, err := j.Reader("b", Required)
	require.NoError(t, err)
	other.Close()
	fill(t, j, 4)
	take(t, r, 4)
	require.NoError(t, r.Commit(1))
	require.NoError(t, j.Close())
	files := s.contents("/var/audit")
	require.ErrorIs(t, r.Commit(4), ErrClosed)
	require.ErrorIs(t, j.Forget("b"), ErrClosed)
	_, err = j.Reader("c", Required)
	require.ErrorIs(t, err, ErrClosed)
	_, err = r.Next(context.Background(), 1, 1)
	require.ErrorIs(t, err, ErrClosed)
	for _, err := range j.Records(0) {
		require.ErrorIs(t, err, ErrClosed)
	}
	r.Close()
	require.Equal(t, files, s.contents("/var/audit"))
}

// A Commit that is under way keeps the directory locked until it has ended.
func TestCloseWaitsForACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSimFS()
		j, err := Open(small(s))
		require.NoError(t, err)
		r, err := j.Reader("a", Required)
		require.NoError(t, err)
		fill(t, j, 4)
		take(t, r, 4)
		synctest.Wait()
		release := make(chan struct{})
		s.setFault(func(op, path string) error {
			if op == "sync" && strings.Contains(path, cursorSuffix) {
				<-release
			}
			return nil
		})
		committed := make(chan error)
		go func() { committed <- r.Commit(4) }()
		synctest.Wait()
		require.ErrorContains(t, j.Close(), "does not answer")
		_, err = Open(small(s))
		require.ErrorIs(t, err, ErrLocked)
		close(release)
		require.NoError(t, <-committed)
		require.NoError(t, j.Close())
		r.Close()
		j, err = Open(small(s))
		require.NoError(t, err)
		require.Equal(t, uint64(4), j.Status().Readers[0].Seq)
		require.NoError(t, j.Close())
	})
}

// What was refused, and not yet said by a gap record, is said at the end.
func TestCloseLeavesNoGapUnsaid(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{4096, minSegmentBytes} {
		s := newSimFS()
		config := small(s)
		config.SegmentBytes = size
		config.MaxWaitingBytes = 1000
		j, err := Open(config)
		require.NoError(t, err)
		_, err = j.Append(context.Background(), make([]byte, 900))
		require.NoError(t, err)
		canceled, cancel := context.WithCancel(context.Background())
		cancel()
		refused := 0
		for j.Status().Refused == 0 { // either on its way already, or refused
			_, _ = j.Append(canceled, []byte("given up"))
			refused++
		}
		require.NoError(t, j.Close())
		j = open(t, config)
		var gap *Gap
		for r, err := range j.Records(0) {
			require.NoError(t, err)
			gap = r.Gap
		}
		require.NotNil(t, gap, "the last record of %d", refused)
		require.Equal(t, uint64(1), gap.Refused)
	}
}

// NoAppend opens what is there, and makes nothing.
func TestNoAppendMakesNoDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	_, err := Open(Config{Dir: dir, NoAppend: true})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoDirExists(t, filepath.Dir(dir))
}
