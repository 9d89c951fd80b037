package trail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// adoption delivers the journals under Config.ParentDir whose process is gone.
type adoption struct {
	store   *journaled
	running context.Context //nolint:containedctx // of the deliverers
	stop    context.CancelFunc
	done    sync.WaitGroup

	mu       sync.Mutex // guards all below
	journals map[*journal.Journal]bool
}

// adopt begins the search, now and every AdoptInterval.
func (s *journaled) adopt() *adoption {
	running, stop := s.trail.running()
	a := &adoption{store: s, running: running, stop: stop, journals: map[*journal.Journal]bool{}}
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
	found, err := journal.Adopt(a.store.trail.config.ParentDir, a.store.trail.config.journal())
	if err != nil {
		report(fmt.Errorf("otelaudit: adopt journals of processes that are gone: %w", err))
	}
	for _, j := range found {
		a.mu.Lock()
		a.journals[j] = true
		a.mu.Unlock()
		a.done.Go(func() {
			if err := a.deliver(j); err != nil {
				report(fmt.Errorf("otelaudit: the adopted journal %s: %w", j.Dir(), err))
			}
		})
	}
}

// deliver takes what is in j to the sinks that its owner had, as far as the trail has them, and removes it when they have all.
// Of an owner without required sinks the trail's own get it. What has to stay stays open, so that it is not adopted anew each
// time.
func (a *adoption) deliver(j *journal.Journal) error {
	over, cancel := context.WithCancel(a.running)
	cancel() // nothing will be added to it
	var deliveries sync.WaitGroup
	var errs []error
	status := j.Status()
	unclaimed := !slices.ContainsFunc(status.Readers, func(r journal.ReaderStatus) bool { return r.Required })
	for _, o := range a.store.trail.outlets {
		if _, known := reader(&status, o.name); !known && (o.bestEffort || !unclaimed) {
			continue
		}
		d, err := newDeliverer(a.store, o, j, over)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		deliveries.Go(func() { d.run(a.running) })
	}
	deliveries.Wait()
	if a.running.Err() != nil {
		return errors.Join(errs...)
	}
	err := j.RemoveDelivered()
	if err == nil {
		a.mu.Lock()
		delete(a.journals, j)
		a.mu.Unlock()
	} else if errors.Is(err, journal.ErrPinned) {
		status := j.Status()
		err = fmt.Errorf("%w: its sinks are: %s; those that are not configured here have to be delivered with \"otelaudit journal deliver\", or forgotten",
			err, readerNames(&status))
	}
	return errors.Join(append(errs, err)...)
}

// end stops the search and the deliveries, and closes what is open: another process adopts it.
func (a *adoption) end(ctx context.Context) error {
	a.stop()
	endDeliverers(ctx, &a.done, a.stop)
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for j := range a.journals {
		errs = append(errs, closeJournal(ctx, j))
	}
	return errors.Join(errs...)
}

func (a *adoption) status() []journal.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []journal.Status
	for j := range a.journals {
		all = append(all, j.Status())
	}
	return all
}
