package trail

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// actionLost is the record of what another process's journal had lost when it was adopted. What the trail's own has lost is in the
// record of the opening.
const actionLost = "otelaudit.journal.lost"

// reportDamage reports a stretch of a journal that is damaged.
func reportDamage(dir string, d *journal.Damage) {
	what := "no record is lost by it"
	if d.Lost() > 0 {
		what = fmt.Sprintf("%s lost (%d to %d)", records(d.Lost()), d.From, d.To)
	}
	report(fmt.Errorf("otelaudit: journal %s: segment %d is damaged: %s, %d bytes set aside in %q", dir, d.Segment, what, d.Bytes, d.Quarantine))
}

// losses returns the numbers that a journal has lost, "121-160".
func losses(s *journal.Status) (lost []string) {
	for i, d := range s.Damage {
		for _, part := range d.Beyond(s.Damage[:i]) {
			lost = append(lost, fmt.Sprintf("%d-%d", part.From, part.To))
		}
	}
	return lost
}

// lostError says which records of a journal nobody gets, or is nil.
func lostError(s *journal.Status) error {
	lost := losses(s)
	if lost == nil {
		return nil
	}
	return fmt.Errorf("trail: the journal %s is damaged: %s lost, which nobody gets: %s; \"otelaudit journal inspect\" says more",
		s.Dir, records(s.Lost()), strings.Join(lost, ", "))
}

// notice reports what is damaged in an adopted journal, and has what it has lost counted and recorded: once in this process.
func (a *adoption) notice(j *journal.Journal) {
	status := j.Status()
	fresh := journal.Status{Dir: status.Dir, First: status.First, Last: status.Last}
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.damaged[status.Dir]
	for _, d := range status.Damage {
		parts := d.Beyond(known)
		if d.Lost() == 0 && !slices.Contains(known, d) {
			parts = []journal.Damage{d}
		}
		known = append(known, parts...)
		fresh.Damage = append(fresh.Damage, parts...)
	}
	if len(fresh.Damage) == 0 {
		return
	}
	a.damaged[status.Dir] = known
	for i := range fresh.Damage {
		reportDamage(fresh.Dir, &fresh.Damage[i])
	}
	if fresh.Lost() == 0 {
		return
	}
	r, err := a.store.trail.lossRecord(&fresh)
	if err != nil {
		report(fmt.Errorf("otelaudit: record what the adopted journal %s has lost: %w", fresh.Dir, err))
		return
	}
	a.unrecorded = append(a.unrecorded, r)
}

// recordLosses records what adopted journals have lost. What the trail's own journal does not take now is tried again with the next
// search: until then those journals stay.
func (a *adoption) recordLosses() error {
	a.recording.Lock()
	defer a.recording.Unlock()
	for {
		a.mu.Lock()
		waiting := a.unrecorded
		a.mu.Unlock()
		if len(waiting) == 0 {
			return nil
		}
		c := a.store.newCall()
		c.records = append(c.records, waiting[0])
		if err := a.store.submit(c, false, 0); err != nil {
			return fmt.Errorf("record what an adopted journal has lost: %w", err)
		}
		a.store.trail.emitted.Add(1)
		a.mu.Lock()
		a.unrecorded = a.unrecorded[1:]
		a.mu.Unlock()
	}
}

// lossRecord makes the record of what an adopted journal has lost.
func (t *Trail) lossRecord(s *journal.Status) (*otelaudit.Record, error) {
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{Now: t.config.Policy.Now}) // the policy must not hide it
	if err != nil {
		return nil, err
	}
	service, _ := t.set.Value(otelaudit.KeyServiceName)
	var r otelaudit.Record
	if _, err := recorder.Record(context.Background(), &otelaudit.Activity{
		Action:  actionLost,
		Actor:   otelaudit.System(service.AsString()),
		Target:  otelaudit.Target{Type: "journal", ID: otelaudit.StorableID(nameOf(s.Dir))},
		Outcome: otelaudit.Failure,
		Metadata: []attribute.KeyValue{
			attribute.Int64("journal.first", int64(s.First)), //nolint:gosec // a count
			attribute.Int64("journal.last", int64(s.Last)),   //nolint:gosec // a count
			attribute.StringSlice("journal.lost", losses(s)),
		},
	}, &r); err != nil {
		return nil, err
	}
	r.Resource = t.set
	return &r, nil
}
