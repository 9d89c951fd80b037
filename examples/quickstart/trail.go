package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rj-gamer/go-activity-tracker/exporter/stdout"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// openTrail opens the trail on its journal. What earlier runs left there for a sink goes to it now.
func openTrail(ctx context.Context, dir string, sinks []trail.Sink) (*trail.Trail, error) {
	t, err := trail.Open(ctx, trail.Config{
		Dir:     dir,
		Service: "quickstart",
		Sinks:   sinks,
		// With the middleware in front of every handler, an activity without an actor is a bug.
		Policy: otelaudit.Policy{RequireActor: true},
	})
	switch {
	case errors.Is(err, journal.ErrLocked):
		return nil, fmt.Errorf("%w: another quickstart records there; let it end, or give this one a directory of its own with -dir", journal.ErrLocked)
	case err != nil:
		return nil, fmt.Errorf("%w (-dir names another directory)", err)
	}
	return t, nil
}

// sinks are where the journal's records go. A sink's name is that of its place in the journal, also in the next run.
//
// The table is required: the journal keeps what it has not got. The console is best effort: it is nothing to keep records for.
// Neither is a Postgres that vanishes. And as it has a name of its own, another one later still gets everything.
func sinks(out io.Writer, db *database) []trail.Sink {
	console := trail.Sink{Name: "console", Exporter: stdout.NewConsole(out), BestEffort: true}
	switch {
	case db == nil:
		return []trail.Sink{console}
	case db.vanishes:
		return []trail.Sink{{Name: "private-postgres", Exporter: db.exporter, BestEffort: true}, console}
	default:
		return []trail.Sink{{Name: "postgres", Exporter: db.exporter}, console}
	}
}

const flushTimeout = 30 * time.Second

// flush returns once the table and the console have what is recorded. Track does not wait for them, so neither does a service:
// what they cannot take now, they get later.
func flush(ctx context.Context, t *trail.Trail) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	return t.ForceFlush(ctx)
}
