package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"sync/atomic"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

const usage = `usage: replay FILE…

Brings AWS CloudTrail files into the audit trail: {"Records":[…]} documents, or an event or a document on each line;
also compressed with gzip. Set OTELAUDIT_POSTGRES_URL to the database where they are to stay.
`

// The exit statuses beside 0.
const (
	exitIncomplete = 1
	exitUsage      = 2
)

// run is the program; it returns the exit status.
func run(ctx context.Context, args []string, c *console, start startPostgres) int {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	flags.SetOutput(c.errs)
	flags.Usage = func() { fmt.Fprint(c.errs, usage) }
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return exitUsage
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return exitUsage
	}
	r := &replay{console: c}
	if err := r.run(ctx, flags.Args(), start); err != nil {
		r.fail(fmt.Errorf("replay: %w", err))
	}
	if r.failures.Load() > 0 {
		return exitIncomplete
	}
	return 0
}

// replay is one run.
type replay struct {
	console  *console
	keys     *keys
	failures atomic.Int64

	read, tracked atomic.Int64 // in all files
}

// fail reports something that was not brought in.
func (r *replay) fail(err error) {
	r.failures.Add(1)
	r.console.problem("%v", err)
}

func (r *replay) run(ctx context.Context, files []string, start startPostgres) (err error) {
	url, stop, err := start(ctx, r.console.errs)
	switch {
	case ctx.Err() != nil && err != nil:
		return context.Cause(ctx) // the signal, rather than what it broke
	case err != nil:
		return err
	}
	defer func() {
		ctx, cancel := unhurried(ctx)
		defer cancel()
		err = errors.Join(err, stop(ctx))
	}()
	if r.keys, err = openKeys(ctx, url); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.keys.close(ctx)) }()

	t, err := openTrail(ctx, url)
	if err != nil {
		return err
	}
	err = errors.Join(r.bring(otelaudit.ContextWithTrail(ctx, t), files), t.Close())

	// Whatever happened, so much is there; and with the trail closed, no more can come.
	stored, fresh, countErr := r.keys.countAll(ctx)
	if countErr != nil {
		return errors.Join(err, countErr)
	}
	r.console.result("replay: %v", numbers{r.read.Load(), r.tracked.Load(), stored, fresh})
	return err
}

// bring brings in one file after the other. It returns an error where it makes no sense to go on, also that of ctx.
func (r *replay) bring(ctx context.Context, files []string) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	for number, name := range files {
		n, err := r.file(ctx, number, name, giveUp)
		if err != nil {
			return err
		}
		r.console.result("%s: %v", name, n)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

type numbers struct{ read, tracked, stored, fresh int64 }

func (n numbers) String() string {
	return fmt.Sprintf("read=%d tracked=%d stored=%d new=%d", n.read, n.tracked, n.stored, n.fresh)
}
