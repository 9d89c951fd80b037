//go:build unix

package torture

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// A directory is one process's. A second one is refused, and the first does not notice.
func TestTheSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	o := newOracle(newWorld())
	config := childConfig{
		World: o.world, Life: 1, Dir: filepath.Join(t.TempDir(), "audit"), DSN: migrated(t, localpg.Database(t)), Workers: 4,
	}
	first := start(t, o, config)
	first.must(t, acked, 100)
	config.Life = 2
	second := start(t, o, config)
	e := second.must(t, refused, 1)
	require.Contains(t, e.Text, "in use")
	require.Contains(t, e.Text, config.Dir)
	require.Contains(t, e.Text, "ParentDir", "it says what to do")
	second.died(t)
	first.must(t, acked, first.count(acked)+100)
	first.finish(t)
	requireAllThere(t, o, config)
	require.Empty(t, o.failures)
}

// Under one parent each process has a directory of its own. What a killed one has left there, the next one delivers: one that
// starts afterwards, and one that runs already. Then the directory is gone.
func TestTheSecondProcessAdopts(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"it starts afterwards": false, "it runs already": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := migrated(t, localpg.Database(t))
			o, parent := newOracle(newWorld()), t.TempDir()
			config := childConfig{
				World: o.world, Life: 1, ParentDir: parent, DSN: nowhere(t), Workers: 4, AdoptInterval: 100 * time.Millisecond,
			}
			dead := start(t, o, config)
			dead.must(t, acked, 1000)
			owned := directories(t, parent)
			require.Len(t, owned, 1)

			config.Life, config.DSN = 2, dsn
			var heir *process
			if before {
				heir = start(t, o, config)
				heir.must(t, acked, 100)
			}
			dead.kill()
			dead.died(t)
			totals.killed()
			if !before {
				heir = start(t, o, config)
				heir.must(t, acked, 100)
			}
			require.Eventually(t, func() bool {
				_, err := os.Stat(owned[0])
				return os.IsNotExist(err)
			}, deadline, 10*time.Millisecond, "the directory of the dead process is still there")
			require.Len(t, directories(t, parent), 1, "its own")
			heir.finish(t)
			requireAllThere(t, o, config)
		})
	}
}

// What a killed process has left, Deliver takes to the table without another one.
func TestDeliverTakesWhatADeadProcessLeft(t *testing.T) {
	t.Parallel()
	dsn := migrated(t, localpg.Database(t))
	o := newOracle(newWorld())
	o.world.PoisonEvery = 50
	config := childConfig{World: o.world, Life: 1, Dir: filepath.Join(t.TempDir(), "audit"), DSN: nowhere(t), Workers: 4}
	p := start(t, o, config)
	p.must(t, acked, 1000)
	p.kill()
	p.died(t)
	totals.killed()

	pg, err := openTable(t.Context(), dsn, nil, func(error) {})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	_, err = trail.Deliver(ctx, trail.Config{Dir: config.Dir, Sinks: []trail.Sink{{Name: "postgres", Exporter: pg}}})
	require.NoError(t, err)
	config.DSN = dsn
	requireAllThere(t, o, config)
}

// The clock goes back an hour while 16 goroutines track. Order and ids do not; times do, for that is what the clock said.
func TestTheClockGoesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := newOracle(newWorld())
	config := childConfig{
		World: o.world, Life: 1, Dir: filepath.Join(dir, "audit"), DSN: migrated(t, localpg.Database(t)), Lines: filepath.Join(dir, "lines"),
		Workers: 16, Calls: 100, SetBackAfter: 800,
	}
	p := start(t, o, config)
	p.must(t, done, 1)
	p.finish(t)
	f := requireAllThere(t, o, config) // also that ids ascend
	require.Equal(t, 1600, f.acknowledged)

	back := 0
	for r, err := range readAll(t.Context(), openPostgres(t, config.DSN)) {
		require.NoError(t, err)
		if at, ok := r.ID.Time(); ok && at.Sub(r.Time) > 50*time.Minute {
			back++ // its id ran ahead of its time
		}
	}
	require.Positive(t, back)
	t.Logf("%d records have an id that is an hour ahead of their time", back)
}

// directories are those that processes made for themselves under parent.
func directories(t *testing.T, parent string) (dirs []string) {
	t.Helper()
	entries, err := os.ReadDir(parent)
	require.NoError(t, err)
	for _, e := range entries {
		dirs = append(dirs, filepath.Join(parent, e.Name()))
	}
	return dirs
}

// nowhere is the DSN of a server that is not there.
func nowhere(t *testing.T) string {
	t.Helper()
	return "postgres://nobody@/none?host=" + t.TempDir()
}
