package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// startPostgres gives a Postgres to write to, and says on the writer what people should know of it.
type startPostgres func(context.Context, io.Writer) (url string, stop func(context.Context) error, err error)

func localPostgres(ctx context.Context, messages io.Writer) (string, func(context.Context) error, error) {
	server, err := localpg.Start(ctx, localpg.Config{})
	if err != nil {
		return "", nil, err
	}
	if !server.Named() {
		fmt.Fprintln(messages, "replay: using a private Postgres, which vanishes at the end; "+
			"to keep the data, set OTELAUDIT_POSTGRES_URL to a database of yours")
	}
	return server.URL(), server.Stop, nil
}

func openTrail(ctx context.Context, url string) (*trail.Trail, error) {
	pg, err := postgres.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	// Makes the schema and the table, or does nothing. The partitions of the months that events lie in come with the events.
	if err := pg.Migrate(ctx); err != nil {
		return nil, errors.Join(err, pg.Shutdown(context.WithoutCancel(ctx)))
	}
	t, err := trail.Open(ctx, trail.Config{
		// The files are kept anyway, and bringing them in again changes nothing: a journal would be another copy of them. Without
		// one Track returns when the event is in the table, so what is counted as tracked is there.
		NoJournal: true,
		Service:   "replay",
		Sinks:     []trail.Sink{{Name: "postgres", Exporter: pg}}, // shuts pg down with itself
	})
	if err != nil {
		return nil, errors.Join(err, pg.Shutdown(context.WithoutCancel(ctx)))
	}
	return t, nil
}

// unhurried is a context for what is still done after Ctrl-C.
func unhurried(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
}
