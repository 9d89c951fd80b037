package trail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// disk is the operating system's file system with faults that a test sets.
type disk struct {
	journal.FS
	fault atomic.Pointer[func(op, path string) error] // asked before each write and sync of a file

	removed atomic.Bool // a segment was
}

func newDisk() *disk { return &disk{FS: journal.OS()} }

func (d *disk) failWith(f func(op, path string) error) { d.fault.Store(&f) }

func (d *disk) ask(op, path string) error {
	if f := d.fault.Load(); f != nil {
		return (*f)(op, path)
	}
	return nil
}

func (d *disk) OpenFile(path string, flag int) (journal.File, error) {
	if flag&os.O_CREATE != 0 {
		if err := d.ask("create", path); err != nil {
			return nil, err
		}
	}
	f, err := d.FS.OpenFile(path, flag)
	if err != nil {
		return nil, err
	}
	return &file{f, d, path}, nil
}

func (d *disk) Same(path string, f journal.File) (bool, error) {
	if ours, ok := f.(*file); ok {
		f = ours.File
	}
	return d.FS.Same(path, f)
}

func (d *disk) Remove(path string) error {
	err := d.FS.Remove(path)
	if err == nil && strings.HasSuffix(path, ".segment") {
		d.removed.Store(true)
	}
	return err
}

type file struct {
	journal.File
	disk *disk
	path string
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.disk.ask("write", f.path); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f *file) Sync() error {
	if err := f.disk.ask("sync", f.path); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *file) Allocate(size int64) error {
	if err := f.disk.ask("write", f.path); err != nil {
		return err
	}
	return f.File.Allocate(size)
}

func (d *disk) under(c *trail.Config) { c.FS = d }

func TestADiskThatHangsHoldsNoTrack(t *testing.T) {
	t.Parallel()
	d, disk := newDouble(), newDisk()
	tr := openQuiet(t, d, inDir(t.TempDir()), disk.under, func(c *trail.Config) {
		c.TrackTimeout, c.MaxWaitingBytes = time.Second, otelaudit.MaxRecordBytes
	})
	release := make(chan struct{})
	disk.failWith(func(op, path string) error {
		if op == "sync" && !strings.Contains(path, ".cursor") {
			<-release
		}
		return nil
	})
	began := time.Now()
	_, err := tr.Track(t.Context(), activity("one.create"))
	require.ErrorIs(t, err, otelaudit.ErrTimeout)
	require.True(t, otelaudit.IsRetryable(err))
	require.Less(t, time.Since(began), patience)

	large := activity("large.create")
	for i := range 16 {
		large.Metadata = append(large.Metadata, attribute.String(fmt.Sprint(i), strings.Repeat("x", otelaudit.MaxValueBytes-100)))
	}
	waiting := track(tr, large)
	require.Eventually(t, func() bool { return tr.Status().Journal.Waiting > otelaudit.MaxValueBytes }, patience, time.Millisecond)
	_, err = tr.Track(t.Context(), large)
	require.ErrorIs(t, err, otelaudit.ErrFull, "what waits is bounded")
	close(release)
	_ = await(t, waiting) // confirmed or not, as fast as it went
	require.NoError(t, tr.ForceFlush(t.Context()))
	mustTrack(t, tr, "two.create")
}

// What a full disk refuses is an error for who tracked it; afterwards there is a record that says how many there were.
func TestAFullDiskLeavesAGapThatIsRecorded(t *testing.T) {
	t.Parallel()
	d, disk := newDouble(), newDisk()
	tr := openQuiet(t, d, inDir(t.TempDir()), disk.under, func(c *trail.Config) { c.TrackTimeout = time.Second })
	full := func(op, path string) error {
		if op != "sync" && !strings.Contains(path, ".cursor") {
			return syscall.ENOSPC
		}
		return nil
	}
	disk.failWith(full)
	refused := int64(0)
	for named := 0; named < 3; refused++ { // on a busy machine the time may be over before the disk has said why
		_, err := tr.Track(t.Context(), activity("refused.create"))
		require.Error(t, err)
		require.True(t, otelaudit.IsRetryable(err), "%v", err)
		if errors.Is(err, syscall.ENOSPC) {
			named++
		}
		require.Less(t, refused, int64(30), "%v", err)
	}
	disk.failWith(func(string, string) error { return nil })
	require.Eventually(t, func() bool {
		_, err := tr.Track(t.Context(), activity("taken.create"))
		return err == nil
	}, patience, time.Millisecond)
	require.NoError(t, tr.ForceFlush(t.Context()))
	var gap *otelaudit.Record
	for _, r := range d.stored() {
		if r.Action == "otelaudit.journal.gap" {
			gap = r
		}
		require.NotEqual(t, "refused.create", r.Action)
	}
	require.NotNil(t, gap)
	require.Equal(t, "refused", string(gap.Metadata[1].Key))
	require.GreaterOrEqual(t, gap.Metadata[1].Value.AsInt64(), refused)
	require.NoError(t, tr.Close())
}

func TestAJournalThatIsRemovedIsAnErrorAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/audit"
	tr := openQuiet(t, newDouble(), inDir(dir))
	require.NoError(t, os.RemoveAll(dir))
	_, err := tr.Track(t.Context(), activity("one.create"))
	require.ErrorIs(t, err, otelaudit.ErrUnavailable)
	require.NotErrorIs(t, err, otelaudit.ErrTimeout)
}

// The directory goes and comes back: then it takes dead letters again, too.
func TestDeadLettersFindADirectoryThatIsBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/audit"
	d := newDouble()
	d.answerWith(func(_ context.Context, b *trail.Batch) error {
		bad := &trail.BadRecordsError{}
		for i, r := range b.Records {
			if r.Action == "bad.create" {
				bad.Records = append(bad.Records, trail.BadRecord{ID: r.ID, Index: i, Reason: errors.New("conflict")})
			}
		}
		if len(bad.Records) > 0 {
			return bad
		}
		return nil
	})
	tr := openQuiet(t, d, inDir(dir))
	mustTrack(t, tr, "bad.create")
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Len(t, letters(t, dir), 1)
	require.NoError(t, os.RemoveAll(dir))
	_, err := tr.Track(t.Context(), activity("one.create"))
	require.ErrorIs(t, err, otelaudit.ErrUnavailable)
	require.NoError(t, os.Mkdir(dir, 0o700))
	mustTrack(t, tr, "two.create", "bad.create", "three.create")
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Len(t, letters(t, dir), 1, "the one since")
	require.Zero(t, tr.Status().Sinks[0].Waiting)
}

// Dead letters make no directory in place of one that was moved away: the next record would begin another journal there.
func TestDeadLettersMakeNoDirectory(t *testing.T) {
	t.Parallel()
	dir, answer := t.TempDir()+"/audit", make(chan struct{})
	d := newDouble()
	tr := openQuiet(t, d, inDir(dir))
	d.answerWith(func(_ context.Context, b *trail.Batch) error {
		<-answer
		return &trail.BadRecordsError{Records: []trail.BadRecord{{ID: b.Records[0].ID, Reason: errors.New("conflict")}}}
	})
	mustTrack(t, tr, "bad.create")
	require.NoError(t, os.Rename(dir, dir+".away"))
	close(answer)
	require.Eventually(t, func() bool {
		err := tr.Status().Sinks[0].LastError
		return err != nil && strings.Contains(err.Error(), "moved away")
	}, patience, time.Millisecond)
	require.NoDirExists(t, dir)
	_, err := tr.Track(t.Context(), activity("one.create"))
	require.ErrorIs(t, err, otelaudit.ErrUnavailable)
	require.NoError(t, os.Rename(dir+".away", dir))
	mustTrack(t, tr, "two.create")
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Empty(t, tr.Status().Journal.Damage)
	require.Len(t, letters(t, dir), 2)
}

// Dead letters that hang hold no Close.
func TestCloseIsBoundedBesideDeadLettersThatHang(t *testing.T) {
	t.Parallel()
	d, disk, hangs, release := newDouble(), newDisk(), make(chan struct{}, 100), make(chan struct{})
	tr := openQuiet(t, d, inDir(t.TempDir()), disk.under, func(c *trail.Config) { c.CloseTimeout = 50 * time.Millisecond })
	disk.failWith(func(op, path string) error {
		if op == "sync" && strings.Contains(path, "dead-letters") {
			hangs <- struct{}{}
			<-release
		}
		return nil
	})
	d.answerWith(func(_ context.Context, b *trail.Batch) error {
		return &trail.BadRecordsError{Records: []trail.BadRecord{{ID: b.Records[0].ID, Reason: errors.New("conflict")}}}
	})
	mustTrack(t, tr, "bad.create")
	<-hangs
	closed := make(chan error, 1)
	go func() { closed <- tr.Close() }()
	require.ErrorContains(t, await(t, closed), "left in the journal")
	close(release)
}

// A full disk at the start keeps no sink from what it waits for, and that makes the space which the opening needs.
func TestATrailOpensOnAFullDiskThatItsSinkEmpties(t *testing.T) {
	t.Parallel()
	dir, down := t.TempDir(), newDouble()
	down.failWith(errors.New("down"))
	little := func(c *trail.Config) { c.SegmentBytes = 8 << 10 }
	tr := open(t, down, inDir(dir), little)
	for range 100 {
		mustTrack(t, tr, "one.create")
	}
	require.Error(t, shut(tr))
	disk := newDisk()
	disk.failWith(func(op, path string) error {
		if op == "sync" || strings.HasSuffix(path, ".cursor") && op != "create" || disk.removed.Load() {
			return nil
		}
		return syscall.ENOSPC
	})
	up := newDouble()
	tr = open(t, up, inDir(dir), little, disk.under)
	require.True(t, disk.removed.Load())
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Len(t, up.actions(), 100)
}

// What cannot be delivered before a full disk has room again is left, and said to be.
func TestDeliverOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir, down, disk := t.TempDir(), newDouble(), newDisk()
	down.failWith(errors.New("down"))
	tr := open(t, down, inDir(dir), disk.under)
	mustTrack(t, tr, "one.create", "two.create", "three.create")
	disk.failWith(func(op, path string) error {
		if op == "sync" || strings.HasSuffix(path, ".cursor") {
			return nil
		}
		return syscall.ENOSPC
	})
	require.Error(t, shut(tr))
	up := newDouble()
	deliver := func() (trail.Status, error) {
		return trail.Deliver(t.Context(), trail.Config{Dir: dir, FS: disk, Sinks: []trail.Sink{{Name: "double", Exporter: up}}})
	}
	status, err := deliver()
	require.ErrorContains(t, err, "left in the journal")
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.Equal(t, 3-len(up.actions()), status.Sinks[0].Waiting)
	require.Positive(t, status.Sinks[0].Waiting)
	disk.failWith(func(string, string) error { return nil })
	_, err = deliver()
	require.NoError(t, err)
	require.Len(t, up.actions(), 3)
}

// What damage has cost is an error of who delivers the rest, and is in the next opening, though nothing of it is left to be seen.
func TestDeliverSaysWhatIsLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := lossy(t, gone(t, dir, slices.Repeat([]string{"one.create"}, 40), inDir(dir), func(c *trail.Config) {
		c.ParentDir, c.SegmentBytes = "", 4<<10
	}))
	up := newDouble()
	for range 2 {
		_, err := trail.Deliver(t.Context(), trail.Config{Dir: dir, Sinks: []trail.Sink{{Name: "double", Exporter: up}}})
		require.ErrorContains(t, err, fmt.Sprintf("%d records are lost, which nobody gets: %d-%d;", to+1-from, from, to))
	}
	require.Len(t, up.actions(), int(40-(to+1-from)))
	opening := make(chan *otelaudit.Record, 1)
	up.answerWith(func(_ context.Context, b *trail.Batch) error {
		opening <- b.Records[0].Clone()
		return nil
	})
	tr := open(t, up, inDir(dir))
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Equal(t, []string{fmt.Sprintf("%d-%d", from, to)}, metadataOf(t, <-opening, "journal.lost").Value.AsStringSlice())
	require.Equal(t, to+1-from, tr.Status().Lost)
}

// A loss at the end is no record that is left: the next delivery would not find it either.
func TestDeliverBehindALossAtTheEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	gone(t, dir, []string{"one.create", "two.create", "three.create"}, inDir(dir), func(c *trail.Config) { c.ParentDir = "" })
	segments, err := filepath.Glob(filepath.Join(dir, "*.segment"))
	require.NoError(t, err)
	require.Len(t, segments, 1)
	b, err := os.ReadFile(segments[0])
	require.NoError(t, err)
	at := bytes.Index(b, []byte("three.create"))
	require.Positive(t, at)
	b[at] ^= 1
	require.NoError(t, os.WriteFile(segments[0], b, 0o600))
	up := newDouble()
	for range 2 {
		status, err := trail.Deliver(t.Context(), trail.Config{Dir: dir, Sinks: []trail.Sink{{Name: "double", Exporter: up}}})
		require.EqualError(t, err, fmt.Sprintf("trail: the journal %s is damaged: 1 record is lost, which nobody gets: 4-4; \"otelaudit journal inspect\" says more", dir))
		require.Zero(t, status.Sinks[0].Waiting)
	}
	require.Equal(t, []string{"one.create", "two.create"}, up.actions())
}

// Who skips a record or delivers what is left does not know how long the owner wants to keep it.
func TestWhatAnOwnerKeepsStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keeping := func(c *trail.Config) { c.SegmentBytes, c.Retention = 8<<10, time.Hour }
	tr := open(t, newDouble(), inDir(dir), keeping)
	for range 100 {
		mustTrack(t, tr, "one.create")
	}
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.NoError(t, tr.Close())
	segments := func() int {
		view, err := journal.Look(nil, dir)
		require.NoError(t, err)
		return view.Status().Segments
	}
	before := segments()
	require.Greater(t, before, 2)
	_, err := trail.Skip(dir, "double", 1)
	require.NoError(t, err)
	require.GreaterOrEqual(t, segments(), before)
	_, err = trail.Deliver(t.Context(), trail.Config{Dir: dir, Retention: time.Hour, Sinks: []trail.Sink{{Name: "double", Exporter: newDouble()}}})
	require.NoError(t, err)
	require.GreaterOrEqual(t, segments(), before)
	_, err = trail.Deliver(t.Context(), trail.Config{Dir: dir, Sinks: []trail.Sink{{Name: "double", Exporter: newDouble()}}})
	require.NoError(t, err)
	require.Less(t, segments(), before)
}

// A dead letter is on disk before the cursor moves: while it cannot be written, the record stays with the sink.
func TestNothingIsPassedOverWithoutItsDeadLetter(t *testing.T) {
	t.Parallel()
	d, disk := newDouble(), newDisk()
	dir := t.TempDir()
	disk.failWith(func(op, path string) error {
		if strings.Contains(path, "dead-letters") {
			return syscall.EIO
		}
		return nil
	})
	d.answerWith(func(_ context.Context, b *trail.Batch) error {
		return &trail.BadRecordsError{Records: []trail.BadRecord{{ID: b.Records[0].ID, Reason: errors.New("conflict")}}}
	})
	tr := open(t, d, inDir(dir), disk.under)
	for range 3 {
		d.next(t)
	}
	require.Equal(t, 1, tr.Status().Sinks[0].Waiting)
	require.Equal(t, trail.Retrying, tr.Status().Sinks[0].State)
	disk.failWith(func(string, string) error { return nil })
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.Len(t, letters(t, dir), 1)
}

func TestRecordsLeaveWithTheResourceOfWhoRecordedThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tr := open(t, newDouble(), inDir(dir), func(c *trail.Config) { c.Sinks, c.Service = nil, "first" })
	mustTrack(t, tr, "one.create")
	require.NoError(t, tr.Close())
	p := newPlain()
	tr = open(t, newDouble(), inDir(dir), func(c *trail.Config) { c.Sinks[0].Exporter, c.Service = p, "second" })
	mustTrack(t, tr, "two.create")
	require.NoError(t, tr.ForceFlush(t.Context()))
	var got []string
	for _, r := range p.stored() {
		name, _ := r.Resource().Set().Value(otelaudit.KeyServiceName)
		got = append(got, name.AsString()+" "+r.EventName())
	}
	require.Equal(t, []string{"first one.create", "second two.create"}, got)
}

// A crash between a dead letter's fsync and the cursor's has the record set aside again. It is one dead letter.
func TestADeadLetterThatIsWrittenTwiceIsOne(t *testing.T) {
	t.Parallel()
	d, disk := newDouble(), newDisk()
	dir := t.TempDir()
	for range 2 {
		disk.failWith(func(string, string) error { return nil })
		failing := make(chan struct{})
		d.answerWith(func(_ context.Context, b *trail.Batch) error {
			<-failing
			return &trail.BadRecordsError{Records: []trail.BadRecord{{ID: b.Records[0].ID, Reason: errors.New("conflict")}}}
		})
		tr, err := trail.Open(t.Context(), trail.Config{
			Dir: dir, Service: "billing", FS: disk, MaxBatch: 1, Sinks: []trail.Sink{{Name: "double", Exporter: d}},
		})
		require.NoError(t, err)
		disk.failWith(func(_, path string) error {
			if strings.Contains(path, ".cursor") {
				return syscall.EIO // as if it had crashed before
			}
			return nil
		})
		close(failing)
		require.NoError(t, tr.ForceFlush(t.Context()))
		_ = tr.Close()
	}
	found := letters(t, dir)
	require.Len(t, found, 2, "the opening of each trail")
	view, err := journal.Look(nil, dir+"/dead-letters")
	require.NoError(t, err)
	require.Equal(t, uint64(3), view.Status().Last, "the first one was written twice")
}
