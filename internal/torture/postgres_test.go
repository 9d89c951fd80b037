//go:build unix

package torture

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Postgres and the way to it fail in every manner while a process tracks. Its Tracks do not notice, and in the end everything
// is in the table once.
func TestPostgresFails(t *testing.T) {
	t.Parallel()
	rounds := 1
	if long() {
		rounds = 10
	}
	pg := newServer(t)
	network, dsn := newProxy(t, pg.dsn)
	o, dir := newOracle(newWorld()), t.TempDir()
	config := childConfig{
		World: o.world, Life: 1, Dir: filepath.Join(dir, "audit"), DSN: dsn, Lines: filepath.Join(dir, "lines"),
		Workers: 16, Pause: 20 * time.Millisecond, ExportTimeout: time.Second, TrackTimeout: 2 * time.Second,
	}
	p := start(t, o, config)
	p.must(t, acked, 100)
	for range rounds {
		p.outlives(t, "immediate stop", func() { pg.crash(t) })
		p.outlives(t, "sessions terminated", func() {
			require.Eventually(t, func() bool { return pg.terminate(t) > 0 }, deadline, time.Millisecond)
			totals.crashed()
		})
		p.outlives(t, "cut off between COMMIT and its answer", func() {
			cuts := network.cuts.Load()
			network.cut(3)
			require.Eventually(t, func() bool { return network.cuts.Load() >= cuts+3 }, deadline, time.Millisecond)
			totals.crashed()
		})
		p.outlives(t, "SIGSTOP", func() {
			pg.hang(t)
			p.timesOut(t)
			pg.resume()
		})
		p.outlives(t, "a network that swallows everything", func() {
			network.freeze()
			p.timesOut(t)
			network.thaw()
			totals.crashed()
		})
		p.outlives(t, "nobody listens", func() {
			network.setDown(true)
			p.must(t, refusal, p.count(refusal)+2)
			network.setDown(false)
			totals.crashed()
		})
	}
	p.finish(t)
	requireAllThere(t, o, config)
}

// outlives makes something happen, during and after which Tracks go on.
func (p *process) outlives(t *testing.T, what string, happens func()) {
	t.Helper()
	acks, refusals := p.count(acked), p.count(refusal)
	happens()
	during := p.count(acked)
	p.must(t, acked, during+100)
	t.Logf("%s: %d acknowledged meanwhile, %d exports failed", what, during-acks, p.count(refusal)-refusals)
}

// timesOut returns when exports and Tracks alike have waited for longer than they may. Tracks have gone on meanwhile.
func (p *process) timesOut(t *testing.T) {
	t.Helper()
	acks, refusals := p.count(acked), p.count(refusal)
	p.must(t, refusal, refusals+4) // but for the first, each has waited for ExportTimeout: together longer than TrackTimeout
	require.Contains(t, p.must(t, refusal, 1).Text, "deadline exceeded")
	p.must(t, acked, acks+100)
}

// How much memory a process may take for what waits: none. The heap that is in use, after a garbage collection, does not grow
// by more than this while the journal fills, and what the process ever had in memory stays below the second.
const (
	heapGrowth = 4 << 20
	peak       = 256 << 20
)

// Postgres is down while a million records are tracked, and then gets them.
func TestPostgresIsDown(t *testing.T) {
	t.Parallel()
	calls := 220 // of each goroutine: 20,000 records
	if long() {
		calls = 11000
	}
	pg := newServer(t)
	network, dsn := newProxy(t, pg.dsn)
	network.setDown(true)
	o := newOracle(newWorld())
	config := childConfig{
		World: o.world, Life: 1, Dir: filepath.Join(t.TempDir(), "audit"), DSN: dsn, Workers: 16, Calls: calls, Batch: 20,
		SegmentBytes: 4 << 20,
	}
	p := start(t, o, config)
	p.must(t, acked, 16*calls/4)
	p.order(t, orderMeasure)
	before := p.must(t, measured, 1).Live
	p.must(t, done, 1)
	tracked := p.count(acked)
	p.order(t, orderMeasure)
	after := p.must(t, measured, 2).Live
	require.Less(t, after, before+heapGrowth, "the heap grew with what waits")

	pg.crash(t)
	network.setDown(false)
	e := p.finish(t)
	t.Logf("%d records waited; the heap in use went from %d to %d KiB; the process never had more than %d KiB in memory",
		tracked, before>>10, after>>10, e.Peak>>10)
	if e.Peak > 0 && !raceDetector {
		require.Less(t, e.Peak, uint64(peak))
	}
	f := requireAllThere(t, o, config)
	require.Equal(t, tracked, f.stored)
	require.Zero(t, f.recovered)
}
