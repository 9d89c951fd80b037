// Command quickstart is a small invoices API whose activities are recorded: it runs through a story, over HTTP, and then
// asks the activity table who did what.
//
//	go run ./examples/quickstart          # the story
//	go run ./examples/quickstart -serve   # the story, and then your own requests
//
// The table is in the Postgres that OTELAUDIT_POSTGRES_URL names, or else in a private one, which vanishes at the end.
// Without any, the activities are only printed.
//
// Its last line is "quickstart: tracked=N postgres=N": how many records Track confirmed, and how many of them the table has.
// Where they differ, the exit status is 1.
//
// Where to look: api.go has the routes, and each handler says what it does and records; invoice.go has the tags that say what
// may be recorded of an invoice; session.go says who acts; trail.go opens the trail.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	c := config{hashIterations: 600_000} // OWASP's figure for PBKDF2 with SHA-256
	flag.BoolVar(&c.serve, "serve", false, "stay after the story, until Ctrl-C")
	flag.StringVar(&c.addr, "addr", "127.0.0.1:8080", "where to listen with -serve")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, c, os.Stdout, localPostgres)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // the signal, rather than all that it broke
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}
