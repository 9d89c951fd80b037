package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// chunkSize is how many events are looked up in the table at once.
const chunkSize = 1000

// file brings in one file. What cannot be read or tracked it reports; its error is for what makes the numbers wrong. It calls
// giveUp where the trail takes nothing any more.
func (r *replay) file(ctx context.Context, number int, name string, giveUp context.CancelCauseFunc) (numbers, error) {
	read, tracked := r.read.Load(), r.tracked.Load()
	stopWatching := r.watch(name)
	items := make(chan item)
	var workers sync.WaitGroup
	for range concurrency {
		workers.Go(func() { r.work(ctx, items, giveUp) })
	}
	err := r.feed(ctx, number, name, items)
	close(items)
	workers.Wait()
	stopWatching()
	if err != nil {
		return numbers{}, err
	}
	stored, fresh, err := r.keys.countFile(ctx, number)
	return numbers{r.read.Load() - read, r.tracked.Load() - tracked, stored, fresh}, err
}

func (r *replay) work(ctx context.Context, items <-chan item, giveUp context.CancelCauseFunc) {
	for it := range items {
		err := track(ctx, it)
		if err == nil {
			r.tracked.Add(1)
			continue
		}
		r.fail(err)
		if otelaudit.IsRetryable(err) { // and was retried in vain
			giveUp(errors.New("the trail does not take any more"))
		}
	}
}

// feed reads a file and gives its events to the workers, a chunk at a time, until ctx ends.
func (r *replay) feed(ctx context.Context, number int, name string, items chan<- item) error {
	f, err := os.Open(name)
	if err != nil {
		r.fail(err)
		return nil
	}
	defer func() { _ = f.Close() }() // it was only read

	chunk := make([]item, 0, chunkSize)
	for e, err := range entries(f) {
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			r.fail(fmt.Errorf("%s: %w", name, err))
			break
		}
		it, err := newItem(name, e)
		if err != nil {
			r.fail(err)
			continue
		}
		r.read.Add(1)
		if chunk = append(chunk, it); len(chunk) < chunkSize {
			continue
		}
		if err := r.hand(ctx, number, chunk, items); err != nil {
			return err
		}
		chunk = chunk[:0]
	}
	return r.hand(ctx, number, chunk, items)
}

// hand gives a chunk to the workers, once its keys are remembered.
func (r *replay) hand(ctx context.Context, number int, chunk []item, items chan<- item) error {
	if err := r.keys.remember(ctx, number, chunk); err != nil {
		return err
	}
	for _, it := range chunk {
		select {
		case items <- it:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

const progressInterval = 200 * time.Millisecond

// watch shows how far it has come, where somebody can see that, until stop is called.
func (r *replay) watch(name string) (stop func()) {
	if !r.console.live {
		return func() {}
	}
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		ticker := time.NewTicker(progressInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				r.console.progress("%s: %d events read, %d tracked", name, r.read.Load(), r.tracked.Load())
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		watcher.Wait()
	}
}
