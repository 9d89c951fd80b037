//go:build unix

package torture

import (
	"fmt"
	"sync"
)

// totals are what all tests together have seen.
var totals report

type report struct {
	mu        sync.Mutex // guards all below
	kills     int
	crashes   int // of Postgres, and of connections to it
	mutations int // that were noticed
	sum       findings
}

func (r *report) add(f *findings) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.tracked += f.tracked
	r.sum.acknowledged += f.acknowledged
	r.sum.stored += f.stored
	r.sum.deadLetters += f.deadLetters
	r.sum.recovered += f.recovered
	r.sum.lost = append(r.sum.lost, f.lost...)
	r.sum.duplicates = append(r.sum.duplicates, f.duplicates...)
}

func (r *report) killed()  { r.count(&r.kills) }
func (r *report) crashed() { r.count(&r.crashes) }
func (r *report) noticed() { r.count(&r.mutations) }

func (r *report) count(n *int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*n++
}

func (r *report) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("torture: kills=%d postgres_faults=%d mutations_noticed=%d %s", r.kills, r.crashes, r.mutations, &r.sum)
}
