package journal

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// adoptable is a journal whose owner is gone, under /var, with a failed fsync behind it; "sink" has all of it, "lagging" little.
func adoptable(t *testing.T) (s *simFS, o *oracle, config Config) {
	t.Helper()
	s = newSimFS()
	o, config = newOracle(), small(s)
	config.Retention = time.Hour // so that there is something to remove
	s.fault = everySync(9)
	j, err := Open(config)
	require.NoError(t, err)
	lagging, err := j.Reader("lagging", BestEffort)
	require.NoError(t, err)
	for range 30 {
		require.NoError(t, o.append(j, 3))
	}
	take(t, lagging, 20)
	require.NoError(t, lagging.Commit(5))
	r, err := j.Reader("sink", Required)
	require.NoError(t, err)
	for range 2 { // behind each other in turns: neither is at the front of the names
		require.NoError(t, r.Commit(take(t, r, 45)))
	}
	lagging.Close()
	r.Close()
	s.setFault(nil)
	require.NoError(t, j.Close())
	require.Greater(t, len(segmentsOf(s.contents("/var/audit"))), 10)
	return s, o, config
}

// adoptOne adopts what is under /var, which is one journal or none.
func adoptOne(t *testing.T, s *simFS) *Journal {
	t.Helper()
	adopted, err := Adopt("/var", Config{FS: s, Retention: time.Hour}, nil)
	require.NoError(t, err)
	require.LessOrEqual(t, len(adopted), 1)
	if len(adopted) == 0 {
		return nil
	}
	return adopted[0]
}

// The power fails at every operation while a delivered journal is removed: what is left is delivered, is no damage and no
// phantom, and can be removed.
func TestCrashDuringRemoveDelivered(t *testing.T) {
	t.Parallel()
	s, o, _ := adoptable(t)
	for at := 1; ; at++ {
		dying := s.kill()
		j := adoptOne(t, dying)
		require.NotNil(t, j)
		dying.mu.Lock()
		dying.ops, dying.crashAt = 0, at
		dying.mu.Unlock()
		if j.RemoveDelivered() == nil {
			require.Greater(t, at, 20)
			require.Nil(t, adoptOne(t, dying.kill()))
			require.False(t, dying.has("/var/audit"))
			return
		}
		for how := range losses {
			after := dying.crash(how, newRandom(uint64(at)))
			j := adoptOne(t, after)
			if j == nil {
				continue
			}
			o.mu.Lock()
			require.Empty(t, j.Status().Damage, "crash at operation %d, loss %d", at, how)
			for r, err := range j.Records(0) {
				require.NoError(t, err)
				require.Equal(t, o.acked[string(r.Data)], r.Seq, "crash at operation %d, loss %d: %.40q", at, how, r.Data)
			}
			o.mu.Unlock()
			require.NoError(t, j.RemoveDelivered(), "crash at operation %d, loss %d", at, how)
			require.Nil(t, adoptOne(t, after))
		}
	}
}

// One process dies at any operation, another adopts what it has left and dies at any operation too, and a third one adopts that:
// the sink gets every confirmed record, and only then the journal goes.
func TestCrashDuringAdopt(t *testing.T) {
	t.Parallel()
	step := 13
	if long() {
		step = 1
	}
	for at := 10; ; at += step {
		s := newSimFS()
		s.crashAt = at
		o := newOracle()
		w := workload{config: small(s), calls: 5, reader: true}
		_ = w.run(o) // fails when the power does
		if s.ops < at {
			require.Greater(t, at, 100)
			return
		}
		for again := 1; again < 150; again += 5 {
			second := s.crash(loss(at)%losses, newRandom(uint64(at)))
			if again%2 == 0 {
				second = s.kill()
			}
			second.crashAt = again
			o := o.clone()
			_ = o.adopt(second) // fails when the power does
			third := second.crash(loss(again)%losses, newRandom(uint64(again)))
			require.NoError(t, o.adopt(third), "crash at operation %d, then at %d", at, again)
			require.False(t, third.has("/var/audit/"+lockName))
			for text, seq := range o.acked {
				require.Equal(t, text, o.seen[seq], "crash at operation %d, then at %d", at, again)
			}
		}
	}
}

// adopt delivers what is under /var to the reader that workloads have, and removes it.
func (o *oracle) adopt(s *simFS) error {
	adopted, err := Adopt("/var", Config{FS: s}, nil)
	for _, j := range adopted {
		err = errors.Join(err, o.deliver(j), j.Close())
	}
	return err
}

func (o *oracle) deliver(j *Journal) error {
	if s := j.Status(); s.First <= s.Last || len(s.Readers) > 0 { // else its removal was under way
		if err := o.check(j); err != nil {
			return err
		}
	}
	r, err := j.Reader("postgres", Required)
	if err != nil {
		return err
	}
	defer r.Close()
	for j.Status().Readers[0].Lag > 0 {
		records, err := r.Next(context.Background(), 3, 4096)
		if err != nil {
			return err
		}
		for _, rec := range records {
			if text, seen := o.seen[rec.Seq]; rec.Gap == nil && seen && text != string(rec.Data) {
				return fmt.Errorf("record %d was %.40q and is %.40q", rec.Seq, text, rec.Data)
			}
			o.seen[rec.Seq] = string(rec.Data)
			o.given = rec.Seq
		}
		if err := r.Commit(o.given); err != nil {
			return err
		}
		o.confirmed = o.given
	}
	return j.RemoveDelivered()
}

// A directory that holds something that is not the journal's stays, with that, and is not adopted again.
func TestRemoveDeliveredLeavesWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	s, _, _ := adoptable(t)
	letters := Config{Dir: "/var/audit/dead-letters", FS: s}
	letters.SegmentBytes = minSegmentBytes
	j, err := Open(letters)
	require.NoError(t, err)
	fill(t, j, 3)
	require.NoError(t, j.Close())
	before := s.contents(letters.Dir)
	adopted := adoptOne(t, s)
	require.Equal(t, "/var/audit", adopted.Dir())
	require.NoError(t, adopted.RemoveDelivered())
	require.Equal(t, before, s.contents(letters.Dir))
	names, err := s.List("/var/audit")
	require.NoError(t, err)
	require.Equal(t, []string{"dead-letters"}, names)

	var looked []string
	s.setFault(func(op, path string) error { looked = append(looked, op+" "+path); return nil })
	require.Nil(t, adoptOne(t, s))
	require.Equal(t, []string{"list /var", "list /var/audit"}, looked, "which costs next to nothing")
	s.setFault(nil)
}

// An owner that died before it had anything leaves nothing to deliver.
func TestAnEmptyJournalIsRemoved(t *testing.T) {
	t.Parallel()
	for name, bare := range map[string]bool{"of segments without records": false, "of a lock alone": true} {
		s := newSimFS()
		require.NoError(t, s.Mkdir("/var"))
		require.NoError(t, s.Mkdir("/var/audit"))
		lock, err := s.Lock("/var/audit/" + lockName)
		require.NoError(t, err, name)
		require.NoError(t, lock.Close())
		if !bare {
			j, err := Open(small(s))
			require.NoError(t, err)
			require.NoError(t, j.Close())
		}
		require.NoError(t, adoptOne(t, s).RemoveDelivered())
		require.False(t, s.has("/var/audit"))
	}
}

// What is lost at the end can be delivered to nobody, and holds nothing up.
func TestRemoveDeliveredAfterLossAtTheEnd(t *testing.T) {
	t.Parallel()
	s := newSimFS()
	j, err := Open(small(s))
	require.NoError(t, err)
	sink, err := j.Reader("sink", Required)
	require.NoError(t, err)
	all, err := j.Reader("has all", BestEffort)
	require.NoError(t, err)
	fill(t, j, 60)
	require.NoError(t, all.Commit(take(t, all, 60)))
	require.NoError(t, sink.Commit(take(t, sink, 10)))
	all.Close()
	sink.Close()
	require.NoError(t, j.Close())
	files := s.contents("/var/audit")
	paths := segmentsOf(files)
	delete(files, paths[len(paths)-1])

	j = adoptOne(t, diskOf(files))
	status := j.Status()
	require.Positive(t, status.Lost())
	left := 50 - int(status.Lost())
	require.Equal(t, uint64(left), status.Readers[1].Lag)
	require.ErrorIs(t, j.RemoveDelivered(), ErrPinned)
	sink, err = j.Reader("sink", Required)
	require.NoError(t, err)
	require.NoError(t, sink.Commit(take(t, sink, left)))
	require.Zero(t, j.Status().Readers[1].Lag)
	sink.Close()
	require.NoError(t, j.RemoveDelivered())
}

// A journal is removed once; then the directory may be somebody else's. A disk that hangs meanwhile leaves it locked until it
// answers, and not for longer.
func TestRemoveDeliveredTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, config := adoptable(t)
		j := adoptOne(t, s)
		r, err := j.Reader("lagging", BestEffort)
		require.NoError(t, err)
		last := take(t, r, 10)
		release := make(chan struct{})
		s.setFault(func(op, path string) error {
			if op == "sync" && strings.Contains(path, cursorSuffix) {
				<-release
			}
			return nil
		})
		committed := make(chan error)
		go func() { committed <- r.Commit(last) }()
		synctest.Wait()
		require.ErrorContains(t, j.RemoveDelivered(), "does not answer")
		require.Nil(t, adoptOne(t, s))
		close(release)
		require.NoError(t, <-committed)
		r.Close()
		synctest.Wait()
		next := adoptOne(t, s)
		require.NotNil(t, next, "the lock is free")
		require.ErrorIs(t, j.RemoveDelivered(), ErrClosed)
		require.True(t, s.has(filepath.Join(config.Dir, lockName)))
		require.NoError(t, next.RemoveDelivered())
		require.ErrorIs(t, next.RemoveDelivered(), ErrClosed)
	})
}

// Whoever adopts a directory in the moment between its making and its lock does not keep its maker from starting.
func TestOpenInBesideAdopt(t *testing.T) {
	t.Parallel()
	s := newSimFS()
	require.NoError(t, s.Mkdir("/var"))
	var first []File
	s.setFault(func(op, path string) error {
		if op == "open" && filepath.Base(path) == lockName && first == nil {
			first = []File{nil}
			lock, err := s.Lock(path)
			first[0] = lock
			return err
		}
		return nil
	})
	j, err := OpenIn("/var", Config{FS: s, SegmentBytes: minSegmentBytes})
	require.NoError(t, err)
	require.NoError(t, first[0].Close())
	_, err = j.Append(context.Background(), []byte("x"))
	require.NoError(t, err)
	require.NoError(t, j.Close())
}
