package main

import (
	"context"
	"flag"
	"io"
)

// command is what the command line names: a group of further commands, or what to do.
type command struct {
	name     string
	operands []string // what must follow the flags, or stand between them: DIR, NAME
	summary  string   // a line for the list of the group
	text     string   // the rest of what -h says
	group    []*command
	define   func(*flag.FlagSet) action // nil for a group
}

// action does what a command is for, with as many operands as it wants.
type action func(ctx context.Context, s *streams, operands []string) error

// streams are where a command writes: results, and what else there is to say.
type streams struct{ out, err io.Writer }

// find returns the command of that name, or nil.
func (c *command) find(name string) *command {
	for _, sub := range c.group {
		if sub.name == name {
			return sub
		}
	}
	return nil
}

// commands is all there is.
func commands() *command {
	return &command{
		name: "otelaudit",
		text: "operates an audit trail.",
		group: []*command{{
			name:    "journal",
			summary: "look into a journal on disk, deliver what is left in it",
			text: `looks into a journal, the directory in which a process keeps records until every sink has them
(trail.Config.Dir), or delivers what a process left there.

inspect, tail and dead-letters only read, and may be used beside the process that has the journal open. deliver, skip
and forget need it for themselves.`,
			group: []*command{inspectCommand(), tailCommand(), deliverCommand(), skipCommand(), forgetCommand(), deadLettersCommand()},
		}},
	}
}
