package trail

import (
	"context"
	"fmt"
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
	for _, d := range s.Damage {
		if d.Lost() > 0 {
			lost = append(lost, fmt.Sprintf("%d-%d", d.From, d.To))
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

// notice reports what is damaged in an adopted journal, counts what it has lost, and has that recorded: once in this process.
func (a *adoption) notice(j *journal.Journal) {
	status := j.Status()
	fresh := journal.Status{Dir: status.Dir, First: status.First, Last: status.Last}
	a.mu.Lock()
	for _, d := range status.Damage {
		key := fmt.Sprintf("%s %d %d %d-%d", status.Dir, d.Segment, d.Offset, d.From, d.To)
		if d.Lost() > 0 {
			key = fmt.Sprintf("%s %d-%d", status.Dir, d.From, d.To) // wherever it is noted by now
		}
		if !a.damaged[key] {
			a.damaged[key] = true
			fresh.Damage = append(fresh.Damage, d)
		}
	}
	a.lost += fresh.Lost()
	if fresh.Lost() > 0 {
		a.unrecorded = append(a.unrecorded, &fresh)
	}
	a.mu.Unlock()
	for i := range fresh.Damage {
		reportDamage(fresh.Dir, &fresh.Damage[i])
	}
}

// recordLosses records what adopted journals have lost. What the trail's own journal does not take now waits for the next search: the
// note of it, in the quarantine, stays.
func (a *adoption) recordLosses() {
	a.recording.Lock()
	defer a.recording.Unlock()
	for {
		a.mu.Lock()
		waiting := a.unrecorded
		a.mu.Unlock()
		if len(waiting) == 0 {
			return
		}
		if err := a.store.recordLoss(waiting[0]); err != nil {
			report(fmt.Errorf("otelaudit: record what the adopted journal %s has lost: %w", waiting[0].Dir, err))
			return
		}
		a.mu.Lock()
		a.unrecorded = a.unrecorded[1:]
		a.mu.Unlock()
	}
}

func (s *journaled) recordLoss(status *journal.Status) error {
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{Now: s.trail.config.Policy.Now}) // the policy must not hide it
	if err != nil {
		return err
	}
	service, _ := s.trail.set.Value(otelaudit.KeyServiceName)
	c := s.newCall()
	if _, err := recorder.Record(context.Background(), &otelaudit.Activity{
		Action:  actionLost,
		Actor:   otelaudit.System(service.AsString()),
		Target:  otelaudit.Target{Type: "journal", ID: otelaudit.StorableID(nameOf(status.Dir))},
		Outcome: otelaudit.Failure,
		Metadata: []attribute.KeyValue{
			attribute.Int64("journal.first", int64(status.First)), //nolint:gosec // a count
			attribute.Int64("journal.last", int64(status.Last)),   //nolint:gosec // a count
			attribute.StringSlice("journal.lost", losses(status)),
		},
	}, &c.first); err != nil {
		return err
	}
	c.first.Resource = s.trail.set
	c.records = append(c.records, &c.first)
	if err := s.submit(c, false, 0); err != nil {
		return err
	}
	s.trail.emitted.Add(1)
	return nil
}
