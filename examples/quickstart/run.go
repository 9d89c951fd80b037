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
	"github.com/rj-gamer/go-activity-tracker/query"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

type config struct {
	dir   string // the journal's
	serve bool
	addr  string // where to listen with serve

	hashIterations int // what a password costs whoever tries it
}

// run is the program.
func run(ctx context.Context, c config, out io.Writer, start startPostgres) (err error) {
	began := time.Now()
	db, err := openDatabase(ctx, start)
	switch {
	case errors.Is(err, localpg.ErrNotInstalled):
		db = nil
	case err != nil:
		return err
	default:
		defer func() { err = errors.Join(err, db.close(ctx)) }()
	}
	sayWhere(out, c.dir, db)

	t, err := openTrail(ctx, c.dir, sinks(out, db))
	if err != nil {
		return err
	}
	otelaudit.SetDefault(t)
	// The trail is the last to be closed of what records, and the first of what stores: then nothing is under way any more.
	if err := errors.Join(serve(ctx, c, out, t, db), t.Close()); err != nil {
		return err
	}

	n, err := count(ctx, t, db, began)
	if err != nil {
		return err
	}
	sayWhatWasLeft(out, t.Status())
	fmt.Fprintf(out, "\nquickstart: %v\n", n)
	return n.check(db)
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
	if err := tellStory(ctx, out, server.url, func(ctx context.Context) error { return flush(ctx, t) }); err != nil {
		return err
	}
	var records query.Reader = t // reads the journal, all of it for each question
	if db != nil {
		records = db.exporter // asks the table, which has indexes
	}
	if err := ask(ctx, out, records, began); err != nil {
		return err
	}
	if !c.serve {
		return nil
	}
	fmt.Fprintf(out, howToCurl, server.url)
	fmt.Fprintf(out, howToTail, c.dir)
	if db != nil {
		fmt.Fprint(out, db.howToLook)
	}
	return server.wait(ctx)
}
