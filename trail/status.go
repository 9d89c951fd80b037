package trail

import (
	"time"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// SinkState is how a sink is doing.
type SinkState uint8

const (
	// Running: the last attempt succeeded, or none was needed yet.
	Running SinkState = iota
	// Retrying: the last attempt failed with a fault that may pass; the next follows within a second.
	Retrying
	// Stopped: a fault that needs a person. The sink is probed every ProbeInterval.
	Stopped
)

// String returns "running", "retrying" or "stopped".
func (s SinkState) String() string {
	switch s {
	case Retrying:
		return "retrying"
	case Stopped:
		return "stopped"
	default:
		return "running"
	}
}

// Status is how a trail is doing, for health checks.
type Status struct {
	Emitted       uint64 // records that are safe, as Track promises it, with the trail's own
	Ignored       uint64 // activities that the policy left out
	UnknownActors uint64 // records whose actor nobody named
	AheadOfClock  uint64 // records whose time lay ahead of the clock
	Lost          uint64 // records that were on disk and cannot be read any more: of the trail's own journal, and of those it has adopted
	Sinks         []SinkStatus
	Journal       *journal.Status  // of the trail's own journal; nil without one
	Adopted       []journal.Status // of other processes' journals that this one delivers, or has left to others, whose sinks they still wait for
}

// SinkStatus is how one sink is doing.
type SinkStatus struct {
	Name        string
	Required    bool
	State       SinkState
	Exported    uint64        // records that the exporter confirmed, with the trail's own
	Dropped     uint64        // records that this sink does not get, or may not have got: given up, refused, too far behind
	DeadLetters uint64        // set aside since the trail was opened: records that the exporter will never take, with a journal; they count as dropped
	Waiting     int           // records that are queued or under way; with a journal, those that it has not got
	Oldest      time.Duration // how long the oldest of them waits; without a journal, of a best-effort sink or the trail's opening only
	LastError   error         // the latest failure, also when it has passed
	LastErrorAt time.Time
}

// Healthy reports whether every required sink is running.
func (s Status) Healthy() bool {
	for _, sink := range s.Sinks {
		if sink.Required && sink.State != Running {
			return false
		}
	}
	return true
}

// Status returns how the trail is doing now.
func (t *Trail) Status() Status {
	stats := t.recorder.Stats()
	status := Status{
		Emitted:       t.emitted.Load(),
		Ignored:       stats.Ignored,
		UnknownActors: stats.UnknownActors,
		AheadOfClock:  stats.AheadOfClock,
	}
	t.store.status(&status)
	return status
}

func (s *sink) status() SinkStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.outlet.status()
	status.Waiting = s.waiting()
	oldest := s.queue.head
	if len(s.underWay) > 0 {
		oldest = s.underWay[0]
	}
	if oldest != nil && !oldest.since.IsZero() {
		status.Oldest = time.Since(oldest.since)
	}
	return status
}

// waiting is the number of records queued or under way. Called with mu held.
func (s *sink) waiting() int {
	n := s.queue.records
	for _, p := range s.underWay {
		n += len(p.records)
	}
	return n
}
