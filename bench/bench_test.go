package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	if isServer() { // a benchmark of HTTP starts this program again
		exitOn(serve(os.Stdin, os.Stdout))
		return
	}
	os.Exit(m.Run())
}

// Each benchmark runs through and prints its lines, so that none rots. What the lines say means nothing here.
func TestQuick(t *testing.T) {
	t.Parallel()
	for _, b := range benchmarks() {
		t.Run(b.goals[0].name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			h, err := run(t.Context(), []string{"-quick", "-run", "^" + b.goals[0].name + "$"}, &out)
			require.NoError(t, err)
			require.Zero(t, h.missed)
			for _, g := range b.goals {
				require.Regexp(t, `(?m)^bench `+regexp.QuoteMeta(g.name)+` \d+\.\d\d goal [<>]= \d+(\.\d\d)?$`, out.String())
			}
		})
	}
}

func TestGoalsAreJudgedAsPrinted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		goal  goal
		ratio float64
		line  string
		met   bool
	}{
		{goal{"a", "<=", 0.30}, 0.30, "bench a 0.30 goal <= 0.30", true},
		{goal{"a", "<=", 0.30}, 0.3001, "bench a 0.31 goal <= 0.30", false},
		{goal{"b", ">=", 0.80}, 0.80, "bench b 0.80 goal >= 0.80", true},
		{goal{"b", ">=", 0.80}, 0.7999, "bench b 0.79 goal >= 0.80", false},
		{goal{"c", "<=", 4}, 4, "bench c 4.00 goal <= 4", true},
		{goal{"c", "<=", 4}, 4.001, "bench c 4.01 goal <= 4", false},
	} {
		line, met := c.goal.line(c.ratio)
		require.Equal(t, c.line, line)
		require.Equal(t, c.met, met, line)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-runs", "5"}, {"-run", "("}, {"track"}, {"-nonsense"}} {
		_, err := run(t.Context(), args, new(strings.Builder))
		require.Error(t, err, args)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 2.0, median([]float64{9, 1, 2}), 0)
	require.InDelta(t, 2.5, median([]float64{9, 1, 2, 3}), 0)
}
