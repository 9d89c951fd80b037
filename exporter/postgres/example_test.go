package postgres_test

import (
	"context"
	"fmt"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// A table, a trail into it, and what it answers to "who touched invoice 42".
func Example() {
	ctx := context.Background()
	dsn, remove := database(ctx) // "postgres://app@db/billing"
	defer remove()

	pg, err := postgres.Open(ctx, dsn)
	check(err)
	check(pg.Migrate(ctx))
	t, err := trail.Open(ctx, trail.Config{
		NoJournal: true,
		Service:   "billing",
		Sinks:     []trail.Sink{{Name: "postgres", Exporter: pg}},
	})
	check(err)
	defer t.Close() // and pg with it
	ctx = otelaudit.ContextWithTrail(ctx, t)

	check(otelaudit.Track(ctx, otelaudit.Activity{
		Action: "invoice.approve",
		Actor:  otelaudit.User("u-7"),
		Target: otelaudit.Target{Type: "invoice", ID: "42"},
		Reason: "within the approver's limit",
	}))

	page, err := pg.Query(ctx, query.Filter{Target: otelaudit.Target{Type: "invoice", ID: "42"}}, query.PageRequest{})
	check(err)
	for _, r := range page.Records {
		fmt.Println(r.Actor.Type, r.Actor.ID, r.Action, r.Outcome+":", r.Reason)
	}
	// Output: user u-7 invoice.approve success: within the approver's limit
}

// Open needs no server: a service starts while its database is down.
func ExampleOpen() {
	pg, err := postgres.Open(context.Background(), "postgres://app@db.invalid/billing")
	fmt.Println(err)
	fmt.Println(pg.Shutdown(context.Background()))
	// Output:
	// <nil>
	// <nil>
}

// database is an empty one for an example.
func database(ctx context.Context) (dsn string, remove func()) {
	server, err := localpg.Start(ctx, localpg.Config{})
	check(err)
	dsn, drop, err := server.CreateDatabase(ctx)
	check(err)
	return dsn, func() {
		check(drop(ctx))
		check(server.Stop(ctx))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
