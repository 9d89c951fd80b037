package journal

import (
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A segment that cannot be removed stays in front of those that supersede it, and goes when it can.
func TestASegmentThatCannotBeRemoved(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"remove", "syncdir"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSimFS()
				j, err := Open(small(s))
				require.NoError(t, err)
				r, err := j.Reader("a", Required)
				require.NoError(t, err)
				fill(t, j, 60)
				take(t, r, 60)
				synctest.Wait()
				s.setFault(func(o, path string) error {
					if o == op && (path == "/var/audit" || path == segmentPath("/var/audit", 1)) {
						return syscall.EIO
					}
					return nil
				})
				before := len(segmentsOf(s.contents("/var/audit")))
				for seq := range uint64(3) {
					require.NoError(t, r.Commit(50+seq))
					synctest.Wait()
				}
				require.GreaterOrEqual(t, len(segmentsOf(s.contents("/var/audit"))), before-1, "none behind the first one goes")
				s.mu.Lock()
				require.Contains(t, s.durable, segmentPath("/var/audit", 2))
				s.mu.Unlock()
				require.ErrorIs(t, j.Status().LastError, syscall.EIO)
				s.setFault(nil)
				require.NoError(t, r.Commit(60))
				synctest.Wait()
				require.Len(t, segmentsOf(s.contents("/var/audit")), 1)
				r.Close()
				require.NoError(t, j.Close())
			})
		})
	}
}
