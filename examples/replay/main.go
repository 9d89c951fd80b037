// Command replay brings AWS CloudTrail files into an audit trail: each event becomes one activity, with the event's own id and
// time, so that bringing the same event again changes nothing.
//
//	go run ./examples/replay FILE…
//
// A file is a document as CloudTrail delivers them ({"Records":[…]}), or has an event or a document on each line; either may be
// compressed with gzip. A broken line is reported with its number and does not stop the rest; broken JSON in a document over
// several lines does. Events go into the Postgres that OTELAUDIT_POSTGRES_URL names, or else into a private one, which vanishes
// at the end. Its last line counts the events that were read, those that the trail has confirmed, their rows in the table, and
// how many of these were not there before:
//
//	replay: read=N tracked=N stored=N new=N
//
// The exit status is 1 if anything was not brought in, and 2 if the command line is wrong.
//
// Where to look: convert.go, actor.go and outcome.go say what an event is as an activity; track.go tracks many at once.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"go.opentelemetry.io/otel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first Ctrl-C ends the replay, the second one the program
	c := newConsole(os.Stdout, os.Stderr)
	otel.SetErrorHandler(c)
	os.Exit(run(ctx, os.Args[1:], c, localPostgres))
}
