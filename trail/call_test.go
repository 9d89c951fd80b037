package trail

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The timer outlives the calls that it was set for: it must neither end a later one early nor let one wait too long.
func TestACallEndsInItsOwnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const timeout = 100 * time.Millisecond
		c := newCall(1)
		defer c.timer.Stop()
		for range 20 { // the timer ticks within some of these
			c.begin(1)
			time.AfterFunc(70*time.Millisecond, func() { c.settle(nil) })
			require.NoError(t, c.await(timeout))
		}
		began := time.Now()
		c.begin(1)
		require.ErrorIs(t, c.await(timeout), errExpired)
		require.Equal(t, timeout, time.Since(began))

		c = newCall(1)
		defer c.timer.Stop()
		began = time.Now()
		c.begin(1)
		require.ErrorIs(t, c.await(0), errExpired, "no time at all")
		require.Less(t, time.Since(began), timeout)
	})
}
