// Command bench measures otelaudit beside its rivals, and says whether it meets its goals.
//
//	make bench                                # from the root of the repository: everything, about a quarter of an hour
//	go run . -h                               # the benchmarks, and how long each takes
//	go run . -run 'track|http'                # some
//	go run . -run journal_vs_disk -runs 20    # one, with more runs, where the machine is noisy
//	go run . -run http -profile /tmp/profiles # a CPU profile of each run, for go tool pprof
//
// Absolute figures belong to the machine; ratios travel. So nothing is measured alone: the contenders of a benchmark take
// turns, one run each, ten times unless told otherwise, six times where a run is long, and a ratio is that of the medians. What
// disturbs the machine for a while disturbs them all. Above each ratio stand the figures that it comes from: the median, and in
// brackets the least and the most. "By pairs" are the ratios of the single turns, which show how much the ratio itself is to be
// trusted.
//
// A ratio is a line of its own,
//
//	bench NAME RATIO goal OP VALUE
//
// rounded to two decimals against us, and judged as it is printed. The exit status is 0 when all goals are met, 1 when one is
// missed, and 2 when something could not be measured.
//
// # What is measured
//
//   - track_vs_sdk, track_allocs: what one Track costs its caller, as against handing the same attributes to the OTel SDK
//     (track.go). For orientation, what loggers take that promise nothing.
//   - journal_vs_disk, journal_p50_vs_disk, journal_p99_vs_disk: what the journal adds to the disk, as against a bare group
//     commit, and a bare write and fdatasync (disk.go). For orientation bbolt, raft-wal and SQLite.
//   - postgres_vs_copy_1, postgres_vs_copy_2: how close the Postgres exporter comes to COPY written by hand, on one and on two
//     connections (postgres.go).
//   - end_to_end_vs_copy, drain_vs_copy: how close the whole way from Track through the journal to the table comes to COPY
//     written by hand, and the delivery of what an earlier process has left (delivery.go).
//   - http_cpu_vs_otelhttp, http_rps_vs_otelhttp: what the middleware and one Track add to a server that has otelhttp
//     (http.go).
//   - http_rps_vs_insert, http_p99_vs_insert_stalled: a server whose requests leave a durable record, as against one that
//     INSERTs a row and commits, also while Postgres is stopped from time to time (durable.go).
//   - burst_kept: what is left of a burst that comes faster than it can be exported, and what that costs (burst.go).
//   - extract_hmac_vs_bare, extract_ed25519_vs_bare, extract_cached_vs_ed25519: what a receiver pays for a signed actor, as
//     against OTel's baggage and the bare check of the signature (extract.go).
//
// Postgres is the one that OTELAUDIT_POSTGRES_URL names, or a private one that is started and removed; where it is stopped
// from time to time it is always a private one. Journals are in $TMPDIR, or else in /var/tmp: see that this is a disk. HTTP goes
// over the loopback interface, to a server in a process of its own. Everything is bounded in count, and ends by itself. Needs
// Unix.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// benchmark is what one or several goals come from.
type benchmark struct {
	goals []goal
	takes string // about how long, with the runs that it has by default
	long  bool   // its runs are long, so there are fewer of them
	run   func(context.Context, *harness) error
}

func (b *benchmark) defaultRuns() int {
	if b.long {
		return longRuns
	}
	return defaultRuns
}

func benchmarks() []benchmark {
	return []benchmark{
		trackBenchmark(),
		diskBenchmark(), latencyBenchmark(),
		postgresBenchmark(1), postgresBenchmark(2), endToEndBenchmark(), drainBenchmark(),
		httpBenchmark(), durableBenchmark(), stalledBenchmark(),
		burstBenchmark(),
		extractBenchmark(),
	}
}

const (
	exitMissed = 1
	exitFailed = 2
)

func main() {
	if isServer() {
		exitOn(serve(os.Stdin, os.Stdout))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	h, err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	exitOn(err)
	if h != nil && h.missed > 0 {
		os.Exit(exitMissed)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(exitFailed)
	}
}

// run measures what args ask for. It returns no harness where they only ask for help.
func run(ctx context.Context, args []string, out io.Writer) (*harness, error) {
	h := &harness{out: out}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("run", "", "only benchmarks with a goal whose name matches this `regexp`")
	runs := flags.Int("runs", 0, fmt.Sprintf("how many times each contender runs (default %d; %d where a run is long)", defaultRuns, longRuns))
	flags.IntVar(&h.burst, "burst", 1_000_000, "how many records burst_kept sends")
	flags.BoolVar(&h.quick, "quick", false, "one short run of everything, to see that it works: nothing is judged")
	flags.StringVar(&h.profiles, "profile", "", "write CPU profiles into this `directory`")
	flags.Usage = func() { usageText(flags) }
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil, nil //nolint:nilnil // no error, and nothing to measure
	case err != nil:
		return nil, err
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *runs != 0 && *runs < minRuns:
		return nil, fmt.Errorf("-runs %d: a median of fewer than %d runs says nothing", *runs, minRuns)
	case h.burst < 1:
		return nil, fmt.Errorf("-burst %d: want at least one record", h.burst)
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	if h.profiles != "" {
		if err := os.MkdirAll(h.profiles, 0o755); err != nil {
			return nil, err
		}
	}
	h.printf("%s %s/%s, GOMAXPROCS %d\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	for _, b := range benchmarks() {
		if !slices.ContainsFunc(b.goals, func(g goal) bool { return wanted.MatchString(g.name) }) {
			continue
		}
		h.runs = pick(h, cmp.Or(*runs, b.defaultRuns()), 1)
		if err := b.run(ctx, h); err != nil {
			return nil, fmt.Errorf("%s: %w", b.goals[0].name, err)
		}
	}
	if h.quick {
		h.printf("\nbench: quick, nothing is judged\n")
	} else {
		h.printf("\nbench: %d goals met, %d missed\n", h.met, h.missed)
	}
	return h, nil
}

// usageText says what there is to run, and how long that takes.
func usageText(flags *flag.FlagSet) {
	out := flags.Output()
	fmt.Fprintf(out, "go run . [flags]: measures otelaudit beside its rivals (go doc . says more). The benchmarks, by their goals,\n"+ //nolint:errcheck // nobody is left to tell
		"and about how long each takes on two processors:\n\n")
	for _, b := range benchmarks() {
		var goals []string
		for _, g := range b.goals {
			goals = append(goals, g.name)
		}
		fmt.Fprintf(out, "  %-6s  %s\n", b.takes, strings.Join(goals, ", ")) //nolint:errcheck // likewise
	}
	fmt.Fprintf(out, "\nFlags:\n") //nolint:errcheck // likewise
	flags.PrintDefaults()
}
