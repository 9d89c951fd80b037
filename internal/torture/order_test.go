//go:build unix

package torture

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// disorder looks at a sequence that must keep the order of things, and returns who is at the wrong place in it: who had
// returned before somebody began who comes earlier in the sequence.
func (o *oracle) disorder(sequence []number) []string {
	var found []string
	latest := number(-1) // of those so far, who began last
	for _, n := range sequence {
		e := o.entries[n]
		if latest >= 0 && e.ended < o.entries[latest].begun {
			found = append(found, fmt.Sprintf("%s comes after %s, and had returned before that began", n, latest))
		}
		if latest < 0 || e.begun > o.entries[latest].begun {
			latest = n
		}
	}
	return found
}

// checkLines looks at the sink that keeps order: everything is there, and in order, first appearances and what each process
// wrote. After a crash a process may begin with what was written already; it writes nothing twice itself, unless it was asked to.
func (o *oracle) checkLines(f *findings, p *places, sections []section) {
	if sections == nil {
		return
	}
	seen := map[number]bool{}
	var first []number
	for _, s := range sections {
		var known []number
		again := map[number]bool{}
		for _, n := range s.numbers {
			e := o.entries[n]
			if e == nil {
				f.phantoms = append(f.phantoms, fmt.Sprintf("%s is a line of life %d and was never begun", n, s.life))
				continue
			}
			if again[n] && len(e.lives) == 1 {
				f.duplicates = append(f.duplicates, fmt.Sprintf("%s is a line twice in life %d", n, s.life))
			}
			known, again[n] = append(known, n), true
			if !seen[n] {
				seen[n], first = true, append(first, n)
			}
		}
		f.disordered = append(f.disordered, o.disorder(known)...)
	}
	f.disordered = append(f.disordered, o.disorder(first)...)
	for n, e := range o.entries {
		switch _, there := p.id(n); {
		case e.acked && !seen[n]:
			f.lost = append(f.lost, fmt.Sprintf("%s was acknowledged and is not among the lines", n))
		case there != seen[n]:
			f.lost = append(f.lost, fmt.Sprintf("%s is at one sink and not at the other (among the lines: %v)", n, seen[n]))
		}
	}
}

// checkIDs looks at the ids that a process's trail chose for activities that happened when they were tracked: they ascend, also
// while the clock goes back.
func (o *oracle) checkIDs(f *findings, p *places) {
	chosen := map[int][]number{}
	for _, place := range []map[number]otelaudit.ID{p.table, p.dead} {
		for n := range place {
			if _, at := o.world.ownKey(n); at.IsZero() && len(o.entries[n].lives) == 1 {
				chosen[n.life()] = append(chosen[n.life()], n)
			}
		}
	}
	for _, numbers := range chosen {
		slices.SortFunc(numbers, func(a, b number) int {
			x, _ := p.id(a)
			y, _ := p.id(b)
			return bytes.Compare(x[:], y[:])
		})
		f.disordered = append(f.disordered, o.disorder(numbers)...)
	}
}
