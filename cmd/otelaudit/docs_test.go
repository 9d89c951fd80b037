package main

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheDocumentsCommandLines finds every command line of the document, and no subcommand without one.
func TestTheDocumentsCommandLines(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operating-the-journal.md")
	require.NoError(t, err)
	shown := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^\$ otelaudit journal (\S+) (.*)$`).FindAllStringSubmatch(string(text), -1) {
		c := commands().find("journal").find(match[1])
		require.NotNil(t, c, match[0])
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		c.define(flags)
		_, err := parse(flags, strings.Fields(match[2]), c.operands)
		require.NoError(t, err, match[0])
		shown[c.name] = true
	}
	for _, c := range commands().find("journal").group {
		require.True(t, shown[c.name], c.name)
	}
}
