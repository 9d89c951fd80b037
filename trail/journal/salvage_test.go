package journal

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// blocks is a journal of some segments of several blocks each, all of it delivered to nobody.
func blocks(t *testing.T) (files map[string][]byte, records map[uint64]string) {
	t.Helper()
	s := newSimFS()
	config := small(s)
	config.SegmentBytes = 6 * salvageBlock
	j, err := Open(config)
	require.NoError(t, err)
	r, err := j.Reader("a", Required)
	require.NoError(t, err)
	fill(t, j, 250)
	records = map[uint64]string{}
	for r, err := range j.Records(0) {
		require.NoError(t, err)
		records[r.Seq] = string(r.Data)
	}
	r.Close()
	require.NoError(t, j.Close())
	return s.contents("/var/audit"), records
}

// badBlock is a disk that cannot read one block.
func badBlock(files map[string][]byte, path string, block int) *simFS {
	s := diskOf(files)
	s.unreadable = func(p string, off int64, n int) bool {
		bad := span{int64(block) * salvageBlock, int64(block+1) * salvageBlock}
		return p == path && bad.overlaps(off, off+int64(n))
	}
	return s
}

// A block that the disk cannot read is damage like any other: reported by its numbers, and the rest is delivered. Only at the end
// of the journal nobody could say what it held; then Open fails.
func TestEveryBlockUnreadable(t *testing.T) {
	t.Parallel()
	files, records := blocks(t)
	paths := segmentsOf(files)
	require.Greater(t, len(paths), 2)
	refused := 0
	for n, path := range paths {
		for block := range (len(files[path]) + salvageBlock - 1) / salvageBlock {
			v, err := judgeDisk(badBlock(files, path, block), records)
			if n == len(paths)-1 && err != nil {
				require.ErrorIs(t, err, syscall.EIO)
				refused++
				continue
			}
			require.NoError(t, err, "%s, block %d", path, block)
			require.True(t, v.reported, "%s, block %d", path, block)
			require.Equal(t, uint64(len(records)), v.last)
			require.NotEmpty(t, v.status.Damage)
			if block > 0 {
				require.LessOrEqual(t, v.lost, salvageBlock/200)
			}
		}
	}
	require.Positive(t, refused)
}

// The segment with the block that could not be copied is not removed when everybody has passed it: it goes to the quarantine.
func TestWhatCannotBeCopiedIsMoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		files, records := blocks(t)
		path := segmentsOf(files)[0]
		s := badBlock(files, path, 2)
		j, err := Open(small(s))
		require.NoError(t, err)
		status := j.Status()
		require.Empty(t, status.Damage[0].Quarantine)
		require.ErrorIs(t, status.LastError, syscall.EIO)
		r, err := j.Reader("a", Required)
		require.NoError(t, err)
		last := take(t, r, len(records)-int(status.Lost()))
		require.Equal(t, uint64(len(records)), last)
		require.NoError(t, r.Commit(last))
		_, err = j.Append(context.Background(), []byte("goes on"))
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, j.Status().Segments)
		quarantine := s.contents("/var/audit/quarantine")
		require.Equal(t, files[path], quarantine[filepath.Join("/var/audit/quarantine", filepath.Base(path))])
		r.Close()
		require.NoError(t, j.Close())
	})
}

// A cursor that cannot be read pins everything, as a damaged one does.
func TestACursorThatCannotBeRead(t *testing.T) {
	t.Parallel()
	files, _ := blocks(t)
	j := open(t, small(badBlock(files, cursorPath("/var/audit", "a"), 0)))
	status := j.Status().Readers[0]
	require.True(t, status.Damaged)
	require.True(t, status.Required)
	require.Zero(t, status.Seq)
}

// A block that goes bad while the journal is open stops its readers, with an error, until it can be read or the journal is opened
// again: what may come back must not be skipped on the quiet.
func TestABlockThatGoesBad(t *testing.T) {
	t.Parallel()
	files, records := blocks(t)
	path := segmentsOf(files)[1]
	s := diskOf(files)
	j := open(t, small(s))
	r, err := j.Reader("a", Required)
	require.NoError(t, err)
	bad := badBlock(files, path, 1)
	s.mu.Lock()
	s.unreadable = bad.unreadable
	s.mu.Unlock()
	n := uint64(0)
	for range 20 {
		var got []Record
		got, err = r.Next(context.Background(), 7, 1000)
		for _, rec := range got {
			n++
			require.Equal(t, n, rec.Seq)
		}
	}
	require.ErrorIs(t, err, syscall.EIO)
	s.mu.Lock()
	s.unreadable = nil
	s.mu.Unlock()
	require.Equal(t, uint64(len(records)), take(t, r, len(records)-int(n)))
	require.Empty(t, j.Status().Damage)
	r.Close()
}
