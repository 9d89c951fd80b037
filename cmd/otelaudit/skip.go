package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/rj-gamer/go-activity-tracker/trail"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

func skipCommand() *command {
	return &command{
		name:     "skip",
		operands: []string{"DIR", "NAME"},
		summary:  "the next record past a sink that will never take it",
		text: `sets the next undelivered records of the sink NAME aside as dead letters, on disk (fsync), and moves its
cursor behind them. It is the way past a record on which a foreign exporter fails for ever and that it cannot name;
Postgres names such records, and needs no skip. inspect shows where the sink is, tail -from NUMBER what comes next.

Nothing is deleted: dead-letters shows the records. Other sinks get them as if nothing had happened.`,
		define: func(flags *flag.FlagSet) action {
			n := flags.Int("n", 1, "how many `records`")
			asJSON := flags.Bool("json", false, "JSON Lines, as of dead-letters")
			return func(_ context.Context, s *streams, operands []string) error {
				if *n < 1 {
					return usagef("-n: nothing to skip")
				}
				return skip(s, operands[0], operands[1], *n, *asJSON)
			}
		},
	}
}

func skip(s *streams, dir, name string, n int, asJSON bool) error {
	if err := wholeJournalAt(dir); err != nil {
		return err
	}
	letters, failed := trail.Skip(dir, name, n)
	p := newPrinter(s.out, asJSON)
	for i := range letters { // also of a skip that failed later: they are set aside
		if err := p.deadLetter(&letters[i]); err != nil {
			return errors.Join(explained(failed, dir), err)
		}
	}
	if err := p.flush(); err != nil {
		return errors.Join(explained(failed, dir), err)
	}
	switch {
	case errors.Is(failed, journal.ErrUnknown):
		return unknown(dir, name)
	case failed != nil:
		return explained(failed, dir)
	case !asJSON && len(letters) == 0:
		_, err := fmt.Fprintf(s.out, "nothing to skip: %s has all that there is\n", printable(name))
		return err
	case !asJSON:
		_, err := fmt.Fprintf(s.out, "%s skipped: %s goes on behind %d\n", plural(len(letters), "record", "records"),
			printable(name), letters[len(letters)-1].Seq)
		return err
	}
	return nil
}
