package journal

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// filesOf are the segments and cursors in a directory of the operating system's.
func filesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), segmentSuffix) || strings.HasSuffix(e.Name(), cursorSuffix) {
			b, err := os.ReadFile(filepath.Join(dir, e.Name()))
			require.NoError(t, err)
			files[e.Name()] = bytes.TrimRight(b, "\x00")
		}
	}
	return files
}

// Somebody moves the directory away, and another process makes a journal where it was, with the same names of files. The first one
// touches none of them: neither while the other lives, nor when it is gone. Where its own directory is back, it goes on.
func TestAnotherJournalInItsPlace(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	away := dir + ".away"
	ctx := context.Background()
	begin := func() (*Journal, *Reader) {
		j, err := Open(Config{Dir: dir, SegmentBytes: 4096})
		require.NoError(t, err)
		r, err := j.Reader("postgres", Required)
		require.NoError(t, err)
		return j, r
	}
	first, reader := begin()
	fill(t, first, 50)
	last := take(t, reader, 50)
	spares := first.spares
	require.NoError(t, os.Rename(dir, away))

	second, itsReader := begin()
	fill(t, second, 20)
	before := filesOf(t, dir)
	touch := func() {
		require.ErrorIs(t, reader.Commit(last), errAway)
		require.ErrorIs(t, first.discard(first.segments[0]), errAway)
		require.ErrorIs(t, first.copyOut(1, 0, 1, filepath.Join(dir, quarantineName, "x")), errAway)
		first.prepareSpare()
		require.Equal(t, before, filesOf(t, dir))
		require.NoDirExists(t, filepath.Join(dir, quarantineName))
	}
	_, err := first.Append(ctx, []byte("nowhere"))
	require.ErrorIs(t, err, ErrLocked)
	touch()

	itsReader.Close()
	require.NoError(t, second.Close())
	before = filesOf(t, dir)
	_, err = first.Append(ctx, []byte("nowhere"))
	require.ErrorIs(t, err, errAnother)
	touch()
	third, itsReader := begin() // nobody has kept the lock
	take(t, itsReader, 20)
	itsReader.Close()
	require.NoError(t, third.Close())
	require.Empty(t, third.Status().Damage)

	require.NoError(t, os.Rename(dir, dir+".another"))
	require.NoError(t, os.Rename(away, dir))
	_, err = first.Append(ctx, []byte("goes on"))
	require.NoError(t, err)
	require.NoError(t, reader.Commit(last))
	require.GreaterOrEqual(t, first.spares, spares)
	require.Empty(t, first.Status().Damage)
	reader.Close()
	require.NoError(t, first.Close())
}

// lookingFS tells when a directory is looked at.
type lookingFS struct {
	FS
	look func()
}

func (l *lookingFS) List(dir string) ([]string, error) {
	if l.look != nil {
		l.look()
	}
	return l.FS.List(dir)
}

// What is in a directory that was away is looked at before anybody else in the process takes it for ours.
func TestADirectoryIsOursOnceItWasLookedAt(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	fs := &lookingFS{FS: OS()}
	first, err := Open(Config{Dir: dir, FS: fs, SegmentBytes: 4096})
	require.NoError(t, err)
	reader, err := first.Reader("postgres", Required)
	require.NoError(t, err)
	fill(t, first, 50)
	last := take(t, reader, 50)
	require.NoError(t, os.Rename(dir, dir+".away"))
	second, err := Open(Config{Dir: dir, SegmentBytes: 4096})
	require.NoError(t, err)
	itsReader, err := second.Reader("postgres", Required)
	require.NoError(t, err)
	fill(t, second, 20)
	itsReader.Close()
	require.NoError(t, second.Close())

	before, looked := filesOf(t, dir), 0
	var commit, discard error
	fs.look = func() { // in the writer's goroutine, during the Append below
		looked++
		commit, discard = reader.Commit(last), first.discard(first.segments[0])
	}
	_, err = first.Append(context.Background(), []byte("nowhere"))
	require.ErrorIs(t, err, errAnother)
	require.Positive(t, looked)
	require.ErrorIs(t, commit, errAway)
	require.ErrorIs(t, discard, errAway)
	require.Equal(t, before, filesOf(t, dir))
	fs.look = nil
	reader.Close()
	require.NoError(t, first.Close())
}
