package trail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// adoption delivers the journals under Config.ParentDir whose process is gone.
type adoption struct {
	store   *journaled
	running context.Context //nolint:containedctx // of the deliverers
	stop    context.CancelFunc
	done    sync.WaitGroup

	recording sync.Mutex // one goroutine records losses

	mu         sync.Mutex // guards all below
	journals   map[*journal.Journal]bool
	left       map[string]left             // by directory
	damaged    map[string][]journal.Damage // that is reported, by directory
	unrecorded []*otelaudit.Record         // of losses
	ended      bool                        // end has closed what is open
}

// left is a journal that was delivered as far as this trail can, and is closed again: others have the sinks that it still waits for.
type left struct {
	status  journal.Status
	cursors map[string]uint64 // once they have moved, or one is forgotten, the journal is worth another look
}

// adopt begins the search, now and every AdoptInterval.
func (s *journaled) adopt() *adoption {
	running, stop := s.trail.running()
	a := &adoption{store: s, running: running, stop: stop, journals: map[*journal.Journal]bool{}, left: map[string]left{}, damaged: map[string][]journal.Damage{}}
	a.done.Go(func() {
		again := time.NewTicker(s.trail.config.AdoptInterval)
		defer again.Stop()
		for {
			a.search()
			select {
			case <-again.C:
			case <-running.Done():
				return
			}
		}
	})
	return a
}

func (a *adoption) search() {
	a.mu.Lock()
	dirs := slices.Collect(maps.Keys(a.left))
	a.mu.Unlock()
	for _, dir := range dirs {
		if _, err := journal.Cursors(a.store.trail.config.FS, dir); errors.Is(err, fs.ErrNotExist) { // another process has delivered it
			a.mu.Lock()
			delete(a.left, dir)
			a.mu.Unlock()
		}
	}
	found, err := journal.Adopt(a.store.trail.config.ParentDir, a.store.trail.config.journal(), a.leaves)
	if err != nil {
		report(fmt.Errorf("otelaudit: adopt journals of processes that are gone: %w", err))
	}
	for _, j := range found {
		a.mu.Lock()
		ended := a.ended
		if !ended {
			a.journals[j] = true
			delete(a.left, j.Dir())
		}
		a.mu.Unlock()
		if ended {
			_ = j.Close() // nothing was written
			continue
		}
		a.done.Go(func() {
			a.notice(j)
			if err := a.deliver(j); err != nil {
				report(fmt.Errorf("otelaudit: the adopted journal %s: %w", j.Dir(), err))
			}
		})
	}
}

// leaves reports whether there is nothing in the journal of dir that this trail could deliver.
func (a *adoption) leaves(dir string) bool {
	a.mu.Lock()
	before, ok := a.left[dir]
	a.mu.Unlock()
	if !ok {
		return false
	}
	now, err := journal.Cursors(a.store.trail.config.FS, dir)
	return err == nil && maps.Equal(now, before.cursors)
}

// deliver takes what is in j to the sinks that its owner had, as far as the trail has them, and removes it when they have all. Of an
// owner without required sinks the trail's own get it. What has to stay is closed, so that others can deliver it, or forget
// whom it waits for; after a fault, the next search finds it again.
func (a *adoption) deliver(j *journal.Journal) error {
	deliverers, err := a.toEachSink(j)
	a.notice(j) // what was met only then
	if a.running.Err() != nil {
		return err // end closes it
	}
	err = errors.Join(err, a.recordLosses())
	if err == nil {
		err = j.RemoveDelivered()
	}
	if err == nil { // what a best-effort sink has not got, it never gets
		for _, d := range deliverers {
			status := j.Status()
			if n := d.waiting(&status); d.bestEffort && n > 0 {
				d.lost(int(n), dropBehind) //nolint:gosec // a count
			}
		}
	}
	others, pinned := a.others(j), errors.Is(err, journal.ErrPinned)
	if pinned && len(others) > 0 {
		err = fmt.Errorf("%w for sinks that are not configured here: %s; deliver it with \"otelaudit journal deliver\", or forget them",
			err, strings.Join(others, ", "))
	}
	status := j.Status()
	if pinned && status.Unsecured > 0 {
		err = fmt.Errorf("%w: the disk has no room to secure the last %d: %w", err, status.Unsecured, status.LastError)
	}
	err = errors.Join(err, j.Close()) // none where it is removed
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.journals, j)
	if pinned && (len(others) > 0 || a.store.trail.required == 0) {
		l := left{status: status, cursors: map[string]uint64{}}
		for _, r := range status.Readers {
			l.cursors[r.Name] = r.Seq
		}
		a.left[j.Dir()] = l
	}
	return err
}

// toEachSink returns once the required sinks that are meant have everything in j. Best-effort ones get it too, as long as they take
// it; their failures hold nothing up. It returns who delivered.
func (a *adoption) toEachSink(j *journal.Journal) (deliverers []*deliverer, err error) {
	status := j.Status()
	unclaimed := !slices.ContainsFunc(status.Readers, func(r journal.ReaderStatus) bool { return r.Required })
	pinned, unpin := context.WithCancel(a.running)
	defer unpin()
	for _, o := range a.store.trail.outlets {
		if _, known := reader(&status, o.name); !known && (o.bestEffort || !unclaimed) {
			continue
		}
		d, err := newDeliverer(a.store, o, j, ended()) // nothing will be added to it
		if err != nil {                                // all or none: what only some have must not be removed
			for _, d := range deliverers {
				d.reader.Close()
			}
			return nil, fmt.Errorf("sink %q: %w", o.name, err)
		}
		if o.bestEffort {
			d.insist(pinned)
		} else {
			d.insist(a.running)
		}
		deliverers = append(deliverers, d)
	}
	var required, bestEffort sync.WaitGroup
	for _, d := range deliverers {
		of := &required
		if d.bestEffort {
			of = &bestEffort
		}
		of.Go(func() { a.run(d) })
	}
	required.Wait()
	unpin()
	bestEffort.Wait()
	return deliverers, nil
}

// run delivers to one sink when no other adopted journal is being delivered to it. A best-effort sink has the time of one export to
// get its turn once nobody else needs the journal.
func (a *adoption) run(d *deliverer) {
	if !a.turn(d) {
		d.reader.Close()
		return
	}
	defer func() { <-d.adopted }()
	d.run(a.running)
}

func (a *adoption) turn(d *deliverer) bool {
	select {
	case d.adopted <- struct{}{}:
		return true
	case <-d.retrying.Done():
	}
	late := time.NewTimer(a.store.trail.config.ExportTimeout)
	defer late.Stop()
	select {
	case d.adopted <- struct{}{}:
		return true
	case <-late.C:
	case <-a.running.Done():
	}
	return false
}

// others are the required sinks that still want something of j and are not the trail's.
func (a *adoption) others(j *journal.Journal) (names []string) {
	status := j.Status()
	for _, r := range status.Readers {
		known := slices.ContainsFunc(a.store.trail.outlets, func(o *outlet) bool { return o.name == r.Name })
		if r.Required && r.Lag > 0 && !known {
			names = append(names, r.Name)
		}
	}
	return names
}

// end stops the search and the deliveries, and closes what is open: another process adopts it.
func (a *adoption) end(ctx context.Context) error {
	a.stop()
	endDeliverers(ctx, &a.done, a.stop)
	a.mu.Lock()
	a.ended = true
	journals := slices.Collect(maps.Keys(a.journals))
	a.mu.Unlock()
	var errs []error
	for _, j := range journals {
		errs = append(errs, closing(ctx, j.Close))
	}
	return errors.Join(errs...)
}

func (a *adoption) status() (all []journal.Status, lost uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for j := range a.journals {
		all = append(all, j.Status())
	}
	for _, l := range a.left {
		all = append(all, l.status)
	}
	for _, damage := range a.damaged {
		of := journal.Status{Damage: damage}
		lost += of.Lost()
	}
	return all, lost
}
