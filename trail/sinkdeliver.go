package trail

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// How long a deliverer waits after a failed attempt: twice as long each time, and a random part less, so that many
// processes do not come back at once. Without a journal somebody waits for at most TrackTimeout, so the pause stays short.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = time.Second
)

// deliver is the sink's deliverer: the one goroutine that calls its exporter. It ends when running does, or when the sink is
// closing and has nothing left.
func (s *sink) deliver(running context.Context) {
	defer s.attempt.end()
	defer context.AfterFunc(running, s.signal)()
	pause := firstPause
	for {
		taken, idle := s.take()
		if !taken {
			if !s.sleep(running, idle) {
				return
			}
			continue
		}
		err := s.export(running, &s.attempt, &s.batch)
		err = blame(err, &s.batch)
		if running.Err() != nil {
			s.giveBack(err)
			return
		}
		if s.settle(err) {
			pause = firstPause
			continue
		}
		if s.halve() {
			continue
		}
		rest(running, pause)
		pause = min(2*pause, maxPause)
	}
}

// take moves the next batch from the queue to the exporter's hands. It reports false where there is nothing to do but wait,
// and for how long.
func (s *sink) take() (taken bool, idle time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Stopped {
		if d := s.untilProbe(); d > 0 {
			return false, s.restFor(max(d, time.Millisecond))
		}
	}
	s.taken, s.batch.Records = s.taken[:0], s.batch.Records[:0]
	if s.state != Stopped { // a stopped sink is asked with an empty batch
		for p := s.queue.head; p != nil; p = s.queue.head {
			if n := len(s.batch.Records); n > 0 && (n+len(p.records) > s.maxBatch || len(s.taken) == s.limit) {
				break
			}
			s.queue.remove(p)
			p.state, p.tried = underWay, true
			s.taken = append(s.taken, p)
			s.batch.Records = append(s.batch.Records, p.records...)
		}
		if len(s.taken) == 0 {
			return false, s.restFor(untilSignal)
		}
	}
	s.underWay = s.taken
	return true, 0
}

// What take says instead of how long to sleep.
const (
	untilSignal time.Duration = 0
	over        time.Duration = -1 // nothing will come any more
)

// restFor returns d, or over for a closing sink that has nothing left which it could deliver. Called with mu held.
func (s *sink) restFor(d time.Duration) time.Duration {
	if s.closing && (s.queue.head == nil || s.state == Stopped) {
		return over
	}
	return d
}

// sleep waits for a signal, at most for d. It reports false where the deliverer is to end.
func (s *sink) sleep(running context.Context, d time.Duration) bool {
	switch {
	case d == over:
		return false
	case d != untilSignal:
		defer time.AfterFunc(d, s.signal).Stop()
	}
	<-s.wake // also when running ends: to wait for one channel is cheaper than for several
	return running.Err() == nil
}

// rest waits for d, less a random part, after a failure. Signals do not shorten it: new records have no better chance.
func rest(running context.Context, d time.Duration) {
	timer := time.NewTimer(d/2 + rand.N(d/2)) //nolint:gosec // jitter is no secret
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-running.Done():
	}
}

// halve makes batches smaller when they keep failing, and reports whether that is worth trying at once: a single record may
// be what the exporter cannot take, and must not hold up the others. Batches grow again as they succeed.
func (s *sink) halve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures++
	if len(s.taken) == 1 || s.failures == 1 {
		return false
	}
	s.limit = len(s.taken) / 2
	return true
}

// succeeded notes that the exporter has taken a batch. Called with mu held.
func (s *sink) succeeded() {
	s.failures = 0
	if s.limit *= 2; s.limit >= s.maxBatch {
		s.limit = 0
	}
	s.setState(Running, nil)
}

// settle tells the callers what became of the batch. It reports whether the deliverer may go on at once.
func (s *sink) settle(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay = nil
	if err == nil {
		s.succeeded()
		s.confirm(nil)
		return true
	}
	return s.failed(err)
}

// failed does what the exporter's error says. It reports whether the deliverer may go on at once. Called with mu held.
func (s *sink) failed(err error) bool {
	var bad *BadRecordsError
	var stop *StopError
	switch {
	case errors.As(err, &bad):
		reasons, valid := s.reasons(bad)
		if !valid {
			err = fmt.Errorf("the exporter named bad records that are not in the batch: %w", err)
			break
		}
		s.succeeded()
		s.confirm(reasons)
		return true
	case errors.As(err, &stop):
		s.setState(Stopped, err)
		s.stopAll()
		return true // to sleep until the next probe
	}
	if s.state == Stopped { // the probe did not get an answer: ask again later
		s.lastErr, s.lastErrAt = err, time.Now()
		return true
	}
	s.setState(Retrying, err)
	s.requeue()
	return false
}

// confirm settles what was under way: with the reason those parcels that hold a bad record, the others well. Called with mu
// held.
func (s *sink) confirm(reasons map[*parcel]error) {
	for _, p := range s.taken {
		reason := reasons[p]
		if reason == nil {
			s.exported += uint64(len(p.records))
			s.settled(p, nil)
			continue
		}
		s.drop(len(p.records), dropRejected)
		rejected := fmt.Errorf("%w: sink %q: %w", otelaudit.ErrRejected, s.name, reason)
		if p.call == nil || p.pinned { // nobody waits for it
			report(fmt.Errorf("%w (%s %s)", rejected, p.records[0].Action, p.records[0].ID))
		}
		s.settled(p, rejected)
	}
}

// reasons maps each parcel with a bad record to why it is bad, and reports whether all named records are in the batch.
// Called with mu held.
func (s *sink) reasons(bad *BadRecordsError) (map[*parcel]error, bool) {
	owner := make([]*parcel, 0, len(s.batch.Records))
	for _, p := range s.taken {
		for range p.records {
			owner = append(owner, p)
		}
	}
	reasons := map[*parcel]error{}
	for _, r := range bad.Records {
		if r.Index < 0 || r.Index >= len(owner) || s.batch.Records[r.Index].ID != r.ID || r.Reason == nil {
			return nil, false
		}
		reasons[owner[r.Index]] = errors.Join(reasons[owner[r.Index]], r.Reason)
	}
	return reasons, len(bad.Records) > 0
}

// stopAll fails everything that waits for a sink which has stopped, but for what stays until it is delivered. Called with mu
// held.
func (s *sink) stopAll() {
	if s.bestEffort {
		s.requeue()
		return
	}
	failed := s.unavailable()
	for _, p := range slices.Backward(s.taken) {
		if p.pinned {
			s.queue.pushFront(p)
		} else {
			s.drop(len(p.records), dropUnavailable)
			s.settled(p, failed)
		}
	}
	for p := s.queue.head; p != nil; {
		next := p.next
		if !p.pinned {
			s.queue.remove(p)
			s.drop(len(p.records), dropUnavailable)
			s.settled(p, failed)
		}
		p = next
	}
}

// requeue puts what was under way back to the front of the queue, without what its callers have given up. A call that failed
// alone goes to the end, to let the others pass. Called with mu held.
func (s *sink) requeue() {
	if len(s.taken) == 1 && s.taken[0].state == underWay && !s.taken[0].pinned {
		s.queue.pushBack(s.taken[0])
		return
	}
	for _, p := range slices.Backward(s.taken) {
		if p.state == givenUp {
			s.drop(len(p.records), dropGivenUp)
			s.settled(p, nil) // its call has its error
			continue
		}
		s.queue.pushFront(p)
	}
}

// giveBack ends an attempt that was cut off by the shutdown.
func (s *sink) giveBack(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay = nil
	if err == nil {
		s.confirm(nil)
		return
	}
	s.requeue()
	if s.left {
		s.abandon()
	}
}
