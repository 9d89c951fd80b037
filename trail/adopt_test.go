package trail_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// inParent has a trail keep a journal of its own under parent, and adopt others there.
func inParent(parent string) func(*trail.Config) {
	return func(c *trail.Config) {
		inDir("")(c)
		c.Dir, c.ParentDir, c.AdoptInterval = "", parent, 5*time.Millisecond
	}
}

// more adds a sink.
func more(name string, d *double, bestEffort bool) func(*trail.Config) {
	return func(c *trail.Config) {
		c.Sinks = append(c.Sinks, trail.Sink{Name: name, Exporter: d, BestEffort: bestEffort})
	}
}

// gone leaves a journal under parent with an activity of each action, of a process whose sinks got none. It returns the directory.
func gone(t *testing.T, parent string, actions []string, change ...func(*trail.Config)) string {
	t.Helper()
	down := newDouble()
	down.failWith(errors.New("down"))
	tr := open(t, down, append([]func(*trail.Config){inParent(parent), func(c *trail.Config) { c.AdoptInterval = time.Hour }}, change...)...)
	mustTrack(t, tr, actions...)
	dir := tr.Status().Journal.Dir
	_ = shut(tr)
	return dir
}

func awaitNoDir(t *testing.T, dir string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	}, patience, time.Millisecond, "%s is still there", dir)
}

// lossy removes a segment from the middle of a journal. It returns the numbers that were in it.
func lossy(t *testing.T, dir string) (from, to uint64) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "*.segment"))
	require.NoError(t, err)
	require.Greater(t, len(segments), 3)
	require.NoError(t, os.Remove(segments[2]))
	view, err := journal.Look(nil, dir)
	require.NoError(t, err)
	damage := view.Status().Damage
	require.Len(t, damage, 1)
	return damage[0].From, damage[0].To
}

func metadataOf(t *testing.T, r *otelaudit.Record, key attribute.Key) attribute.KeyValue {
	t.Helper()
	i := slices.IndexFunc(r.Metadata, func(kv attribute.KeyValue) bool { return kv.Key == key })
	require.GreaterOrEqual(t, i, 0, "%s", r.Action)
	return r.Metadata[i]
}

// What an adopted journal has lost is reported, recorded, counted and noted: the journal itself goes.
func TestAnAdoptedLossIsRecorded(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := gone(t, parent, slices.Repeat([]string{"one.create"}, 40), func(c *trail.Config) { c.SegmentBytes = 4 << 10 })
	from, to := lossy(t, dir)
	up := newDouble()
	tr := openQuiet(t, up, inParent(parent))
	require.Eventually(t, func() bool { return slices.Contains(up.actions(), "otelaudit.journal.lost") }, patience, time.Millisecond)
	reports.await(t, dir, fmt.Sprintf("%d records are lost (%d to %d)", to+1-from, from, to))
	require.Eventually(t, func() bool { return len(tr.Status().Adopted) == 0 }, patience, time.Millisecond)
	require.Equal(t, to+1-from, tr.Status().Lost)
	require.NoError(t, tr.ForceFlush(t.Context()))
	lost := slices.DeleteFunc(up.stored(), func(r *otelaudit.Record) bool { return r.Action != "otelaudit.journal.lost" })
	require.Len(t, lost, 1)
	require.Equal(t, otelaudit.Target{Type: "journal", ID: filepath.Base(dir)}, lost[0].Target)
	require.Equal(t, otelaudit.Failure, lost[0].Outcome)
	require.Equal(t, []string{fmt.Sprintf("%d-%d", from, to)}, metadataOf(t, lost[0], "journal.lost").Value.AsStringSlice())
	notes, err := filepath.Glob(filepath.Join(dir, "quarantine", "*"))
	require.NoError(t, err)
	require.Len(t, notes, 1)
}

// What the trail's own journal does not take when the loss is met, it records once it does.
func TestAnAdoptedLossIsRecordedLater(t *testing.T) {
	t.Parallel()
	parent, elsewhere := t.TempDir(), t.TempDir()
	up, disk := newDouble(), newDisk()
	tr := openQuiet(t, up, inParent(parent), disk.under)
	own := tr.Status().Journal.Dir
	disk.failWith(func(op, path string) error {
		if op == "write" && strings.HasPrefix(path, own) && !strings.Contains(path, ".cursor") {
			return syscall.EIO
		}
		return nil
	})
	dir := gone(t, elsewhere, slices.Repeat([]string{"one.create"}, 40), func(c *trail.Config) { c.SegmentBytes = 4 << 10 })
	from, to := lossy(t, dir)
	adopted := filepath.Join(parent, filepath.Base(dir))
	require.NoError(t, os.Rename(dir, adopted))
	reports.await(t, "record what an adopted journal has lost", adopted)
	require.DirExists(t, filepath.Join(adopted, "quarantine"))
	require.FileExists(t, filepath.Join(adopted, "lock"), "it stays until then")
	disk.failWith(func(string, string) error { return nil })
	lost := func() (records []*otelaudit.Record) {
		return slices.DeleteFunc(up.stored(), func(r *otelaudit.Record) bool { return r.Action != "otelaudit.journal.lost" })
	}
	require.Eventually(t, func() bool { return len(lost()) > 0 }, patience, time.Millisecond)
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Len(t, lost(), 1)
	require.Equal(t, []string{fmt.Sprintf("%d-%d", from, to)}, metadataOf(t, lost()[0], "journal.lost").Value.AsStringSlice())
	require.Equal(t, to+1-from, tr.Status().Lost)
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(adopted, "lock"))
		return os.IsNotExist(err)
	}, patience, time.Millisecond)
}

func TestAJournalOfAProcessThatIsGoneIsAdopted(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	under := inParent(parent)
	down, up := newDouble(), newDouble()
	down.failWith(errors.New("down"))
	gone := open(t, down, under, func(c *trail.Config) { c.Service = "gone" })
	heir := open(t, up, under)
	mustTrack(t, gone, "one.create", "two.create")
	mustTrack(t, heir, "own.create")
	dir := gone.Status().Journal.Dir
	require.Error(t, shut(gone))
	require.Eventually(t, func() bool { return len(up.actions()) == 3 }, patience, time.Millisecond)
	require.ElementsMatch(t, []string{"own.create", "one.create", "two.create"}, up.actions())
	for _, r := range up.stored() {
		service, _ := r.Resource.Value(otelaudit.KeyServiceName)
		require.Equal(t, r.Action != "own.create", service.AsString() == "gone", "who recorded it")
	}
	require.Eventually(t, func() bool { return len(heir.Status().Adopted) == 0 }, patience, time.Millisecond)
	require.NoDirExists(t, dir)
	require.NoError(t, heir.Close())
}

// Of an owner that had no sinks, whoever adopts its journal has to deliver it: nobody else would.
func TestAJournalWithoutSinksIsAdopted(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	under := inParent(parent)
	gone := open(t, newDouble(), under, func(c *trail.Config) { c.Sinks = nil })
	mustTrack(t, gone, "one.create")
	require.NoError(t, gone.Close())
	d := newDouble()
	heir := open(t, d, under)
	require.Eventually(t, func() bool { return len(d.actions()) == 1 }, patience, time.Millisecond)
	require.Eventually(t, func() bool { return len(heir.Status().Adopted) == 0 }, patience, time.Millisecond)
}

// A sink that stops and is mended gets the adopted journal, too, without a restart.
func TestAnAdoptedJournalOutlivesAStoppedSink(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := gone(t, parent, []string{"one.create", "two.create"})
	d := newDouble()
	d.failWith(&trail.StopError{Err: errors.New("no table")})
	tr := open(t, d, inParent(parent))
	mustTrack(t, tr, "own.create")
	require.Eventually(t, func() bool { return tr.Status().Sinks[0].State == trail.Stopped }, patience, time.Millisecond)
	require.Eventually(t, func() bool { return len(tr.Status().Adopted) == 1 }, patience, time.Millisecond)
	d.answerWith(nil)
	awaitNoDir(t, dir)
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.ElementsMatch(t, []string{"own.create", "one.create", "two.create"}, d.actions())
}

// Of an owner without sinks every required sink gets everything, or the journal stays.
func TestAnAdoptedJournalIsForAllRequiredSinks(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := gone(t, parent, []string{"one.create", "two.create"}, func(c *trail.Config) { c.Sinks = nil })
	disk := newDisk()
	var failed atomic.Bool
	disk.failWith(func(op, path string) error {
		if op == "create" && filepath.Dir(path) == dir && strings.Contains(path, "double.cursor") && failed.CompareAndSwap(false, true) {
			return syscall.EIO
		}
		return nil
	})
	a, b := newDouble(), newDouble()
	open(t, a, inParent(parent), disk.under, more("b", b, false))
	awaitNoDir(t, dir)
	require.True(t, failed.Load())
	require.Equal(t, []string{"one.create", "two.create"}, a.actions())
	require.Equal(t, []string{"one.create", "two.create"}, b.actions())
}

// A best-effort sink holds no adopted journal back; what it does not get is counted. One that takes records gets all of them.
func TestABestEffortSinkDoesNotPinAnAdoptedJournal(t *testing.T) {
	t.Parallel()
	parent, unused := t.TempDir(), newDouble()
	dir := gone(t, parent, []string{"one.create", "two.create"}, more("broken", unused, true), more("slow", unused, true), func(c *trail.Config) {
		for i := range c.Sinks {
			c.Sinks[i].Exporter = c.Sinks[0].Exporter
		}
	})
	d, broken, slow := newDouble(), newDouble(), newDouble()
	broken.failWith(errors.New("down for good"))
	tr := open(t, d, inParent(parent), more("broken", broken, true), more("slow", slow, true), func(c *trail.Config) {
		c.MaxBatch, c.CloseTimeout = 1, 50*time.Millisecond
	})
	awaitNoDir(t, dir)
	require.Equal(t, []string{"one.create", "two.create"}, d.actions())
	require.Equal(t, []string{"one.create", "two.create"}, slow.actions())
	require.Empty(t, broken.actions())
	require.Eventually(t, func() bool { return len(tr.Status().Adopted) == 0 }, patience, time.Millisecond)
	require.Equal(t, uint64(3), tr.Status().Sinks[1].Dropped, "with the opening of the one that is gone")
}

// What waits for a sink that only others have is closed again, so that others can deliver it, or forget that sink. Status names it
// meanwhile.
func TestAnAdoptedJournalForAnUnknownSinkIsLeftToOthers(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	down := newDouble()
	down.failWith(errors.New("down"))
	dir := gone(t, parent, []string{"one.create"}, more("old", down, false), more("broken", down, true))
	d, broken := newDouble(), newDouble()
	broken.failWith(errors.New("down for good"))
	tr := open(t, d, inParent(parent), more("broken", broken, true), func(c *trail.Config) { c.CloseTimeout = 50 * time.Millisecond })
	reports.await(t, "otelaudit journal deliver", dir, "old")
	require.Equal(t, []string{"one.create"}, d.actions())
	var j *journal.Journal
	require.Eventually(t, func() bool {
		var err error
		j, err = journal.Open(journal.Config{Dir: dir, NoAppend: true})
		return err == nil
	}, patience, time.Millisecond, "nobody has it open")
	adopted := tr.Status().Adopted
	require.Len(t, adopted, 1)
	require.Equal(t, dir, adopted[0].Dir)
	require.Zero(t, tr.Status().Sinks[1].Dropped, "it may still get them")
	require.NoError(t, j.Forget("old"))
	require.NoError(t, j.Close())
	awaitNoDir(t, dir)
	require.Eventually(t, func() bool { return len(tr.Status().Adopted) == 0 }, patience, time.Millisecond)
	require.Equal(t, []string{"one.create"}, d.actions())
	require.Equal(t, uint64(2), tr.Status().Sinks[1].Dropped, "with the opening of the one that is gone")
}

// However many journals are adopted, a sink has a batch of one of them at a time: that bounds the memory while it is down.
func TestAdoptedJournalsTakeTurns(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	const many = 8
	for range many {
		gone(t, parent, []string{"one.create"})
	}
	d := newDouble()
	var mu sync.Mutex
	recorders := map[attribute.Distinct]bool{} // whose records the sink was given while it was down
	d.answerWith(func(_ context.Context, b *trail.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range b.Records {
			recorders[r.Resource.Equivalent()] = true
		}
		return errors.New("down")
	})
	heir := open(t, d, inParent(parent))
	require.Eventually(t, func() bool { return len(heir.Status().Adopted) == many }, patience, time.Millisecond)
	for range many {
		d.next(t)
	}
	mu.Lock()
	require.LessOrEqual(t, len(recorders), 2, "its own, and one that is gone")
	mu.Unlock()
	d.answerWith(nil)
	require.Eventually(t, func() bool { return len(heir.Status().Adopted) == 0 }, patience, time.Millisecond)
	require.Len(t, d.actions(), many)
}
