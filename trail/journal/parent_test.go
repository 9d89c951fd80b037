package journal

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// One of a process that is gone is adopted, delivered under its readers' names, and removed when they have everything.
func TestAdopt(t *testing.T) {
	t.Parallel()
	parent := filepath.Join(t.TempDir(), "parent")
	config := Config{SegmentBytes: 4096}
	dead, err := OpenIn(parent, config)
	require.NoError(t, err)
	r, err := dead.Reader("postgres", Required)
	require.NoError(t, err)
	fill(t, dead, 50)
	require.NoError(t, r.Commit(take(t, r, 10)))
	r.Close()
	living, err := OpenIn(parent, config)
	require.NoError(t, err)
	defer living.Close()
	require.NoError(t, os.Mkdir(filepath.Join(parent, "something else"), 0o700))

	none, err := Adopt(parent, config, nil)
	require.NoError(t, err)
	require.Empty(t, none, "both have owners")
	require.NoError(t, dead.Close())

	adopted, err := Adopt(parent, config, nil)
	require.NoError(t, err)
	require.Len(t, adopted, 1)
	j := adopted[0]
	require.Equal(t, dead.Dir(), j.Dir())
	_, err = j.Append(context.Background(), []byte("x"))
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, j.RemoveDelivered(), ErrPinned)
	r, err = j.Reader(j.Status().Readers[0].Name, Required)
	require.NoError(t, err)
	require.NoError(t, r.Commit(take(t, r, 40)))
	r.Close()
	require.NoError(t, j.RemoveDelivered())
	require.NoDirExists(t, dead.Dir())
	require.ErrorIs(t, living.RemoveDelivered(), ErrPinned, "not one that is in use")
}

// The owner of a directory is the only one, and its files are for nobody else.
func TestTheOwner(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	j := open(t, Config{Dir: dir, SegmentBytes: 4096})
	_, err := Open(Config{Dir: dir})
	require.ErrorIs(t, err, ErrLocked)
	fill(t, j, 50)
	r, err := j.Reader("a", Required)
	require.NoError(t, err)
	r.Close()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		require.Equal(t, want, info.Mode().Perm(), path)
		return nil
	}))
}

// A lock on a file that was removed in the meantime is not taken for the directory's lock.
func TestTheLockIsTheOneThatOthersFind(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), lockName)
	first, err := OS().Lock(path)
	require.NoError(t, err)
	defer first.Close()
	require.NoError(t, os.Remove(path))
	second, err := OS().Lock(path)
	require.NoError(t, err)
	defer second.Close()
	same, err := OS().Same(path, second)
	require.NoError(t, err)
	require.True(t, same)
	same, err = OS().Same(path, first)
	require.NoError(t, err)
	require.False(t, same)
	_, err = OS().Lock(path)
	require.ErrorIs(t, err, ErrLocked)
}
