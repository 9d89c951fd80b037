package main

import (
	"flag"
	"fmt"
	"strings"
)

func isHelp(arg string) bool {
	switch arg {
	case "-h", "-help", "--help", "help":
		return true
	}
	return false
}

// help is what -h says of a command at path.
func help(c *command, path string, flags *flag.FlagSet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s", path)
	if c.group != nil {
		fmt.Fprintf(&b, " COMMAND\n\n%s %s\n\n", c.name, c.text)
		for _, sub := range c.group {
			fmt.Fprintf(&b, "  %-13s %s\n", sub.name, sub.summary)
		}
		fmt.Fprintf(&b, "\n%s COMMAND -h says more.\n", path)
		return b.String()
	}
	for _, operand := range c.operands {
		fmt.Fprintf(&b, " %s", operand)
	}
	var list strings.Builder
	flags.SetOutput(&list)
	flags.PrintDefaults()
	if list.Len() > 0 {
		b.WriteString(" [flags]")
	}
	fmt.Fprintf(&b, "\n\n%s %s\n", c.name, c.text)
	if list.Len() > 0 {
		fmt.Fprintf(&b, "\nFlags:\n%s", &list)
	}
	b.WriteString("\nThe exit status is 0 where all is well, 1 where a fault was found or work is left, 2 for a wrong command line.\n")
	return b.String()
}
