package trail

import (
	"errors"
	"math"
	"time"
)

// errExpired marks a call whose time is over.
var errExpired = errors.New("expired")

// startOfTime is what deadlines count from: a monotonic clock.
var startOfTime = time.Now()

// forEver is the timeout, and the deadline, of what nobody gives up.
const forEver time.Duration = math.MaxInt64

// expiry ends the waits whose time is over, with one timer for all: to set one for each call would cost more than its use, and to
// leave one running with each would keep in memory what the pool of calls lets go. The mutex of what it belongs to guards it.
type expiry struct {
	timer *time.Timer   // calls what looks for such waits
	next  time.Duration // when that is, since startOfTime; 0: not before the next by
}

func newExpiry(look func()) expiry {
	e := expiry{timer: time.AfterFunc(time.Hour, look)}
	e.timer.Stop()
	return e
}

// by has it look at this deadline at the latest.
func (e *expiry) by(deadline time.Duration) {
	if e.next == 0 || deadline < e.next {
		e.next = deadline
		e.timer.Reset(deadline - time.Since(startOfTime))
	}
}

// together is how much earlier than its time a call may be ended, with another one whose time is over: in an outage many wait, each
// for its own deadline, and a look at all of them for each of these would hold up everybody.
const together = 5 * time.Millisecond

// due begins a look, and returns what ends a call whose time is over, or has the next look in time for it.
func (e *expiry) due() func(*call) {
	e.next = 0
	now := time.Since(startOfTime)
	return func(c *call) {
		switch {
		case c.settled(): // its caller is about to leave
		case c.deadline-together <= now:
			c.settle(errExpired)
		default:
			e.by(c.deadline)
		}
	}
}

// expire ends the waits whose time is over. A timer calls it.
func (s *sink) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	check := s.expiry.due()
	for _, p := range s.underWay {
		check(p.call)
	}
	for p := s.queue.head; p != nil; p = p.next {
		check(p.call)
	}
}

// expire ends the waits whose time is over. A timer calls it.
func (x *expected) expire() {
	x.mu.Lock()
	defer x.mu.Unlock()
	check := x.expiry.due()
	for _, es := range x.byID {
		for _, e := range es {
			check(e.call)
		}
	}
}
