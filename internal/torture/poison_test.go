//go:build unix

package torture

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
)

// Of 1,000 records the sink refuses some: those that the test calls poison, and those whose id is another activity's, which
// Postgres itself finds out. Exactly those are dead letters, with the reason; the rest is in the table.
func TestPoison(t *testing.T) {
	t.Parallel()
	o := newOracle(newWorld())
	o.world.PoisonEvery, o.world.ConflictEvery = 7, 10
	const workers, each = 10, 100
	const poisonous, conflicting = workers * (100/7 - 2), workers * 100 / 10 // the 49th and the 70th belong to conflicts
	config := childConfig{
		World: o.world, Life: 1, Dir: filepath.Join(t.TempDir(), "audit"), DSN: migrated(t, localpg.Database(t)), Workers: workers, Calls: each,
	}
	p := start(t, o, config)
	p.must(t, done, 1)
	p.finish(t)
	f := requireAllThere(t, o, config) // each at its place, and each letter with its own reason
	require.Equal(t, workers*each, f.acknowledged)
	require.Equal(t, poisonous+conflicting, f.deadLetters)
	require.Equal(t, workers*each-poisonous-conflicting, f.stored)
}
