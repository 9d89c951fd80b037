//go:build unix

package journal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A path leads to an open file for as long as it is that file's name, and no longer.
func TestOSSame(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, OS().Mkdir(dir))
	path, other := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	create := func(path string) File {
		f, err := OS().OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, f.Close()) })
		return f
	}
	same := func(path string, f File) bool {
		same, err := OS().Same(path, f)
		require.NoError(t, err)
		return same
	}
	f := create(path)
	require.True(t, same(path, f))
	require.False(t, same(other, f))

	require.NoError(t, OS().Rename(path, other))
	require.False(t, same(path, f))
	require.True(t, same(other, f))

	g := create(path)
	require.True(t, same(path, g))
	require.False(t, same(path, f))
	require.NoError(t, os.Symlink("a", filepath.Join(dir, "link")))
	require.False(t, same(filepath.Join(dir, "link"), g), "a link is a file of its own")

	require.NoError(t, os.Rename(dir, dir+" of another"))
	require.False(t, same(path, g))
	require.NoError(t, OS().Mkdir(dir))
	require.False(t, same(path, g))
	create(path)
	require.False(t, same(path, g))

	require.NoError(t, os.WriteFile(other, nil, 0o600))
	_, err := OS().Same(filepath.Join(other, "below a file"), g)
	require.Error(t, err)
}
