package journal

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Beside a process that appends, reads and removes, Look sees a moment of it: no damage, and no file that is gone.
func TestLookBesideAWriter(t *testing.T) {
	t.Parallel()
	s := newSimFS()
	j := open(t, small(s))
	r, err := j.Reader("a", Required)
	require.NoError(t, err)
	defer r.Close()
	fill(t, j, 40)
	ctx := context.Background()
	var inside atomic.Bool
	opened := 0
	s.setFault(func(op, path string) error { // between every two files that Look opens, the journal goes on
		if op != "open" || strings.HasSuffix(path, temporarySuffix) || !inside.CompareAndSwap(true, false) {
			return nil
		}
		opened++
		fill(t, j, 20)
		records, err := r.Next(ctx, 25, 1<<20)
		if err == nil {
			err = r.Commit(records[len(records)-1].Seq)
		}
		inside.Store(true)
		return err
	})
	for range 10 {
		inside.Store(true)
		view, err := Look(s, "/var/audit")
		inside.Store(false)
		require.NoError(t, err)
		status := view.Status()
		require.Empty(t, status.Damage)
		require.GreaterOrEqual(t, status.Last, status.Readers[0].Seq)
	}
	require.Greater(t, opened, 20)
	s.setFault(nil)
}
