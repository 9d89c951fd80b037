package journal

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// small is a configuration for tests: segments that a few records fill.
func small(fs FS) Config {
	return Config{Dir: "/var/audit", FS: fs, SegmentBytes: 4096}
}

func open(tb testing.TB, config Config) *Journal {
	tb.Helper()
	j, err := Open(config)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, j.Close()) })
	return j
}

func sample(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "record %d. ", i), 1+i%40) }

func contentsOf(tb testing.TB, j *Journal) (numbers []uint64, data []string) {
	tb.Helper()
	for r, err := range j.Records(0) {
		require.NoError(tb, err)
		numbers = append(numbers, r.Seq)
		data = append(data, string(r.Data))
	}
	return numbers, data
}

func TestAppendAndReopen(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]Config{
		"on the disk": {Dir: filepath.Join(t.TempDir(), "a", "b"), SegmentBytes: 4096},
		"simulated":   small(newSimFS()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want []string
			for round := range 3 {
				j, err := Open(config)
				require.NoError(t, err)
				for i := range 50 {
					r := sample(i)
					first, err := j.Append(context.Background(), r)
					require.NoError(t, err)
					want = append(want, string(r))
					require.Equal(t, uint64(len(want)), first, "round %d", round)
				}
				_, got := contentsOf(t, j)
				require.True(t, slices.Equal(want, got), "%d of %d records, or others", len(got), len(want))
				status := j.Status()
				require.Empty(t, status.Damage)
				require.Empty(t, status.Torn)
				require.NoError(t, j.Close())
			}
		})
	}
}

// awaitSpare waits until the next segment is prepared, so that what follows is the writer's alone.
func (j *Journal) awaitSpare(tb testing.TB) {
	tb.Helper()
	require.Eventually(tb, func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.spare != nil
	}, 10*time.Second, time.Millisecond)
}
