package trail

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// maxBehind is the most records that a best-effort sink may lag.
const maxBehind = 65536

// sink is an outlet with its queue. Callers put parcels into the queue; one deliverer takes them out.
type sink struct {
	*outlet               // whose mu guards all below up to expiry
	wake    chan struct{} // one signal: the queue or the sink's state has changed

	queue    queue
	underWay []*parcel // what the exporter has now
	closing  bool      // deliver what is queued, then end
	left     bool      // the trail is shut down: what comes back is given up
	epoch    int       // counts flushes: a parcel has that of its queueing
	flushes  []*flush
	limit    int // most parcels of a batch, after one that failed; 0: as many as there are
	failures int // attempts in a row that failed
	expiry   expiry

	batch   Batch     // the deliverer's own, used again for every batch
	taken   []*parcel // likewise
	attempt attempt   // likewise
}

func newSink(o *outlet) *sink {
	s := &sink{outlet: o, wake: make(chan struct{}, 1)}
	s.expiry = newExpiry(s.expire)
	return s
}

// offer queues p, or settles it at once where the sink cannot take it.
func (s *sink) offer(p *parcel) {
	p.bytes = 0
	for _, r := range p.records {
		p.bytes += r.Size()
	}
	s.mu.Lock()
	p.epoch, p.tried = s.epoch, false
	if s.bestEffort {
		p.since = time.Now()
		s.makeRoom(p)
	} else if reason, err := s.unable(p); err != nil {
		s.drop(len(p.records), reason)
		s.mu.Unlock()
		p.settle(err)
		return
	}
	if p.call != nil {
		s.expiry.by(p.call.deadline)
	}
	first := s.queue.head == nil
	s.queue.pushBack(p)
	s.mu.Unlock()
	if first {
		s.signal()
	}
}

// unable returns why a required sink cannot take p now, for the metric and for the caller. Called with mu held.
func (s *sink) unable(p *parcel) (reason string, err error) {
	switch {
	case s.state == Stopped && !p.pinned:
		return dropUnavailable, s.unavailable()
	case s.queue.bytes > 0 && s.queue.bytes+p.bytes > s.trail.config.MaxWaitingBytes:
		return dropFull, fmt.Errorf("%w: sink %q: %d records, %d bytes", otelaudit.ErrFull, s.name, s.queue.records, s.queue.bytes)
	}
	return "", nil
}

// makeRoom gives up the oldest records of a best-effort sink until p fits. Called with mu held.
func (s *sink) makeRoom(p *parcel) {
	for oldest := s.queue.head; oldest != nil; oldest = s.queue.head {
		if s.queue.records+len(p.records) <= maxBehind && s.queue.bytes+p.bytes <= s.trail.config.MaxWaitingBytes {
			return
		}
		s.queue.remove(oldest)
		s.drop(len(oldest.records), dropBehind)
		s.settled(oldest, nil) // nobody waits
	}
}

// giveUp takes p back: it is not sent any more, unless that is under way.
func (s *sink) giveUp(p *parcel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch p.state {
	case queued:
		s.queue.remove(p)
		s.drop(len(p.records), dropGivenUp)
		s.settled(p, nil) // its call has its error
	case underWay:
		p.state = givenUp
	case idle, givenUp:
	}
}

func (s *sink) signal() { notify(s.wake) }

// settled ends what the sink has to do with p: its caller gets err. Called with mu held.
func (s *sink) settled(p *parcel, err error) {
	for i := 0; i < len(s.flushes); {
		f := s.flushes[i]
		if p.epoch <= f.epoch {
			f.left--
		}
		if f.left > 0 {
			i++
			continue
		}
		close(f.done)
		s.flushes = slices.Delete(s.flushes, i, i+1)
	}
	p.settle(err)
}

// flush is somebody who waits for what was there when they came.
type flush struct {
	epoch int // of the parcels that it waits for, and of those before
	left  int // how many they are
	done  chan struct{}
}

// drain returns once all that is queued or under way now is settled, or when ctx ends.
func (s *sink) drain(ctx context.Context) error {
	s.mu.Lock()
	f := &flush{epoch: s.epoch, left: len(s.underWay), done: make(chan struct{})}
	for p := s.queue.head; p != nil; p = p.next {
		f.left++
	}
	if f.left == 0 {
		s.mu.Unlock()
		return nil
	}
	s.epoch++ // what comes from now on is not waited for
	s.flushes = append(s.flushes, f)
	s.mu.Unlock()
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushes = slices.DeleteFunc(s.flushes, func(other *flush) bool { return other == f })
	return ctx.Err()
}
