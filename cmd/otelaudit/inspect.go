package main

import (
	"context"
	"flag"
	"fmt"
)

func inspectCommand() *command {
	return &command{
		name:     "inspect",
		operands: []string{"DIR"},
		summary:  "what is in it, which reader is where, is it intact",
		text: `reads all of the journal in DIR, or of each journal in DIR, and changes nothing. It says which records
are there, how far each reader (a sink's cursor) has come, and what is damaged, by sequence number. It ends with
"intact", or says what is damaged and exits 1.

"torn" is what a crash left of a write that nobody was told had succeeded, or a write under way: no fault. "damaged
before" are quarantined bytes of segments that are gone since; move those files away once they were looked at.`,
		define: func(flags *flag.FlagSet) action {
			asJSON := flags.Bool("json", false, "a JSON object for each journal")
			return func(ctx context.Context, s *streams, operands []string) error {
				return inspect(ctx, s, operands[0], *asJSON)
			}
		},
	}
}

func inspect(ctx context.Context, s *streams, dir string, asJSON bool) error {
	dirs, err := journalsAt(dir)
	if err != nil {
		return err
	}
	faults := 0
	for i, dir := range dirs {
		r, err := inspected(ctx, dir)
		if err != nil {
			if len(dirs) == 1 || ctx.Err() != nil {
				return err
			}
			complain(s.err, err) // and on to the others
			faults++
			continue
		}
		if !r.Intact {
			faults++
		}
		if asJSON {
			err = writeJSON(s.out, r)
		} else {
			if i > 0 {
				fmt.Fprintln(s.out)
			}
			err = r.write(s.out)
		}
		if err != nil {
			return err
		}
	}
	if faults > 0 {
		return errFault
	}
	return nil
}
