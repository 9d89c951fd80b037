package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrongCommandLines(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                       "Usage: otelaudit COMMAND",
		"journal":                "Usage: otelaudit journal COMMAND",
		"jurnal":                 `otelaudit: there is no command "jurnal"; otelaudit -h lists them`,
		"journal verify DIR":     `otelaudit journal: there is no command "verify"; otelaudit journal -h lists them`,
		"journal inspect":        "otelaudit journal inspect: DIR is missing; otelaudit journal inspect -h says more",
		"journal inspect a b":    `otelaudit journal inspect: "b" is one too many: want DIR;`,
		"journal inspect a -x":   "otelaudit journal inspect: flag provided but not defined: -x;",
		"journal tail a -n many": `otelaudit journal tail: invalid value "many" for flag -n: parse error;`,
		"journal tail a -n -1":   "otelaudit journal tail: -n is negative;",
		"journal deliver a -timeout -1s -postgres postgres://db/app": "otelaudit journal deliver: -timeout is negative;",
		"journal skip a":        "otelaudit journal skip: NAME is missing;",
		"journal skip a b -n 0": "otelaudit journal skip: -n: nothing to skip;",
		"journal forget a":      "otelaudit journal forget: NAME is missing;",
		"journal dead-letters":  "otelaudit journal dead-letters: DIR is missing;",

		"journal deliver a -postgres postgres://db/app -sink " + strings.Repeat("x", 65): "-sink: a name has 1 to 64 bytes;",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := otelauditCommand(t, t.TempDir(), line)
			require.Equal(t, wrong, status)
			require.Empty(t, stdout)
			require.Contains(t, stderr, want)
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"-h", "help", "--help", "journal -h", "journal help"} {
		require.Contains(t, succeed(t, t.TempDir(), line), "Usage: otelaudit", line)
	}
	for _, c := range commands().find("journal").group {
		line := "journal " + c.name + " -h"
		text := succeed(t, t.TempDir(), line)
		require.Contains(t, text, "Usage: otelaudit journal "+c.name+" DIR", line)
		require.Contains(t, text, c.text, line)
		require.Contains(t, succeed(t, t.TempDir(), "journal -h"), c.name+" ", "listed")
		require.Equal(t, text, succeed(t, t.TempDir(), "journal "+c.name+" DIR NAME -h"), "at the end of a line")
	}
}

func TestEveryLineOfTheHelpFitsATerminal(t *testing.T) {
	t.Parallel()
	for _, c := range commands().find("journal").group {
		for line := range strings.Lines(succeed(t, t.TempDir(), "journal "+c.name+" -h")) {
			require.LessOrEqual(t, len([]rune(line)), 141, line)
		}
	}
}

func TestFlagsStandAnywhere(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	want := succeed(t, dir, "journal tail -json -n 2 DIR")
	require.Equal(t, want, succeed(t, dir, "journal tail DIR -json -n 2"))
	require.Equal(t, want, succeed(t, dir, "journal tail -n 2 DIR -json"))
	require.Equal(t, want, succeed(t, dir, "journal tail -n=2 -json -- DIR"))
	require.Contains(t, fail(t, dir, "journal forget DIR -- -json"), "has no sink -json; it has: postgres, stdout")
}

func TestDirectoriesThatAreNoJournal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ dir, want string }{
		"missing":        {"DIR/gone", "otelaudit: DIR/gone does not exist: name the directory that trail.Config.Dir or ParentDir names\n"},
		"empty":          {"DIR/empty", "otelaudit: DIR/empty is no journal, and has none in it: name the directory that trail.Config.Dir or ParentDir names\n"},
		"something else": {"DIR/file", "otelaudit: open DIR/file: not a directory\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir+"/empty/sub/file", "")
			write(t, dir+"/file", "")
			before := snapshot(t, dir)
			for _, line := range []string{"inspect", "tail", "tail -f", "deliver -postgres postgres://db/app", "skip NAME", "forget NAME", "dead-letters"} {
				command, rest, _ := strings.Cut(line, " ")
				got := fail(t, dir, "journal "+command+" "+test.dir+" "+rest)
				require.Equal(t, strings.ReplaceAll(test.want, "open ", ""), strings.ReplaceAll(got, "open ", ""), line)
			}
			require.Equal(t, before, snapshot(t, dir), "something was made")
		})
	}
}

func TestAnInterruptedCommandEnds(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, line := range []string{"inspect", "tail", "deliver -postgres postgres://127.0.0.1:1/app"} {
		var stdout, stderr bytes.Buffer
		command, rest, _ := strings.Cut(line, " ")
		args := append([]string{"journal", command, dir}, strings.Fields(rest)...)
		require.Equal(t, fault, run(ctx, args, &stdout, &stderr), line)
		require.Equal(t, "otelaudit: interrupted\n", stderr.String(), line)
		require.Empty(t, stdout.String())
	}
}
