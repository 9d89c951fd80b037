package main

import (
	"errors"
	"flag"
	"strings"
)

// parse reads flags and operands in any order: people add -f to the end of the line. Behind "--" are operands only.
func parse(flags *flag.FlagSet, args, want []string) ([]string, error) {
	var operands []string
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usagef("%v", err)
		}
		ended := len(args) > flags.NArg() && args[len(args)-flags.NArg()-1] == "--"
		if args = flags.Args(); ended {
			operands = append(operands, args...)
			break
		}
		if len(args) > 0 {
			operands, args = append(operands, args[0]), args[1:]
		}
	}
	switch {
	case len(operands) < len(want):
		return nil, usagef("%s is missing", want[len(operands)])
	case len(operands) > len(want):
		return nil, usagef("%q is one too many: want %s", operands[len(want)], strings.Join(want, " "))
	}
	for i, operand := range operands {
		if operand == "" {
			return nil, usagef("%s is empty", want[i])
		}
	}
	return operands, nil
}
