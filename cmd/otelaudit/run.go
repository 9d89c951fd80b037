package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// The exit statuses.
const (
	fine  = 0
	fault = 1 // a fault was found, or work is left
	wrong = 2 // the command line is wrong
)

// errFault makes the exit status 1 where the output has said why.
var errFault = errors.New("see the output")

// usageError is a wrong command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// run does what args say, and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	path, c := "", commands()
	for {
		if path += c.name; c.define != nil {
			break
		}
		if len(args) == 0 {
			fmt.Fprint(stderr, help(c, path, nil))
			return wrong
		}
		name := args[0]
		args = args[1:]
		if sub := c.find(name); sub != nil {
			path, c = path+" ", sub
			continue
		}
		if isHelp(name) {
			fmt.Fprint(stdout, help(c, path, nil))
			return fine
		}
		fmt.Fprintf(stderr, "%s: there is no command %q; %[1]s -h lists them\n", path, name)
		return wrong
	}
	return runCommand(ctx, c, path, args, &streams{stdout, stderr})
}

func runCommand(ctx context.Context, c *command, path string, args []string, s *streams) int {
	flags := flag.NewFlagSet(path, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // what it would say is said below
	do := c.define(flags)
	operands, err := parse(flags, args, c.operands)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(s.out, help(c, path, flags))
		return fine
	}
	if err == nil {
		err = do(ctx, s, operands)
	}
	var usage *usageError
	switch {
	case err == nil:
		return fine
	case errors.As(err, &usage):
		fmt.Fprintf(s.err, "%s: %v; %s -h says more\n", path, err, path)
		return wrong
	case errors.Is(err, errFault):
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		complain(s.err, errors.New("interrupted"))
	default:
		complain(s.err, err)
	}
	return fault
}

// complain says what went wrong. Errors may hold what the world has sent; those of several lines keep them.
func complain(w io.Writer, err error) {
	lines := strings.Split(strings.TrimPrefix(err.Error(), "otelaudit: "), "\n")
	for i := range lines {
		lines[i] = visible(strings.ReplaceAll(lines[i], "\t", "  "))
	}
	fmt.Fprintf(w, "otelaudit: %s\n", strings.Join(lines, "\n"))
}
