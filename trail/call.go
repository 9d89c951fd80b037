package trail

import (
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
	deadline  time.Duration // of who waits, since startOfTime
}

func newCall(required int) *call {
	c := &call{parcels: make([]parcel, required), done: make(chan struct{}, 1)}
	for i := range c.parcels {
		c.parcels[i].call = c
	}
	return c
}

// begin has c wait for n answers, at most for timeout.
func (c *call) begin(n int, timeout time.Duration) {
	c.pending.Store(int32(n)) //nolint:gosec // as many as there are sinks, and records of one call
	now := time.Since(startOfTime)
	if c.deadline = now + max(timeout, 1); c.deadline < now {
		c.deadline = forEver
	}
}

// await waits until c is settled. Whoever has c to answer settles it with errExpired when its time is over.
func (c *call) await() error {
	<-c.done
	return c.err()
}

// settle takes one answer. The first error settles the call; else the last answer does.
func (c *call) settle(err error) {
	if err != nil {
		failure := err // so that only a failure allocates
		c.failure.CompareAndSwap(nil, &failure)
	} else if c.pending.Add(-1) > 0 {
		return
	}
	notify(c.done)
}

// notify puts a signal into a channel of one, unless there is one already.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
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
