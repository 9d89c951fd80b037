package trail

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// One timer serves all calls: it must let none wait too long, in whatever order they come and go, nor end one early, but together
// with another.
func TestACallEndsInItsOwnTime(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func() func(*call) (leave func()){
		"in a sink's queue": func() func(*call) func() {
			s := newSink(&outlet{trail: &Trail{config: Config{MaxWaitingBytes: 1 << 20}}})
			return func(c *call) func() {
				s.offer(&c.parcels[0])
				return func() {
					s.mu.Lock()
					defer s.mu.Unlock()
					s.queue.remove(&c.parcels[0])
				}
			}
		},
		"for a sink's answers": func() func(*call) func() {
			x := new(expected)
			return func(c *call) func() {
				e := x.add(c)
				return func() { x.remove(e) }
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				enter := open()
				track := func(timeout, answered time.Duration) (took time.Duration, err error) {
					c := newCall(1)
					c.records = []*otelaudit.Record{{}}
					began := time.Now()
					c.begin(1, timeout)
					defer enter(c)()
					defer time.AfterFunc(answered, func() { c.settle(nil) }).Stop()
					err = c.await()
					took = time.Since(began)
					if err == nil { // and nothing happens to it after that: it may be another's soon
						<-time.After(timeout)
						err = c.err()
						require.Empty(t, c.done)
					}
					return took, err
				}
				const timeout, never = 100 * time.Millisecond, time.Hour
				for range 20 { // and the timer runs on after each
					took, err := track(timeout, timeout*7/10)
					require.NoError(t, err)
					require.Equal(t, timeout*7/10, took)
				}
				timeouts := []time.Duration{timeout, timeout / 3, timeout * 2 / 3, 1, 0, timeout, timeout / 3}
				want := slices.Clone(timeouts)
				want[4] = 1 // no time at all
				timeouts, want = append(timeouts, timeout+together), append(want, timeout)
				took, errs := make([]time.Duration, len(timeouts)), make([]error, len(timeouts))
				var all sync.WaitGroup
				for i := range timeouts {
					all.Go(func() {
						if i == 5 || i == 6 { // while the others wait
							<-time.After(timeout / 2)
						}
						took[i], errs[i] = track(timeouts[i], never)
					})
				}
				all.Wait()
				for i := range timeouts {
					require.ErrorIs(t, errs[i], errExpired)
					require.Equal(t, want[i], took[i])
				}
			})
		})
	}
}

// What the pool of calls lets go must not stay in memory with a timer, for as long as somebody might have waited.
func TestACallLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := newSink(&outlet{trail: &Trail{config: Config{MaxWaitingBytes: 1 << 20}}})
	c := func() weak.Pointer[call] {
		c := newCall(1)
		c.begin(1, time.Hour)
		s.offer(&c.parcels[0])
		taken, _ := s.take()
		require.True(t, taken)
		s.settle(nil)
		require.NoError(t, c.await())
		return weak.Make(c)
	}()
	s.taken = s.taken[:cap(s.taken)]
	clear(s.taken) // the deliverer's memory, used again for the next batch
	runtime.GC()
	require.Nil(t, c.Value())
	runtime.KeepAlive(s)
}

// Who waits for ever, as the trail's opening does, is not ended with others.
func TestWhoWaitsForEver(t *testing.T) {
	t.Parallel() // and by the real clock: synctest's is before the start of time
	s := newSink(&outlet{trail: &Trail{config: Config{MaxWaitingBytes: 1 << 20}}})
	patient, c := newCall(1), newCall(1)
	patient.begin(1, forEver)
	c.begin(1, time.Millisecond)
	for _, c := range []*call{patient, c} {
		s.offer(&c.parcels[0])
	}
	require.ErrorIs(t, c.await(), errExpired)
	s.mu.Lock() // the look is over
	defer s.mu.Unlock()
	require.False(t, patient.settled())
}

// A sink that stops must not fail a call that has all its answers: it may be another's soon.
func TestAStoppedSinkFailsOnlyWhoWaits(t *testing.T) {
	t.Parallel()
	var x expected
	c := newCall(0)
	c.records = []*otelaudit.Record{{ID: otelaudit.DeriveID("test", "1")}}
	c.begin(1, time.Hour)
	e := x.add(c)
	x.number(e, 1)
	x.arrived(c.records[0].ID, arrival{seq: 1})
	require.NoError(t, c.await())
	x.fail(otelaudit.ErrNotDelivered)
	require.NoError(t, c.err())
	require.Empty(t, c.done)
	x.remove(e)
}
