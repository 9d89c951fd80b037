package main

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"math"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

func tailCommand() *command {
	return &command{
		name:     "tail",
		operands: []string{"DIR"},
		summary:  "its records",
		text: `prints the last records of the journal in DIR, as the stdout exporter does. It changes nothing. It reads
all of the journal first (about a second for a gigabyte from memory, as long as the disk takes otherwise); with -f it
looks twice a second, and reads no more than the newest segment again, where that has changed.

What another process is writing may be shown before it is on disk (fsync), and so before its Track has returned.`,
		define: func(flags *flag.FlagSet) action {
			t := &tail{}
			flags.IntVar(&t.n, "n", 20, "how many of the last `records`; with -from, of the first ones there (then all, unless it is given)")
			flags.BoolVar(&t.follow, "f", false, "go on with what comes, until interrupted")
			flags.Uint64Var(&t.from, "from", 0, "begin with the record of this `number`")
			asJSON := flags.Bool("json", false, `JSON Lines: {"seq":…,"record":…}, the record as the stdout exporter writes it`)
			return func(ctx context.Context, s *streams, operands []string) error {
				t.dir, t.print = operands[0], newPrinter(s.out, *asJSON)
				flags.Visit(func(f *flag.Flag) { t.counted = t.counted || f.Name == "n" })
				return t.run(ctx)
			}
		},
	}
}

// tail is one run of the command.
type tail struct {
	dir     string
	n       int
	counted bool // -n was given
	from    uint64
	follow  bool

	print  *printer
	looker *looker
	next   uint64 // the number to print next
}

func (t *tail) run(ctx context.Context) error {
	if t.n < 0 {
		return usagef("-n is negative")
	}
	if err := journalAt(t.dir); err != nil {
		return err
	}
	t.looker = newLooker(ctx, t.dir)
	view, status, err := t.looker.lookTwice()
	if err != nil {
		return err
	}
	most := uint64(t.n)
	if t.from > 0 {
		t.next = t.from
		if !t.counted {
			most = math.MaxUint64
		}
	} else {
		t.next = max(status.First, status.Last+1-min(most, status.Last))
	}
	if err := t.print.begin(t.next); err != nil {
		return err
	}
	if err := t.show(ctx, view, most); err != nil {
		return err
	}
	if t.follow {
		if t.next > status.Last {
			t.looker.leaveOut()
		}
		if err := t.goOn(ctx); err != nil {
			return err
		}
	}
	if t.print.unreadable > 0 {
		return errFault
	}
	return nil
}

// show prints what view has from next on, at most so many. Where a segment has gone since it was looked at, it looks again.
func (t *tail) show(ctx context.Context, view *journal.View, most uint64) error {
	for attempt := 1; ; attempt++ {
		err := t.pass(ctx, view, &most)
		if err == nil {
			return t.print.flush()
		}
		if !errors.Is(err, fs.ErrNotExist) || attempt == vanishing {
			return explained(err, t.dir)
		}
		if view, err = t.looker.look(); err != nil {
			return err
		}
	}
}

func (t *tail) pass(ctx context.Context, view *journal.View, most *uint64) error {
	if *most == 0 {
		return nil
	}
	for r, err := range view.Records(t.next) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && r.Seq > t.next {
			err = t.print.missing(t.next, r.Seq-1)
		}
		if err == nil {
			err = t.print.journalRecord(&r)
		}
		if err != nil {
			return err
		}
		t.next = r.Seq + 1
		if *most--; *most == 0 {
			break
		}
	}
	return nil
}
