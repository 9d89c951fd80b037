package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

func forgetCommand() *command {
	return &command{
		name:     "forget",
		operands: []string{"DIR", "NAME"},
		summary:  "a sink that is gone for good",
		text: `removes the cursor of the sink NAME from the journal in DIR. A sink that is no longer configured keeps all
that it has not got, for ever: this ends it, and NAME never gets that. What no other sink needs goes when the service is
started next, or later, as its Retention says. A sink of that name that is configured again begins at the oldest record
that is left.

Nobody is asked. inspect DIR says beforehand what NAME has not got, and deliver takes it to Postgres.`,
		define: func(*flag.FlagSet) action {
			return func(ctx context.Context, s *streams, operands []string) error {
				return forget(ctx, s, operands[0], operands[1])
			}
		},
	}
}

func forget(ctx context.Context, s *streams, dir, name string) error {
	if err := wholeJournalAt(dir); err != nil {
		return err
	}
	j, err := journal.Open(journal.Config{Dir: dir, NoAppend: true, Retention: math.MaxInt64}) // when it goes is its owner's to say
	if err != nil {
		return explained(err, dir)
	}
	before := j.Status()
	err = j.Forget(name)
	if err := errors.Join(err, j.Close()); err != nil {
		if errors.Is(err, journal.ErrUnknown) {
			return unknown(dir, name)
		}
		return explained(err, dir)
	}
	view, err := newLooker(ctx, dir).look()
	if err != nil {
		return fmt.Errorf("%s is forgotten; %w", printable(name), err)
	}
	after := view.Status()
	i := slices.IndexFunc(before.Readers, func(r journal.ReaderStatus) bool { return r.Name == name })
	for _, line := range forgotten(&before.Readers[i], &before, &after) {
		if _, err := fmt.Fprintln(s.out, line); err != nil {
			return err
		}
	}
	return nil
}

// forgotten says what it means that r is gone.
func forgotten(r *journal.ReaderStatus, before, after *journal.Status) []string {
	kind := "a best-effort sink"
	if r.Required {
		kind = "a required sink"
	}
	first := fmt.Sprintf("forgot %s, %s", printable(r.Name), kind)
	if next := max(r.Seq+1, before.First); next > before.Last {
		first += " that had everything"
	} else {
		first += fmt.Sprintf(" that never gets %s", numbers(next, before.Last))
	}
	lines := []string{first}
	required, needless := false, after.Last
	for _, other := range after.Readers {
		if other.Required {
			required, needless = true, min(needless, other.Seq)
		}
	}
	switch {
	case !required:
		lines = append(lines, "no required sink is left: from now on the journal keeps everything")
	case r.Required && needless > max(r.Seq, before.First-1):
		lines = append(lines, fmt.Sprintf("no other sink needs %s: they go when the service is started next", numbers(max(r.Seq+1, before.First), needless)))
	}
	return lines
}

// unknown is the error for a sink that the journal has no cursor of.
func unknown(dir, name string) error {
	view, err := journal.Look(nil, dir)
	if err != nil {
		return explained(err, dir)
	}
	return fmt.Errorf("%s has no sink %s; it has: %s", dir, printable(name), readerNames(view.Status().Readers))
}
