package trail_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
	"github.com/rj-gamer/go-activity-tracker/trail"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// inDir has a trail keep a journal in dir.
func inDir(dir string) func(*trail.Config) {
	return func(c *trail.Config) {
		c.NoJournal, c.Dir, c.SegmentBytes = false, dir, 256<<10
		c.ProbeInterval = 20 * time.Millisecond
	}
}

// shut closes tr at once, as far as its sinks let it, and returns what it says of that.
func shut(tr *trail.Trail) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return tr.Shutdown(ctx)
}

func mustTrack(t *testing.T, tr *trail.Trail, actions ...string) {
	t.Helper()
	for _, action := range actions {
		_, err := tr.Track(t.Context(), activity(action))
		require.NoError(t, err)
	}
}

// letters are the dead letters of dir.
func letters(t *testing.T, dir string) []trail.DeadLetter {
	t.Helper()
	var all []trail.DeadLetter
	for l, err := range trail.DeadLetters(dir) {
		require.NoError(t, err)
		l.Data = slices.Clone(l.Data)
		all = append(all, l)
	}
	return all
}

func TestAJournalKeepsWhatASinkHasNotGot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	down := newDouble()
	down.failWith(errors.New("down"))
	tr := open(t, down, inDir(dir))
	receipt, err := tr.Track(t.Context(), activity("one.create"))
	require.NoError(t, err, "a sink that is down does not matter")
	require.True(t, receipt.Delivered.IsZero())
	_, err = tr.TrackAll(t.Context(), []otelaudit.Activity{activity("two.create"), activity("three.create")})
	require.NoError(t, err)

	status := tr.Status()
	require.Equal(t, uint64(4), status.Emitted, "with the opening")
	require.Equal(t, 4, status.Sinks[0].Waiting)
	require.Equal(t, uint64(4), status.Journal.Last)
	require.Eventually(t, func() bool { return tr.Status().Sinks[0].State == trail.Retrying }, patience, time.Millisecond)
	err = shut(tr)
	require.ErrorContains(t, err, `sink "double": 4 records are left in the journal `+dir+": the next start on it delivers them")
	require.ErrorContains(t, err, "down")
	_, err = tr.Track(t.Context(), activity("late.create"))
	require.ErrorIs(t, err, otelaudit.ErrShutdown)

	up := newDouble()
	again := open(t, up, inDir(dir))
	mustTrack(t, again, "four.create")
	require.NoError(t, again.Close(), "it drains")
	require.Equal(t, []string{"one.create", "two.create", "three.create", "four.create"}, up.actions())
	require.True(t, up.stored()[0].SameActivity(up.stored()[0]))

	third := newDouble()
	last := open(t, third, inDir(dir))
	require.NoError(t, last.Close())
	require.Empty(t, third.actions(), "the cursor is where the sink was")
}

func TestANewSinkStartsAtTheOldestRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	none := func(c *trail.Config) { c.Sinks = nil }
	tr := open(t, newDouble(), inDir(dir), none)
	mustTrack(t, tr, "one.create", "two.create")
	require.NoError(t, tr.Close())
	d := newDouble()
	tr = open(t, d, inDir(dir))
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Equal(t, []string{"one.create", "two.create"}, d.actions())
}

func TestTwoTrailsDoNotShareADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, newDouble(), inDir(dir))
	_, err := trail.Open(t.Context(), trail.Config{Dir: dir, Service: "billing"})
	require.ErrorIs(t, err, journal.ErrLocked)
	require.ErrorContains(t, err, "Config.ParentDir")
}

func TestWaitForDelivery(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d, inDir(t.TempDir()), func(c *trail.Config) { c.TrackTimeout = 3 * time.Second })
	waiting := activity("one.create")
	waiting.Wait = otelaudit.Delivered

	receipt, err := tr.Track(t.Context(), waiting)
	require.NoError(t, err)
	require.False(t, receipt.Delivered.IsZero())
	require.Equal(t, []string{"one.create"}, d.actions(), "it is there when Track returns")

	receipts, err := tr.TrackAll(t.Context(), []otelaudit.Activity{activity("two.create"), waiting})
	require.NoError(t, err)
	require.False(t, receipts[0].Delivered.IsZero(), "one commit, one wait")
	require.Len(t, d.actions(), 3)

	d.failWith(errors.New("down"))
	_, err = tr.Track(t.Context(), waiting)
	require.ErrorIs(t, err, otelaudit.ErrNotDelivered)
	require.ErrorContains(t, err, "down")
	require.NotErrorIs(t, err, otelaudit.ErrTimeout, "it is recorded")
	var failed *otelaudit.TrackError
	require.ErrorAs(t, err, &failed)
	require.False(t, failed.Activities[0].ID.IsZero())

	d.answerWith(nil)
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Len(t, d.actions(), 4, "and arrives all the same")
}

func TestAWaitEndsWhereNothingWillCome(t *testing.T) {
	t.Parallel()
	d := newDouble()
	dir := t.TempDir()
	tr := openQuiet(t, d, inDir(dir), func(c *trail.Config) { c.TrackTimeout, c.Wait = time.Hour, otelaudit.Delivered })
	d.answerWith(func(_ context.Context, b *trail.Batch) error {
		return &trail.BadRecordsError{Records: []trail.BadRecord{{ID: b.Records[0].ID, Reason: errors.New("conflict")}}}
	})
	err := await(t, track(tr, activity("bad.create")))
	require.ErrorIs(t, err, otelaudit.ErrNotDelivered)
	require.ErrorContains(t, err, "set it aside: conflict")
	require.Len(t, letters(t, dir), 1)

	d.failWith(&trail.StopError{Err: errors.New("no table")})
	err = await(t, track(tr, activity("stopped.create")))
	require.ErrorIs(t, err, otelaudit.ErrNotDelivered)
	require.ErrorContains(t, err, "no table")
	err = await(t, track(tr, activity("still.create")))
	require.ErrorIs(t, err, otelaudit.ErrNotDelivered)
	require.NotErrorIs(t, err, otelaudit.ErrUnavailable)
	require.False(t, otelaudit.IsRetryable(err), "it is recorded")
}

func TestAWaitNeedsARequiredSink(t *testing.T) {
	t.Parallel()
	tr := open(t, newDouble(), inDir(t.TempDir()), func(c *trail.Config) { c.Sinks[0].BestEffort = true })
	a := activity("one.create")
	a.Wait = otelaudit.Delivered
	_, err := tr.Track(t.Context(), a)
	require.ErrorIs(t, err, otelaudit.ErrInvalid)
}

// Two records with one id: each waits for its own.
func TestAWaitIsForItsOwnRecord(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d, inDir(t.TempDir()), func(c *trail.Config) { c.TrackTimeout, c.Wait = time.Hour, otelaudit.Delivered })
	d.answerWith(func(_ context.Context, b *trail.Batch) error {
		var bad trail.BadRecordsError
		for i, r := range b.Records {
			if r.Action == "bad.create" {
				bad.Records = append(bad.Records, trail.BadRecord{ID: r.ID, Index: i, Reason: errors.New("conflict")})
			}
		}
		if len(bad.Records) > 0 {
			return &bad
		}
		return nil
	})
	one, other := activity("good.create"), activity("bad.create")
	one.ID, one.Time = otelaudit.DeriveID("test", "1"), time.Now()
	other.ID, other.Time = one.ID, one.Time
	for range 50 {
		good, bad := track(tr, one), track(tr, other)
		require.NoError(t, await(t, good))
		require.ErrorIs(t, await(t, bad), otelaudit.ErrNotDelivered)
	}
	_, err := tr.TrackAll(t.Context(), []otelaudit.Activity{one, one, one})
	require.NoError(t, err, "one call may have an id several times")
}

func TestBadRecordsAreSetAside(t *testing.T) {
	t.Parallel()
	d := newDouble()
	dir := t.TempDir()
	d.answerWith(func(_ context.Context, b *trail.Batch) error {
		var bad trail.BadRecordsError
		for i, r := range b.Records {
			if strings.HasPrefix(r.Action, "bad.") {
				bad.Records = append(bad.Records, trail.BadRecord{ID: r.ID, Index: i, Reason: errors.New("conflict over " + r.Action)})
			}
		}
		if len(bad.Records) > 0 {
			return &bad
		}
		return nil
	})
	tr := open(t, d, inDir(dir))
	const n, poisonous = 1000, 7
	for i := range n {
		action := fmt.Sprintf("good.n%d", i)
		if i%(n/poisonous) == 5 && i/(n/poisonous) < poisonous {
			action = fmt.Sprintf("bad.n%d", i)
		}
		mustTrack(t, tr, action)
	}
	require.NoError(t, tr.ForceFlush(t.Context()))
	found := letters(t, dir)
	require.Len(t, found, poisonous)
	for i, l := range found {
		r, err := l.Record()
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("bad.n%d", i*(n/poisonous)+5), r.Action)
		require.Equal(t, "conflict over "+r.Action, l.Reason)
		require.Equal(t, "double", l.Sink)
	}
	status := tr.Status().Sinks[0]
	require.Equal(t, uint64(poisonous), status.DeadLetters)
	require.Equal(t, uint64(poisonous), status.Dropped)
	require.Equal(t, uint64(n+1-poisonous), status.Exported)
	require.Equal(t, trail.Running, status.State)
	require.NoError(t, tr.Close())

	again := newDouble()
	require.NoError(t, open(t, again, inDir(dir)).Close())
	require.Empty(t, again.actions(), "what is set aside does not come again")
}

func TestAStoppedSinkResumes(t *testing.T) {
	t.Parallel()
	d := newDouble()
	dir := t.TempDir()
	d.failWith(&trail.StopError{Err: errors.New("no table")})
	tr := open(t, d, inDir(dir))
	mustTrack(t, tr, "one.create", "two.create")
	require.Eventually(t, func() bool { return tr.Status().Sinks[0].State == trail.Stopped }, patience, time.Millisecond)
	require.False(t, tr.Status().Healthy())
	mustTrack(t, tr, "three.create")
	d.answerWith(nil) // somebody mends it
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Equal(t, []string{"one.create", "two.create", "three.create"}, d.actions())
	require.Equal(t, trail.Running, tr.Status().Sinks[0].State)
	require.Empty(t, letters(t, dir))
}

func TestSlowSinksSlowNobody(t *testing.T) {
	t.Parallel()
	stuck, fast := newDouble(), newDouble()
	release := make(chan struct{})
	stuck.answerWith(func(context.Context, *trail.Batch) error { <-release; return nil })
	tr := open(t, fast, inDir(t.TempDir()), func(c *trail.Config) {
		c.Sinks = append(c.Sinks, trail.Sink{Name: "stuck", Exporter: stuck})
	})
	for i := range 100 {
		mustTrack(t, tr, fmt.Sprintf("n%d.create", i))
	}
	require.Eventually(t, func() bool { return len(fast.actions()) == 100 }, patience, time.Millisecond)
	require.Equal(t, 101, tr.Status().Sinks[1].Waiting)
	close(release)
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Len(t, stuck.actions(), 100)
}

func TestUnreadableRecordsAreSetAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := journal.Open(journal.Config{Dir: dir})
	require.NoError(t, err)
	_, err = j.Append(t.Context(), []byte("no record"), []byte{0xff, 1, 2})
	require.NoError(t, err)
	require.NoError(t, j.Close())
	d := newDouble()
	tr := open(t, d, inDir(dir))
	mustTrack(t, tr, "one.create")
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Equal(t, []string{"one.create"}, d.actions())
	found := letters(t, dir)
	require.Len(t, found, 2)
	require.Equal(t, "no record", string(found[0].Data))
	_, err = found[0].Record()
	require.Error(t, err)
}

// An exporter that cannot say which record it will not take gets everything before that one, and no more until somebody skips it.
func TestSkipIsTheWayPastAPoisonousRecord(t *testing.T) {
	t.Parallel()
	d := newDouble()
	dir := t.TempDir()
	d.answerWith(func(_ context.Context, b *trail.Batch) error {
		if slices.ContainsFunc(b.Records, func(r *otelaudit.Record) bool { return r.Action == "poison.create" }) {
			return errors.New("will not do")
		}
		return nil
	})
	tr := open(t, d, inDir(dir))
	for i := range 20 {
		mustTrack(t, tr, fmt.Sprintf("n%d.create", i))
	}
	mustTrack(t, tr, "poison.create", "last.create")
	require.Eventually(t, func() bool { return len(d.actions()) == 20 }, patience, time.Millisecond)
	require.ErrorContains(t, shut(tr), "2 records are left")

	_, err := trail.Skip(dir, "nobody", 1)
	require.ErrorIs(t, err, journal.ErrUnknown)
	require.ErrorContains(t, err, "double")
	skipped, err := trail.Skip(dir, "double", 1)
	require.NoError(t, err)
	require.Len(t, skipped, 1)
	r, err := skipped[0].Record()
	require.NoError(t, err)
	require.Equal(t, "poison.create", r.Action)
	require.Equal(t, skipped, letters(t, dir))

	require.NoError(t, open(t, d, inDir(dir)).Close())
	require.Equal(t, "last.create", d.actions()[20])
}

func TestDeliverTakesWhatIsLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tr := open(t, newDouble(), inDir(dir), func(c *trail.Config) { c.Sinks = nil })
	mustTrack(t, tr, "one.create", "two.create")
	_, err := trail.Deliver(t.Context(), trail.Config{Dir: dir, Sinks: []trail.Sink{{Name: "late", Exporter: newDouble()}}})
	require.ErrorIs(t, err, journal.ErrLocked)
	require.NoError(t, tr.Close())

	stopped := newDouble()
	stopped.failWith(&trail.StopError{Err: errors.New("no table")})
	status, err := trail.Deliver(t.Context(), trail.Config{Dir: dir, Sinks: []trail.Sink{{Name: "late", Exporter: stopped}}})
	require.ErrorContains(t, err, "3 records are left")
	require.ErrorContains(t, err, "no table")
	require.Equal(t, 3, status.Sinks[0].Waiting)

	d := newDouble()
	status, err = trail.Deliver(t.Context(), trail.Config{Dir: dir, Sinks: []trail.Sink{{Name: "late", Exporter: d}}})
	require.NoError(t, err)
	require.Equal(t, uint64(3), status.Sinks[0].Exported)
	require.Equal(t, []string{"one.create", "two.create"}, d.actions())
	require.Equal(t, 1, d.shutdown)

	_, err = trail.Deliver(t.Context(), trail.Config{Dir: dir + "/none", Sinks: []trail.Sink{{Name: "late", Exporter: d}}})
	require.Error(t, err)
	require.NoDirExists(t, dir+"/none")
}

func TestTheJournalAnswersQueries(t *testing.T) {
	t.Parallel()
	tr := open(t, newDouble(), inDir(t.TempDir()))
	mustTrack(t, tr, "one.create", "two.create", "three.update")
	page, err := tr.Query(t.Context(), query.Filter{Target: otelaudit.Target{Type: "invoice", ID: "42"}}, query.PageRequest{Limit: 2})
	require.NoError(t, err)
	require.Len(t, page.Records, 2)
	require.Equal(t, "three.update", page.Records[0].Action)
	require.Equal(t, "two.create", page.Records[1].Action)
	page, err = tr.Query(t.Context(), query.Filter{Target: otelaudit.Target{Type: "invoice", ID: "42"}}, query.PageRequest{After: page.Next})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	_, err = open(t, newDouble()).Query(t.Context(), query.Filter{}, query.PageRequest{})
	require.ErrorContains(t, err, "no journal")
}
