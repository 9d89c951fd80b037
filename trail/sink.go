package trail

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// maxBehind is the most records that a best-effort sink may lag.
const maxBehind = 65536

// sink is an exporter with its queue. Callers put parcels into the queue; one deliverer takes them out.
type sink struct {
	name       string
	bestEffort bool
	exporter   BatchExporter
	shutdown   func(context.Context) error
	flush      func(context.Context) error
	trail      *Trail
	recording  []metric.RecordOption // its name, for the histogram
	wake       chan struct{}         // one signal: the queue or the sink's state has changed

	mu        sync.Mutex // guards all below
	queue     queue
	underWay  []*parcel // what the exporter has now
	state     SinkState
	lastErr   error
	lastErrAt time.Time
	exported  uint64
	dropped   uint64
	closing   bool // deliver what is queued, then end
	left      bool // the trail is shut down: what comes back is given up
	epoch     int  // counts flushes: a parcel has that of its queueing
	flushes   []*flush
	limit     int // most parcels of a batch, after one that failed; 0: as many as there are
	failures  int // attempts in a row that failed

	batch   Batch     // the deliverer's own, used again for every batch
	taken   []*parcel // likewise
	attempt attempt   // likewise
}

func newSink(s Sink, t *Trail) *sink {
	exporter, ok := s.Exporter.(BatchExporter)
	if !ok {
		exporter = newRebuilder(s.Exporter, t.resource)
	}
	return &sink{
		name:       s.Name,
		bestEffort: s.BestEffort,
		exporter:   exporter,
		shutdown:   s.Exporter.Shutdown,
		flush:      s.Exporter.ForceFlush,
		trail:      t,
		wake:       make(chan struct{}, 1),
	}
}

// offer queues p, or settles it at once where the sink cannot take it.
func (s *sink) offer(p *parcel) {
	p.bytes = 0
	for _, r := range p.records {
		p.bytes += r.Size()
	}
	s.mu.Lock()
	p.epoch = s.epoch
	if s.bestEffort {
		p.since = time.Now()
		s.makeRoom(p)
	} else if reason, err := s.unable(p); err != nil {
		s.drop(len(p.records), reason)
		s.mu.Unlock()
		p.settle(err)
		return
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

// unavailable is the error of a required sink that has stopped. Called with mu held.
func (s *sink) unavailable() error {
	return fmt.Errorf("%w: sink %q: %w", otelaudit.ErrUnavailable, s.name, s.lastErr)
}

// stopped returns the error of a sink that has stopped, or nil.
func (s *sink) stopped() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Stopped {
		return s.unavailable()
	}
	return nil
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

func (s *sink) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // there is one already
	}
}

// Why records were dropped: the metric's attribute.
const (
	dropBehind      = "behind"      // a best-effort sink lagged too far
	dropGivenUp     = "given_up"    // a caller waited for TrackTimeout
	dropRejected    = "rejected"    // the exporter will never take it
	dropShutdown    = "shutdown"    // left when the trail was shut down
	dropUnavailable = "unavailable" // a required sink is stopped
	dropFull        = "full"        // too much was queued
)

// drop counts records that this sink does not get. Called with mu held.
func (s *sink) drop(n int, reason string) {
	s.dropped += uint64(n) //nolint:gosec // a length
	s.trail.metrics.dropped(s, n, reason)
}

func (s *sink) lost(n int, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(n, reason)
}

// trouble returns the error that the sink is trying to get over, or nil.
func (s *sink) trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Running {
		return nil
	}
	return s.lastErr
}

// setState notes err and tells OpenTelemetry's error handler when things got better or worse. Called with mu held.
func (s *sink) setState(state SinkState, err error) {
	if err != nil {
		s.lastErr, s.lastErrAt = err, time.Now()
	}
	if state == s.state {
		return
	}
	s.state = state
	if err != nil {
		report(fmt.Errorf("otelaudit: sink %q is %s: %w", s.name, state, err))
	}
}

// report tells OpenTelemetry's error handler, from a goroutine of its own: a handler may itself Track.
func report(err error) { go otel.Handle(err) }

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
