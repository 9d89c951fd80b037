// Command quickstart is a small invoices API whose activities are recorded: it runs through a story, over HTTP, and then
// asks who did what.
//
//	go run ./examples/quickstart          # the story
//	go run ./examples/quickstart -serve   # the story, and then your own requests
//
// Each activity is on disk (fsync), in the journal in -dir, when its Track returns. From there it goes into the activity table:
// in the Postgres that OTELAUDIT_POSTGRES_URL names, or else in a private one, which vanishes at the end. Without any Postgres
// the journal alone serves. It stays, and a later run with OTELAUDIT_POSTGRES_URL brings all that it holds into the table.
//
// The last line is "quickstart: tracked=N postgres=N journal=N": how many records of this run Track confirmed, how many of them
// the table has, and how many the journal, both read anew at the end. Where one is missing the exit status is 1.
//
// Where to look: api.go has the routes, and each handler says what it does and records; invoice.go has the tags that say what
// may be recorded of an invoice; session.go says who acts; trail.go opens the trail.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	c := config{hashIterations: 600_000} // OWASP's figure for PBKDF2 with SHA-256
	flag.StringVar(&c.dir, "dir", defaultDir(), "the journal's `directory`")
	flag.BoolVar(&c.serve, "serve", false, "stay after the story, until Ctrl-C")
	flag.StringVar(&c.addr, "addr", "127.0.0.1:8080", "where to listen with -serve")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, c, os.Stdout, localPostgres)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = context.Cause(ctx) // the signal, rather than all that it broke
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// defaultDir is where the next run finds it, from whatever directory it is started, and not in the source tree. That a cache may
// be emptied is right for a demonstration; a service's journal belongs to its data, in /var/lib for example.
func defaultDir() string {
	cache, err := os.UserCacheDir()
	if err != nil { // a container without a home
		cache = os.TempDir()
	}
	return filepath.Join(cache, "otelaudit-quickstart")
}
