//go:build unix

package torture

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// scene is evidence that can be tampered with.
type scene struct {
	table []*otelaudit.Record
	dead  []deadLetter
	lines []section
}

func (s *scene) check(t *testing.T, o *oracle) *findings {
	t.Helper()
	f, err := o.check(evidence{dead: s.dead, lines: s.lines, table: func(yield func(*otelaudit.Record, error) bool) {
		for _, r := range s.table {
			if !yield(r, nil) {
				return
			}
		}
	}})
	require.NoError(t, err)
	return f
}

// story is a short life with its evidence, in which everything is right: six calls of one goroutine, the fifth a TrackAll of
// three that failed and is there, the sixth cut off by the death and gone. The fourth is poisonous.
func story(t *testing.T) (*oracle, *scene) {
	t.Helper()
	w := newWorld()
	w.PoisonEvery = 4
	o := newOracle(w)
	e := &scene{lines: []section{{life: 1}}}
	hear := func(e event) { require.NoError(t, o.hear(1, e)) }
	hear(event{Kind: opened, Resource: map[string]string{"service.name": "torture"}})
	place := func(n number, id otelaudit.ID) receipt {
		r := w.record(n)
		r.Resource = attribute.NewSet(attribute.String("service.name", "torture"))
		if r.ID.IsZero() {
			r.ID = id
		}
		if r.Time.IsZero() {
			r.Time = w.Epoch.Add(time.Hour)
		}
		if reason := w.fate(n); reason != "" {
			e.dead = append(e.dead, deadLetter{r, reason})
		} else {
			e.table = append(e.table, r)
		}
		e.lines[0].numbers = append(e.lines[0].numbers, n)
		return receipt{r.ID, r.Time}
	}
	for i := range 4 {
		n := numberOf(1, 0, i)
		hear(event{Kind: begun, First: n, Count: 1})
		hear(event{Kind: acked, First: n, Count: 1, Receipts: []receipt{place(n, otelaudit.ID{1, byte(i)})}})
	}
	call := numberOf(1, 0, 0) | inBatch
	hear(event{Kind: begun, First: call, Count: 3})
	hear(event{Kind: failed, First: call, Count: 3, Text: "too slow"})
	for i := range number(3) {
		place(call+i, otelaudit.ID{2, byte(i)})
	}
	hear(event{Kind: begun, First: numberOf(1, 0, 4), Count: 1})
	o.died(1)
	return o, e
}

func TestTheOracleFindsNothingWhereAllIsRight(t *testing.T) {
	t.Parallel()
	o, e := story(t)
	f := e.check(t, o)
	require.NoError(t, f.err())
	require.Equal(t, "tracked=8 acknowledged=4 stored=6 dead_letters=1 recovered=3 lost=0 duplicates=0", f.String())
}

// A checker that cannot fail proves nothing: each kind of fault is planted, and found as what it is.
func TestTheOracleFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	clone := func(r *otelaudit.Record, change func(*otelaudit.Record)) *otelaudit.Record {
		c := r.Clone()
		change(c)
		return c
	}
	for name, c := range map[string]struct {
		plant func(*scene)
		found func(*findings) []string
	}{
		"a record that was acknowledged is missing": {
			func(e *scene) { e.table = e.table[1:] },
			func(f *findings) []string { return f.lost },
		},
		"a dead letter is missing": {
			func(e *scene) { e.dead = nil },
			func(f *findings) []string { return f.lost },
		},
		"a row is there twice": {
			func(e *scene) { e.table = append(e.table, e.table[2]) },
			func(f *findings) []string { return f.duplicates },
		},
		"a record is there under two ids": {
			func(e *scene) {
				e.table = append(e.table, clone(e.table[2], func(r *otelaudit.Record) { r.ID[15] ^= 1 }))
			},
			func(f *findings) []string { return f.duplicates },
		},
		"a dead letter is there twice": {
			func(e *scene) { e.dead = append(e.dead, e.dead[0]) },
			func(f *findings) []string { return f.duplicates },
		},
		"a record that nobody tracked": {
			func(e *scene) {
				e.table = append(e.table, clone(e.table[0], func(r *otelaudit.Record) { r.ID[15] ^= 1; r.Metadata = nil }))
			},
			func(f *findings) []string { return f.phantoms },
		},
		"a field is another": {
			func(e *scene) {
				e.table[1] = clone(e.table[1], func(r *otelaudit.Record) { r.Target.Name += "!" })
			},
			func(f *findings) []string { return f.changed },
		},
		"a trace is another": {
			func(e *scene) {
				e.table[1] = clone(e.table[1], func(r *otelaudit.Record) { r.SpanID[7] ^= 1 })
			},
			func(f *findings) []string { return f.changed },
		},
		"the time is not the receipt's": {
			func(e *scene) {
				e.table[2] = clone(e.table[2], func(r *otelaudit.Record) { r.Time = r.Time.Add(time.Microsecond) })
			},
			func(f *findings) []string { return f.changed },
		},
		"the resource is another's": {
			func(e *scene) {
				e.table[1] = clone(e.table[1], func(r *otelaudit.Record) { r.Resource = attribute.NewSet() })
			},
			func(f *findings) []string { return f.changed },
		},
		"a dead letter is content with another": {
			func(e *scene) {
				e.dead[0].record = clone(e.dead[0].record, func(r *otelaudit.Record) { r.Reason = "-" })
			},
			func(f *findings) []string { return f.changed },
		},
		"poison is in the table": {
			func(e *scene) { e.table, e.dead = append(e.table, e.dead[0].record), nil },
			func(f *findings) []string { return f.misplaced },
		},
		"a good record was set aside": {
			func(e *scene) { e.table, e.dead = e.table[1:], append(e.dead, deadLetter{e.table[0], "no reason"}) },
			func(f *findings) []string { return f.misplaced },
		},
		"a dead letter has another reason": {
			func(e *scene) { e.dead[0].reason = "because" },
			func(f *findings) []string { return f.misplaced },
		},
		"half of a TrackAll": {
			func(e *scene) { e.table, e.lines[0].numbers = e.table[:len(e.table)-1], e.lines[0].numbers[:6] },
			func(f *findings) []string { return f.torn },
		},
		"a line is missing": {
			func(e *scene) { e.lines[0].numbers = e.lines[0].numbers[1:] },
			func(f *findings) []string { return f.lost },
		},
		"a line is there twice": {
			func(e *scene) { e.lines[0].numbers = append(e.lines[0].numbers, e.lines[0].numbers[6]) },
			func(f *findings) []string { return f.duplicates },
		},
		"a line of nobody": {
			func(e *scene) { e.lines[0].numbers = append(e.lines[0].numbers, numberOf(3, 3, 3)) },
			func(f *findings) []string { return f.phantoms },
		},
		"two lines are swapped": {
			func(e *scene) { swap(e.lines[0].numbers, 1, 2) },
			func(f *findings) []string { return f.disordered },
		},
		"a later life repeats in another order": {
			func(e *scene) {
				again := section{life: 2, numbers: slices.Clone(e.lines[0].numbers)}
				swap(again.numbers, 0, 3)
				e.lines = append(e.lines, again)
			},
			func(f *findings) []string { return f.disordered },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, e := story(t)
			c.plant(e)
			f := e.check(t, o)
			require.Error(t, f.err())
			require.NotEmpty(t, c.found(f), f.err())
			t.Log(f.err())
		})
	}
}

// Ids that a trail chose must ascend, whatever the clock does.
func TestTheOracleFindsIDsThatGoBack(t *testing.T) {
	t.Parallel()
	o, e := story(t)
	second := numberOf(1, 0, 2) // the fourth is the other one whose id and time are the trail's
	for _, r := range e.table {
		if n, _ := numberIn(r); n == second {
			r.ID = otelaudit.ID{1, 9}
			o.entries[n].key.ID = r.ID
		}
	}
	f := e.check(t, o)
	require.NotEmpty(t, f.disordered)
	require.Equal(t, f.disordered, f.problems())
}

func swap(numbers []number, i, k int) { numbers[i], numbers[k] = numbers[k], numbers[i] }
