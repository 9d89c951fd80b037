package trail_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// busy is a trail with a journal, whose exporter takes a millisecond for each batch. It has had a record under way since began,
// and another one has come meanwhile.
type busy struct {
	*testing.T
	*trail.Trail
	exporter *double
	began    time.Time
}

func whileBusy(t *testing.T, f func(b *busy), change ...func(*trail.Config)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := newDouble()
		d.answerWith(func(context.Context, *trail.Batch) error {
			<-time.After(time.Millisecond)
			return nil
		})
		large := func(c *trail.Config) { c.SegmentBytes = 8 << 20 } // a batch ends with its segment
		b := &busy{t, openQuiet(t, d, append([]func(*trail.Config){inDir(dir), large}, change...)...), d, time.Now()}
		synctest.Wait() // the deliverer rests
		mustTrack(t, b.Trail, "one.create")
		b.requireNext(1, 0)
		mustTrack(t, b.Trail, "two.create")
		f(b)
	})
}

// requireNext waits for the next batch, and compares its size and when it came.
func (b *busy) requireNext(size int, after time.Duration) {
	b.Helper()
	require.Equal(b, size, b.exporter.next(b.T))
	require.Equal(b, after, time.Since(b.began))
}

// Where records come faster than the exporter takes them, they go together. One that comes alone goes at once. The cursor is on
// disk in time.
func TestRecordsGather(t *testing.T) {
	t.Parallel()
	whileBusy(t, func(b *busy) {
		<-time.After(200 * time.Millisecond)
		cursors, err := journal.Cursors(journal.OS(), b.Status().Journal.Dir)
		require.NoError(t, err)
		require.Equal(t, map[string]uint64{"double": 2}, cursors, "the opening, and the first")
		mustTrack(b.T, b.Trail, "three.create", "four.create")
		b.requireNext(3, 251*time.Millisecond)
		<-time.After(time.Second)
		b.began = time.Now()
		mustTrack(b.T, b.Trail, "five.create")
		b.requireNext(1, 0)
	})
}

// Who waits for a delivery does not wait for others to come.
func TestWhoWaitsEndsTheGathering(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]func(b *busy) error{
		"Wait Delivered": func(b *busy) error {
			a := activity("three.create")
			a.Wait = otelaudit.Delivered
			_, err := b.Track(b.Context(), a)
			return err
		},
		"ForceFlush": func(b *busy) error { return b.ForceFlush(b.Context()) },
		"Shutdown":   func(b *busy) error { return b.Shutdown(b.Context()) },
	} {
		for _, later := range []time.Duration{0, 100 * time.Millisecond} {
			t.Run(name+" after "+later.String(), func(t *testing.T) {
				t.Parallel()
				whileBusy(t, func(b *busy) {
					if later > 0 {
						<-time.After(later)
					}
					began := time.Now()
					require.NoError(t, wait(b))
					require.LessOrEqual(t, time.Since(began), 2*time.Millisecond, "of the batch under way, and of the next")
				})
			})
		}
	}
}

// A backlog is delivered without a rest.
func TestABacklogDoesNotGather(t *testing.T) {
	t.Parallel()
	three := func(c *trail.Config) { c.MaxBatch = 3 }
	whileBusy(t, func(b *busy) {
		mustTrack(b.T, b.Trail, "three.create", "four.create", "five.create")
		b.requireNext(3, time.Millisecond)
		b.requireNext(1, 2*time.Millisecond)
	}, three)
}

// A best-effort sink does not rest: what the required ones have may be gone when it comes.
func TestABestEffortSinkDoesNotGather(t *testing.T) {
	t.Parallel()
	var best *double
	also := func(c *trail.Config) {
		best = newDouble()
		c.Sinks = append(c.Sinks, trail.Sink{Name: "best", Exporter: best, BestEffort: true})
		best.answerWith(func(context.Context, *trail.Batch) error {
			<-time.After(time.Millisecond)
			return nil
		})
	}
	whileBusy(t, func(b *busy) {
		for n := 0; n < 3; { // the opening, and two
			n += best.next(b.T)
		}
		require.Equal(t, time.Millisecond, time.Since(b.began))
	}, also)
}

// What exporters get of a backlog at a time.
func TestLargestBatches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left := open(t, newDouble(), inDir(dir), func(c *trail.Config) { c.Sinks, c.SegmentBytes = nil, 0 })
	for range 2 {
		_, err := left.TrackAll(t.Context(), slices.Repeat([]otelaudit.Activity{activity("many.create")}, 3000))
		require.NoError(t, err)
	}
	require.NoError(t, left.Close())
	d, p := newDouble(), newPlain()
	tr := open(t, d, inDir(dir), func(c *trail.Config) { c.Sinks = append(c.Sinks, trail.Sink{Name: "plain", Exporter: p}) })
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Equal(t, 4096, slices.Max(d.batches))
	require.Equal(t, 2048, p.largest)
}
