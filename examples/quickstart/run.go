package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

type config struct {
	serve bool
	addr  string // where to listen with serve

	hashIterations int // what a password costs whoever tries it
}

// run is the program. It ends with two counts that nothing connects but the trail: what Track confirmed, and what the table has.
func run(ctx context.Context, c config, out io.Writer, start startPostgres) (err error) {
	began := time.Now()
	db, err := openDatabase(ctx, start)
	switch {
	case errors.Is(err, localpg.ErrNotInstalled):
		fmt.Fprintf(out, "There is no Postgres here, so the activities are only printed. To have them in a table:\n%v\n\n", err)
	case err != nil:
		return err
	default:
		defer func() { err = errors.Join(err, db.close(ctx)) }()
		fmt.Fprintf(out, "The activity table is in %s.\n\n", db.where)
	}

	us, err := identify(ctx)
	if err != nil {
		return err
	}
	t, err := openTrail(ctx, us, sinks(out, db))
	if err != nil {
		return err
	}
	otelaudit.SetDefault(t)
	// The trail is the last to be closed of what records, and the first of what stores: then nothing is under way any more.
	if err := errors.Join(serve(ctx, c, out, t, db), t.Close()); err != nil {
		return err
	}

	tracked := t.Status().Emitted
	var stored uint64
	if db != nil {
		if stored, err = db.count(ctx, us.instance(), began); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nquickstart: tracked=%d postgres=%d\n", tracked, stored)
	if db != nil && tracked != stored {
		return fmt.Errorf("the trail confirmed %d records, and the table has %d", tracked, stored)
	}
	return nil
}

// serve answers requests, first those of the story. It returns when that is told, or with c.serve when ctx ends.
func serve(ctx context.Context, c config, out io.Writer, t *trail.Trail, db *database) (err error) {
	// For an activity to carry the ids of its trace there must be one; an exporter is not needed for that.
	tracers := sdktrace.NewTracerProvider()
	otel.SetTracerProvider(tracers)
	defer func() { err = errors.Join(err, tracers.Shutdown(context.WithoutCancel(ctx))) }()

	addr := "127.0.0.1:0" // any free port
	if c.serve {
		addr = c.addr
	}
	server, err := listen(ctx, addr, newAPI(demoUsers(c.hashIterations), providerDown).handler())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.close(ctx)) }()

	began := time.Now()
	if err := tellStory(ctx, out, server.url, t.ForceFlush); err != nil {
		return err
	}
	if db != nil {
		if err := ask(ctx, out, db.exporter, began); err != nil {
			return err
		}
	}
	if !c.serve {
		return nil
	}
	fmt.Fprintf(out, howToCurl, server.url)
	if db != nil {
		fmt.Fprint(out, db.howToLook)
	}
	return server.wait(ctx)
}
