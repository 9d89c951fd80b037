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

// reportDamage reports what is damaged in a journal.
func reportDamage(s *journal.Status) {
	for _, d := range s.Damage {
		what := "no record is lost by it"
		if d.Lost() > 0 {
			what = fmt.Sprintf("%d records are lost (%d to %d)", d.Lost(), d.From, d.To)
		}
		report(fmt.Errorf("otelaudit: journal %s: segment %d is damaged: %s, %d bytes set aside in %q", s.Dir, d.Segment, what, d.Bytes, d.Quarantine))
	}
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

// recordDamage reports what was damaged in an adopted journal, and records what it has lost, once in this process.
func (a *adoption) recordDamage(j *journal.Journal) {
	status := j.Status()
	lost := losses(&status)
	key := fmt.Sprint(status.Dir, lost)
	a.mu.Lock()
	known := len(status.Damage) == 0 || a.damaged[key]
	a.damaged[key] = true
	if !known {
		a.lost += status.Lost()
	}
	a.mu.Unlock()
	if known {
		return
	}
	reportDamage(&status)
	if lost == nil {
		return
	}
	if err := a.store.recordLoss(&status, lost); err != nil {
		report(fmt.Errorf("otelaudit: record what the adopted journal %s has lost: %w", status.Dir, err))
	}
}

func (s *journaled) recordLoss(status *journal.Status, lost []string) error {
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
			attribute.StringSlice("journal.lost", lost),
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
