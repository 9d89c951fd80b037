package journal

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

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
	foreign := map[string]string{}
	for path, content := range map[string]string{
		"app/lock": "", "app/upload.tmp": "precious", "app2/lock": "4711", "file": "",
	} {
		path = filepath.Join(parent, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		foreign[path] = content
	}

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
	for path, content := range foreign {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, content, string(b))
	}
}

// A directory that cannot be looked into may hold a journal: that is an error, and does not hold up the others.
func TestAdoptBesideWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	s, _, _ := adoptable(t)
	for _, dir := range []string{"/var/closed", "/var/" + lostAndFound} {
		require.NoError(t, s.Mkdir(dir))
	}
	s.setFault(func(op, path string) error {
		if op == "list" && path != "/var" && path != "/var/audit" { // nor into its quarantine
			return fs.ErrPermission
		}
		return nil
	})
	adopted, err := Adopt("/var", Config{FS: s, Retention: time.Hour}, nil)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "/var/closed")
	require.NotContains(t, err.Error(), lostAndFound)
	require.Len(t, adopted, 1)
	s.setFault(nil)
	require.NoError(t, adopted[0].Close())
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
