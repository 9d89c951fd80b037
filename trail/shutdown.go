package trail

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// ForceFlush returns once every sink, best-effort ones too, has got what was recorded when it was called, and its exporter has
// flushed; or when ctx ends. For what Track has confirmed it is not needed.
func (t *Trail) ForceFlush(ctx context.Context) error {
	return t.eachOutlet(func(i int, o *outlet) error {
		if err := t.store.flush(ctx, i); err != nil {
			return fmt.Errorf("otelaudit: sink %q is not drained: %w", o.name, err)
		}
		return bounded(ctx, o.flush)
	})
}

// eachOutlet calls f for all outlets at once, so that none uses up the others' time.
func (t *Trail) eachOutlet(f func(i int, o *outlet) error) error {
	errs := make([]error, len(t.outlets))
	var done sync.WaitGroup
	for i, o := range t.outlets {
		done.Go(func() { errs[i] = f(i, o) })
	}
	done.Wait()
	return errors.Join(errs...)
}

// bounded calls f, and leaves it behind if it does not return with its context.
func bounded(ctx context.Context, f func(context.Context) error) error {
	returned := make(chan error, 1)
	go func() { returned <- f(ctx) }()
	select {
	case err := <-returned:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-returned:
		return err
	case <-time.After(grace):
		return fmt.Errorf("the exporter did not return: %w", ctx.Err())
	}
}

// grace is how long an exporter has to return once its context has ended.
const grace = 100 * time.Millisecond

// Shutdown refuses further activities, delivers what is recorded until ctx ends, and shuts the exporters down. Its error says
// what was left: with a journal it is there, and the next Open of it delivers it; without one, Tracks that waited for that got
// an error. Called again it does nothing and returns nil.
func (t *Trail) Shutdown(ctx context.Context) error {
	if t.closed.Swap(true) {
		return nil
	}
	left, err := t.store.shutdown(ctx)
	return errors.Join(err, t.eachOutlet(func(i int, o *outlet) error {
		if err := bounded(ctx, o.shutdown); err != nil {
			return errors.Join(left[i], fmt.Errorf("otelaudit: sink %q: shutdown: %w", o.name, err))
		}
		return left[i]
	}), t.metrics.unregister())
}

// endDeliverers waits until the deliverers have ended, or ctx has; then it stops them. One that does not listen is left behind.
func endDeliverers(ctx context.Context, deliverers *sync.WaitGroup, stop context.CancelFunc) {
	ended := make(chan struct{})
	go func() {
		deliverers.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	stop()
	select {
	case <-ended:
	case <-time.After(grace):
	}
}

// Close is Shutdown within CloseTimeout.
func (t *Trail) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), t.config.CloseTimeout)
	defer cancel()
	return t.Shutdown(ctx)
}

// close has the deliverer end once there is nothing left to deliver.
func (s *sink) close() {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.signal()
}

// leave gives up what is still queued, and returns an error that says how much.
func (s *sink) leave() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.waiting()
	s.left = true
	s.abandon()
	if left == 0 {
		return nil
	}
	s.drop(left, dropShutdown)
	err := fmt.Errorf("otelaudit: sink %q: %d records were not confirmed", s.name, left)
	if s.lastErr != nil && s.state != Running {
		err = fmt.Errorf("%w: %w", err, s.lastErr)
	}
	return err
}

// abandon fails all that is queued. Called with mu held.
func (s *sink) abandon() {
	unsent := fmt.Errorf("%w: sink %q had not got it yet", otelaudit.ErrShutdown, s.name)
	unconfirmed := fmt.Errorf("%w: sink %q may have got it, and has not confirmed it", otelaudit.ErrShutdown, s.name)
	for p := s.queue.head; p != nil; p = s.queue.head {
		s.queue.remove(p)
		if p.tried {
			s.settled(p, unconfirmed)
		} else {
			s.settled(p, unsent)
		}
	}
}
