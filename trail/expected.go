package trail

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// expected are the calls that wait until required sinks have their records. A call is entered before its records are in the
// journal, since they may be delivered before Append has returned; which of the records with one id are its own is known by
// their numbers only.
type expected struct {
	calls atomic.Int64 // so that deliverers pay for them only where there are some

	mu     sync.Mutex // guards all below, and the expectations
	byID   map[otelaudit.ID][]*expectation
	expiry expiry
}

// expectation is one call that waits.
type expectation struct {
	call  *call
	first uint64    // the sequence number of its first record; 0: not known yet
	early []arrival // what came before that was known
}

// arrival is what became of one record at one sink.
type arrival struct {
	seq uint64
	err error // why the sink does not get it; nil: it has it
}

func (x *expected) add(c *call) *expectation {
	e := &expectation{call: c}
	x.calls.Add(1)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byID == nil {
		x.byID = map[otelaudit.ID][]*expectation{}
		x.expiry = newExpiry(x.expire)
	}
	x.expiry.by(c.deadline)
	for _, r := range c.records {
		if es := x.byID[r.ID]; len(es) == 0 || es[len(es)-1] != e { // one call may have an id twice
			x.byID[r.ID] = append(es, e)
		}
	}
	return e
}

func (x *expected) remove(e *expectation) {
	x.calls.Add(-1)
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range e.call.records {
		rest := slices.DeleteFunc(x.byID[r.ID], func(other *expectation) bool { return other == e })
		if len(rest) == 0 {
			delete(x.byID, r.ID)
		} else {
			x.byID[r.ID] = rest
		}
	}
}

// number says that the records of e have the numbers from first on.
func (x *expected) number(e *expectation, first uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e.first = first
	for _, a := range e.early {
		e.take(a)
	}
	e.early = nil
}

// arrived says what became of the record with that id and number at a required sink.
func (x *expected) arrived(id otelaudit.ID, a arrival) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.byID[id] {
		if e.first == 0 {
			e.early = append(e.early, a)
		} else {
			e.take(a)
		}
	}
}

func (e *expectation) take(a arrival) {
	if a.seq >= e.first && a.seq < e.first+uint64(len(e.call.records)) {
		e.call.settle(a.err)
	}
}

// fail ends all waits: a required sink has stopped.
func (x *expected) fail(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, es := range x.byID {
		for _, e := range es {
			// Who is still appending looks for stopped sinks afterwards; who has all answers is about to leave.
			if e.first != 0 && !e.call.settled() {
				e.call.settle(err)
			}
		}
	}
}
