package trail

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// call is one Track or TrackAll on its way to safety. It is used again once that has gone well.
type call struct {
	first     otelaudit.Record    // the record of a Track, so that it needs no allocation
	records   []*otelaudit.Record // what is to be stored
	parcels   []parcel            // one for each required sink, where there is no journal
	pending   atomic.Int32        // answers that have not come
	failure   atomic.Pointer[error]
	done      chan struct{} // one signal: settled
	delivered time.Time     // when the last required sink had answered, for who waits for that
	encoded   encoded       // what goes into the journal, where there is one

	// The timer runs on when a call has ended in time, for the next one: to set it for each would cost more than its use. Its
	// calls end by taking the deadline away, one way or the other.
	timer    *time.Timer
	armed    atomic.Bool  // the timer runs
	deadline atomic.Int64 // since startOfTime; 0: nobody waits
}

func newCall(required int) *call {
	c := &call{parcels: make([]parcel, required), done: make(chan struct{}, 1)}
	c.timer = time.AfterFunc(time.Hour, c.tick)
	c.timer.Stop()
	for i := range c.parcels {
		c.parcels[i].call = c
	}
	return c
}

// errExpired marks a call whose time is over.
var errExpired = errors.New("expired")

// begin has c wait for n answers.
func (c *call) begin(n int) {
	c.pending.Store(int32(n)) //nolint:gosec // as many as there are sinks, and records of one call
}

// startOfTime is what deadlines count from: a monotonic clock.
var startOfTime = time.Now()

// await waits until c is settled, at most for timeout.
func (c *call) await(timeout time.Duration) error {
	deadline := int64(time.Since(startOfTime) + max(timeout, 1))
	c.deadline.Store(deadline)
	if c.armed.CompareAndSwap(false, true) {
		c.timer.Reset(timeout)
	}
	<-c.done
	if !c.deadline.CompareAndSwap(deadline, 0) {
		return errExpired // perhaps at the last moment, when all had answered
	}
	return c.err()
}

// tick settles the call with errExpired when its time is over.
func (c *call) tick() {
	c.armed.Store(false)
	deadline := c.deadline.Load()
	if deadline == 0 {
		return
	}
	if left := time.Duration(deadline) - time.Since(startOfTime); left > 0 {
		if c.armed.CompareAndSwap(false, true) {
			c.timer.Reset(left)
		}
		return
	}
	if c.deadline.CompareAndSwap(deadline, 0) {
		c.settle(errExpired)
	}
}

// settle takes one answer. The first error settles the call; else the last answer does.
func (c *call) settle(err error) {
	if err != nil {
		failure := err // so that only a failure allocates
		c.failure.CompareAndSwap(nil, &failure)
	} else if c.pending.Add(-1) > 0 {
		return
	}
	select {
	case c.done <- struct{}{}:
	default: // settled before
	}
}

func (c *call) err() error {
	if err := c.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// parcel is what one call gives to one sink: stored together or not at all.
type parcel struct {
	records []*otelaudit.Record
	call    *call // nil: nobody waits
	pinned  bool  // stays until it is delivered, whatever the sink's state

	// The rest is guarded by the sink's mutex.
	prev, next *parcel // within the sink's queue
	bytes      int
	epoch      int       // see flush
	tried      bool      // the exporter has had it, and may have stored it
	since      time.Time // when it was queued; only of parcels that nobody waits for, and pinned ones
	state      parcelState
}

type parcelState uint8

const (
	idle parcelState = iota
	queued
	underWay
	givenUp // under way, and not to be tried again
)

func (p *parcel) settle(err error) {
	p.state = idle
	if p.call != nil {
		p.call.settle(err)
	}
}

// queue is a list of parcels in order, from which any can be taken out. Not safe for concurrent use.
type queue struct {
	head, tail *parcel
	records    int
	bytes      int
}

func (q *queue) pushBack(p *parcel) {
	p.prev, p.next = q.tail, nil
	if q.tail == nil {
		q.head = p
	} else {
		q.tail.next = p
	}
	q.tail = p
	q.add(p, 1)
}

func (q *queue) pushFront(p *parcel) {
	p.prev, p.next = nil, q.head
	if q.head == nil {
		q.tail = p
	} else {
		q.head.prev = p
	}
	q.head = p
	q.add(p, 1)
}

func (q *queue) remove(p *parcel) {
	if p.prev == nil {
		q.head = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		q.tail = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.prev, p.next = nil, nil
	q.add(p, -1)
}

func (q *queue) add(p *parcel, sign int) {
	q.records += sign * len(p.records)
	q.bytes += sign * p.bytes
	if sign > 0 {
		p.state = queued
	}
}
