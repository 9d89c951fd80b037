//go:build unix

package torture

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
)

// The process dies again and again, under load from 16 goroutines, and is started again on the same directory. In the end
// everything that was acknowledged is in the table, once.
func TestKilled(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	all := lineages(rand.New(rand.NewPCG(seed, 0)))
	reached := newReached(t, all)
	for i, lineage := range all {
		random := rand.New(rand.NewPCG(seed, uint64(i)+1))
		t.Run("", func(t *testing.T) {
			t.Parallel()
			killAgainAndAgain(t, lineage, random, reached)
		})
	}
}

// killAgainAndAgain lives and dies on one directory, then lives once more in peace.
func killAgainAndAgain(t *testing.T, lineage []death, random *rand.Rand, reached *reached) {
	t.Helper()
	w := newWorld()
	w.PoisonEvery = 100
	o, dsn, dir := newOracle(w), migrated(t, localpg.Database(t)), t.TempDir()
	config := childConfig{
		World: w, Dir: filepath.Join(dir, "audit"), DSN: dsn, Lines: filepath.Join(dir, "lines"), Workers: 16, Batch: 5, Seed: random.Uint64(),
	}
	for i, d := range lineage {
		config.Life = i + 1
		config.Fuse, config.Times = d.at, d.times
		config.Forgetful = random.IntN(2) == 0
		config.Redo = o.unacknowledged(i, 20)
		p := start(t, o, config)
		if d.happens(t, p) {
			reached.note(d.at)
		}
		p.kill()
		p.died(t)
		if p.count(shut) == 0 {
			totals.killed()
		}
	}
	config.Life, config.Fuse, config.Calls = len(lineage)+1, "", 20
	config.Forgetful, config.Redo = false, o.unacknowledged(len(lineage), 20)
	p := start(t, o, config)
	p.must(t, done, 1)
	p.finish(t)
	requireAllThere(t, o, config)
	require.Empty(t, o.failures, "calls that failed")
}
