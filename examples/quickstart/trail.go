package main

import (
	"context"
	"fmt"
	"io"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/rj-gamer/go-activity-tracker/exporter/stdout"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// sinks are where the records go. The table is required: Track returns nil once it has the record. The console is best
// effort: a terminal that hangs must not hold up an invoice. Without a table, the console has to be the required sink,
// because a trail that nothing keeps is none.
func sinks(out io.Writer, db *database) []trail.Sink {
	console := trail.Sink{Name: "console", Exporter: stdout.NewConsole(out), BestEffort: db != nil}
	if db == nil {
		return []trail.Sink{console}
	}
	return []trail.Sink{{Name: "postgres", Exporter: db.exporter}, console}
}

func openTrail(ctx context.Context, us identity, sinks []trail.Sink) (*trail.Trail, error) {
	return trail.Open(ctx, trail.Config{
		NoJournal: true,
		Service:   "quickstart",
		Resource:  us.Resource,
		Sinks:     sinks,
		// With the middleware in front of every handler, an activity without an actor is a bug.
		Policy: otelaudit.Policy{RequireActor: true},
	})
}

// identity is who records: this process, among all that ever wrote to the same table.
type identity struct{ *resource.Resource }

func identify(ctx context.Context) (identity, error) {
	r, err := resource.New(ctx, resource.WithService()) // makes up a service.instance.id
	if err != nil {
		return identity{}, fmt.Errorf("the resource of this process: %w", err)
	}
	return identity{r}, nil
}

func (i identity) instance() string {
	id, _ := i.Set().Value(otelaudit.KeyServiceID)
	return id.AsString()
}
