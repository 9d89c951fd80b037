package journal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Where there is no statx, stat gives the same answer.
func TestIdentity(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	want, err := identityOf(f.Stat())
	require.NoError(t, err)
	require.NotZero(t, want)
	is, err := identify(f)
	require.NoError(t, err)
	require.Equal(t, want, is)
	is, err = identifyPath(path)
	require.NoError(t, err)
	require.Equal(t, want, is)
	is, err = identityOf(os.Lstat(path))
	require.NoError(t, err)
	require.Equal(t, want, is)
}
