//go:build unix

package torture

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// evidence is what was found at the end, when everything was delivered.
type evidence struct {
	table iter.Seq2[*otelaudit.Record, error]
	dead  []deadLetter
	lines []section // nil where there was no sink that keeps order
}

// deadLetter is a trail.DeadLetter, read.
type deadLetter struct {
	record *otelaudit.Record
	reason string
}

// section is what one life of a process wrote to the sink that keeps order.
type section struct {
	life    int
	numbers []number
}

// findings is what the oracle makes of the evidence, in the manner of Jepsen's set checker: lost, duplicated and phantom are
// what may not be, recovered is what nobody was promised and is there.
type findings struct {
	tracked, acknowledged, stored, deadLetters, recovered, own int

	lost, duplicates, phantoms, changed, misplaced, disordered, torn []string
}

// check compares the evidence with what is known. An error is of reading the evidence.
func (o *oracle) check(e evidence) (*findings, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f, places := &findings{tracked: len(o.entries)}, newPlaces()
	for r, err := range e.table {
		if err != nil {
			return nil, err
		}
		if n, ok := o.identify(f, places, r, inTable); ok {
			places.table[n] = r.ID
		}
	}
	for _, d := range e.dead {
		n, ok := o.identify(f, places, d.record, inDeadLetters)
		if !ok {
			continue
		}
		places.dead[n] = d.record.ID
		if fate := o.world.fate(n); fate == "" || !strings.Contains(d.reason, fate) {
			f.misplaced = append(f.misplaced, fmt.Sprintf("%s was set aside because %q; it should have been %q", n, d.reason, fate))
		}
	}
	f.stored, f.deadLetters = len(places.table), len(places.dead)
	o.checkEntries(f, places)
	o.checkIDs(f, places)
	o.checkLines(f, places, e.lines)
	return f, nil
}

// places is where each activity was found, and under which id.
type places struct {
	table, dead map[number]otelaudit.ID
	ids         map[otelaudit.ID]number // of what is in the table; the trail's own records are number 0
}

const (
	inTable       = "the table"
	inDeadLetters = "the dead letters"
)

func newPlaces() *places {
	return &places{map[number]otelaudit.ID{}, map[number]otelaudit.ID{}, map[otelaudit.ID]number{}}
}

// id returns the id under which n is somewhere.
func (p *places) id(n number) (otelaudit.ID, bool) {
	if id, ok := p.table[n]; ok {
		return id, true
	}
	id, ok := p.dead[n]
	return id, ok
}

func (p *places) seen(n number, where string) bool {
	place := p.table
	if where == inDeadLetters {
		place = p.dead
	}
	_, seen := place[n]
	return seen
}

// identify looks at a record by itself, and returns the number of one that was begun and has not been seen at that place.
func (o *oracle) identify(f *findings, p *places, r *otelaudit.Record, where string) (number, bool) {
	own := strings.HasPrefix(r.Action, "otelaudit.") // the trail's: its opening, a gap
	n, numbered := numberIn(r)
	entry := o.entries[n]
	about := func(format string, args ...any) string {
		return fmt.Sprintf("%s (%s, id %s) in %s: ", n, r.Action, r.ID, where) + fmt.Sprintf(format, args...)
	}
	if where == inTable {
		if other, taken := p.ids[r.ID]; taken {
			f.duplicates = append(f.duplicates, about("%s has that id too", other))
			return n, false
		}
		p.ids[r.ID] = n
	}
	switch {
	case own && where == inTable:
		f.own++
		return n, false
	case !numbered || entry == nil:
		f.phantoms = append(f.phantoms, about("it was never begun"))
		return n, false
	case p.seen(n, where):
		f.duplicates = append(f.duplicates, about("it is there twice"))
		return n, false
	}
	if field := difference(o.world.record(n), r); field != "" {
		f.changed = append(f.changed, about("%s is not what was submitted", field))
	}
	if entry.acked && (entry.key.ID != r.ID || !entry.key.Time.Equal(r.Time)) {
		f.changed = append(f.changed, about("the receipt said %s at %s", entry.key.ID, entry.key.Time))
	}
	if !slices.ContainsFunc(entry.lives, func(life int) bool { s := o.resources[life]; return s.Equals(&r.Resource) }) {
		f.changed = append(f.changed, about("the resource is not that of who recorded it"))
	}
	return n, true
}

// checkEntries looks for what is missing, at the wrong place, or there in part.
func (o *oracle) checkEntries(f *findings, p *places) {
	there := map[number]int{} // call → how many of its activities
	for n, e := range o.entries {
		stored, dead := p.seen(n, inTable), p.seen(n, inDeadLetters)
		if stored || dead {
			there[e.call]++
		}
		if e.acked {
			f.acknowledged++
		}
		switch fate := o.world.fate(n); {
		case stored && dead:
			f.misplaced = append(f.misplaced, fmt.Sprintf("%s is in the table and was set aside", n))
		case stored && fate != "":
			f.misplaced = append(f.misplaced, fmt.Sprintf("%s is in the table and should have been set aside: %q", n, fate))
		case e.acked && !stored && !dead:
			f.lost = append(f.lost, fmt.Sprintf("%s was acknowledged (id %s) and is not there", n, e.key.ID))
		case !e.acked && (stored || dead):
			f.recovered++
		}
	}
	for call, count := range there {
		if want := o.entries[call].count; count != want {
			f.torn = append(f.torn, fmt.Sprintf("%d of the %d activities of the call %s are there", count, want, call))
		}
	}
}

// problems are all that may not be.
func (f *findings) problems() []string {
	return slices.Concat(f.lost, f.duplicates, f.phantoms, f.changed, f.misplaced, f.torn, f.disordered)
}

// err names the first few problems of each kind.
func (f *findings) err() error {
	const shown = 5
	var b strings.Builder
	for _, kind := range []struct {
		name     string
		problems []string
	}{
		{"lost", f.lost},
		{"duplicated", f.duplicates},
		{"phantom", f.phantoms},
		{"changed", f.changed},
		{"at the wrong place", f.misplaced},
		{"there in part", f.torn},
		{"out of order", f.disordered},
	} {
		if len(kind.problems) > 0 {
			fmt.Fprintf(&b, "\n%d %s:", len(kind.problems), kind.name)
			for _, p := range kind.problems[:min(shown, len(kind.problems))] {
				b.WriteString("\n\t" + p)
			}
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return fmt.Errorf("%s%s", f, b.String())
}

func (f *findings) String() string {
	return fmt.Sprintf("tracked=%d acknowledged=%d stored=%d dead_letters=%d recovered=%d lost=%d duplicates=%d",
		f.tracked, f.acknowledged, f.stored, f.deadLetters, f.recovered, len(f.lost), len(f.duplicates))
}
