package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/trail"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// postgresVariable is the environment variable that names the database. Unlike a flag, it does not show in a list of processes.
const postgresVariable = "OTELAUDIT_POSTGRES_URL"

func deliverCommand() *command {
	return &command{
		name:     "deliver",
		operands: []string{"DIR"},
		summary:  "what a process left there, into Postgres",
		text: `takes what a process that is gone left in the journal in DIR to Postgres, and says how much that was. It
begins behind what the sink has got already, and moves the sink's cursor. A record is one row of the table, however
often this is run or interrupted. A record that Postgres will never take becomes a dead letter.

Nothing is removed from DIR: the service does that when it is started next, or whoever has no use for it any more.

It does not make or change tables: migrate the database first, as the service does (Exporter.Migrate of
exporter/postgres). A fault that may pass is retried until -timeout; one that somebody has to mend ends it.`,
		define: func(flags *flag.FlagSet) action {
			d := &delivery{}
			flags.StringVar(&d.url, "postgres", "", "the database's `URL` (defaults to the variable "+postgresVariable+")")
			flags.StringVar(&d.sink, "sink", "postgres", "the `name` that the sink for Postgres has in the process's trail.Config")
			flags.BoolVar(&d.begin, "new", false, "the sink is a new one: begin at the oldest record")
			flags.DurationVar(&d.timeout, "timeout", 0, "give up after this time, like 10m (default never)")
			flags.BoolVar(&d.json, "json", false, "a JSON object instead of text")
			return func(ctx context.Context, s *streams, operands []string) error {
				d.dir = operands[0]
				return d.run(ctx, s)
			}
		},
	}
}

// delivery is one run of the command.
type delivery struct {
	dir, url, sink string
	begin          bool
	timeout        time.Duration
	json           bool
}

// outcome is what deliver says at the end.
type outcome struct {
	Dir         string `json:"dir"`
	Sink        string `json:"sink"`
	Delivered   uint64 `json:"delivered"`
	DeadLetters uint64 `json:"dead_letters"` // of this run
	Left        uint64 `json:"left"`
}

func (d *delivery) run(ctx context.Context, s *streams) error {
	if d.url == "" {
		d.url = os.Getenv(postgresVariable)
	}
	switch {
	case d.url == "":
		return usagef("which database? set %s, or -postgres", postgresVariable)
	case d.sink == "" || len(d.sink) > journal.MaxNameBytes:
		return usagef("-sink: a name has 1 to %d bytes", journal.MaxNameBytes)
	case d.timeout < 0:
		return usagef("-timeout is negative")
	}
	bestEffort, err := d.check(ctx)
	if err != nil {
		return err
	}
	pg, err := postgres.Open(ctx, d.url)
	if err != nil {
		return err
	}
	if d.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	status, err := trail.Deliver(ctx, trail.Config{
		Dir:       d.dir,
		Retention: math.MaxInt64, // when anything goes is its owner's to say
		Sinks:     []trail.Sink{{Name: d.sink, Exporter: pg, BestEffort: bestEffort}},
	})
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = pg.Shutdown(late) // what was committed is committed
	return d.report(ctx, s, &status, err)
}

// check looks whether the sink is known, before a name with a typo becomes a cursor that pins the journal. It returns whether
// the sink is a best-effort one.
func (d *delivery) check(ctx context.Context) (bestEffort bool, err error) {
	if err := wholeJournalAt(d.dir); err != nil {
		return false, err
	}
	view, err := newLooker(ctx, d.dir).look()
	if err != nil {
		return false, err
	}
	readers := view.Status().Readers
	if i := slices.IndexFunc(readers, func(r journal.ReaderStatus) bool { return r.Name == d.sink }); i >= 0 {
		return !readers[i].Required, nil
	}
	if len(readers) > 0 && !d.begin {
		return false, fmt.Errorf("%s has no sink %s, but %s: name one of those with -sink, or say with -new that it is a new one",
			d.dir, printable(d.sink), readerNames(readers))
	}
	return false, nil
}

func readerNames(readers []journal.ReaderStatus) string {
	if len(readers) == 0 {
		return "none"
	}
	names := make([]string, len(readers))
	for i, r := range readers {
		names[i] = printable(r.Name)
	}
	return strings.Join(names, ", ")
}

// report says what became of it.
func (d *delivery) report(ctx context.Context, s *streams, status *trail.Status, err error) error {
	o := outcome{Dir: d.dir, Sink: d.sink}
	began := false // else there is nothing to count
	for _, sink := range status.Sinks {
		if sink.Name == d.sink {
			began = true
			o.Delivered, o.DeadLetters, o.Left = sink.Exported, sink.DeadLetters, uint64(max(0, sink.Waiting))
		}
	}
	if began {
		if err := o.write(s, d.json); err != nil {
			return err
		}
	}
	var stop *trail.StopError
	switch {
	case errors.As(err, &stop):
		return fmt.Errorf("%s takes nothing until this is mended: %w", printable(d.sink), stop)
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case err != nil:
		return explained(err, d.dir)
	case o.Left > 0 || o.DeadLetters > 0:
		return errFault
	}
	return nil
}

func (o *outcome) write(s *streams, asJSON bool) error {
	if asJSON {
		return writeJSON(s.out, o)
	}
	_, err := fmt.Fprintf(s.out, "delivered %d, dead letters %d, left %d\n", o.Delivered, o.DeadLetters, o.Left)
	if o.DeadLetters > 0 {
		complain(s.err, fmt.Errorf("the dead letters are not in %s: otelaudit journal dead-letters %s shows them and why",
			printable(o.Sink), printable(o.Dir)))
	}
	return err
}
