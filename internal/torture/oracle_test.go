//go:build unix

package torture

import (
	"fmt"
	"math"
	"sync"

	"go.opentelemetry.io/otel/attribute"
)

// oracle knows what was begun and what was acknowledged, from outside of the process that did it.
//
// Each event has a position. A call that ended at a lower position than another one began at had returned before that: whatever
// keeps an order must have it first.
type oracle struct {
	world world

	mu        sync.Mutex // guards all below
	position  int
	entries   map[number]*entry
	resources map[int]attribute.Set // life → who records
	failures  []string              // what calls failed with
}

// entry is what is known of one activity.
type entry struct {
	call  number // the first number of the call it was tracked in
	count int    // how many activities that call had
	begun int    // the position
	ended int    // the position at which it had returned nil, or could not happen any more; never while it may still
	acked bool
	lives []int   // where it was tracked
	key   receipt // of its acknowledgement
}

const never = math.MaxInt

func newOracle(w world) *oracle {
	return &oracle{world: w, entries: map[number]*entry{}, resources: map[int]attribute.Set{}}
}

// hear notes what life said.
func (o *oracle) hear(life int, e event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.position++
	switch e.Kind {
	case opened:
		var kvs []attribute.KeyValue
		for k, v := range e.Resource {
			kvs = append(kvs, attribute.String(k, v))
		}
		o.resources[life] = attribute.NewSet(kvs...)
	case begun:
		o.begin(life, e)
	case failed:
		if len(o.failures) < 100 {
			o.failures = append(o.failures, fmt.Sprintf("%s: %s", e.First, e.Text))
		}
	case acked:
		return o.acknowledge(e)
	default: // of no interest here
	}
	return nil
}

// begin notes a call. Called with mu held.
func (o *oracle) begin(life int, e event) {
	for n := e.First; n < e.First+number(e.Count); n++ {
		known := o.entries[n]
		if known == nil {
			known = &entry{call: e.First, count: e.Count, begun: o.position}
			o.entries[n] = known
		}
		known.ended = never // it is tracked again, and what it was before may still arrive
		known.lives = append(known.lives, life)
	}
}

// acknowledge notes that a call returned nil. Called with mu held.
func (o *oracle) acknowledge(e event) error {
	if len(e.Receipts) != e.Count {
		return fmt.Errorf("%s: %d receipts for %d activities", e.First, len(e.Receipts), e.Count)
	}
	for i, r := range e.Receipts {
		known := o.entries[e.First+number(i)]
		if known == nil {
			return fmt.Errorf("%s was acknowledged and never begun", e.First+number(i))
		}
		known.acked, known.ended, known.key = true, o.position, r
	}
	return nil
}

// died notes that a process is gone: what it had begun and is not there will not come any more, and what is there was there
// before all that follows.
func (o *oracle) died(life int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.position++
	for n, e := range o.entries {
		if n.life() == life && !e.acked && e.ended == never {
			e.ended = o.position
		}
	}
}

// unacknowledged returns activities of a life whose fate its process never learned, and that can be tracked again because
// they have an id of their own.
func (o *oracle) unacknowledged(life, atMost int) []number {
	o.mu.Lock()
	defer o.mu.Unlock()
	var ns []number
	for n, e := range o.entries {
		if id, _ := o.world.ownKey(n); n.life() == life && !e.acked && e.count == 1 && !id.IsZero() && len(ns) < atMost {
			ns = append(ns, n)
		}
	}
	return ns
}
