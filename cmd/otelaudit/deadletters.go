package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/rj-gamer/go-activity-tracker/trail"
)

func deadLettersCommand() *command {
	return &command{
		name:     "dead-letters",
		operands: []string{"DIR"},
		summary:  "the records that were set aside",
		text: `prints the records of the journal in DIR that a sink does not get, in the order in which they were set aside,
because it will never take them or because somebody skipped them: number, sink, since when, why, and the record.

They stay there: the only copy, where no other sink has them.`,
		define: func(flags *flag.FlagSet) action {
			asJSON := flags.Bool("json", false,
				`JSON Lines: {"journal":…,"sink":…,"seq":…,"time":…,"reason":…,"record":…}, the record as the stdout exporter writes it`)
			return func(ctx context.Context, s *streams, operands []string) error {
				return printDeadLetters(ctx, s, operands[0], *asJSON)
			}
		},
	}
}

func printDeadLetters(ctx context.Context, s *streams, dir string, asJSON bool) error {
	if err := journalAt(dir); err != nil {
		return err
	}
	p, n := newPrinter(s.out, asJSON), 0
	for letter, err := range trail.DeadLetters(dir) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = p.deadLetter(&letter)
		}
		if err != nil {
			return explained(err, dir)
		}
		n++
	}
	if err := p.flush(); err != nil {
		return err
	}
	if n == 0 && !asJSON {
		fmt.Fprintln(s.out, "none")
	}
	if p.unreadable > 0 {
		return errFault
	}
	return wholeDeadLetters(ctx, dir)
}

// wholeDeadLetters checks that none of the dead letters is missing.
func wholeDeadLetters(ctx context.Context, dir string) error {
	_, status, err := newLooker(ctx, filepath.Join(dir, deadLettersName)).lookTwice()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && status.Lost() > 0:
		err = fmt.Errorf("%s lost: otelaudit journal inspect %s says more", plural(status.Lost(), "dead letter is", "dead letters are"), printable(dir))
	}
	return err
}
