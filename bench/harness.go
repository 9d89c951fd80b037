package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
)

const (
	minRuns     = 6  // the fewest of which a median is taken
	defaultRuns = 10 // many short runs see through the noise better than few long ones
	longRuns    = 6  // of a benchmark whose runs are long
)

// harness lets contenders take turns, prints what was measured, and judges it.
type harness struct {
	out         io.Writer
	runs        int    // of each contender
	burst       int    // records of a burst
	quick       bool   // one short run, and nothing is judged
	profiles    string // directory for CPU profiles; "" for none
	met, missed int
}

// pick is full, or quick where the harness is.
func pick[T any](h *harness, full, quick T) T {
	if h.quick {
		return quick
	}
	return full
}

func (h *harness) printf(format string, args ...any) {
	fmt.Fprintf(h.out, format, args...) //nolint:errcheck // nobody is left to tell
}

// unit is what a figure counts.
type unit string

const (
	nsPerCall     unit = "ns/call"
	cpuNsPerCall  unit = "CPU ns/call"
	allocsPerCall unit = "allocations/call"
	bytesPerCall  unit = "bytes/call"
	rowsPerSecond unit = "rows/s"
	cpuPerRequest unit = "CPU µs/request"
	reqPerSecond  unit = "requests/s"
)

// contender is one of those that a benchmark compares.
type contender struct {
	name string
	// run measures once. profile is where a process of the contender's own is to write its profile; "" for none.
	run func(ctx context.Context, profile string) (map[unit]float64, error)
	// remote says that what counts happens in a process of the contender's own.
	remote bool
}

// results are the figures of each contender, by its name: one for each run.
type results map[string]map[unit][]float64

// inTurn runs the contenders one after the other, and that as often as the harness has runs; and once before, which does
// not count: whoever runs first would otherwise warm things up for the others.
func (h *harness) inTurn(ctx context.Context, contenders ...contender) (results, error) {
	all := results{}
	for i := range h.runs + 1 {
		for _, c := range contenders {
			figures, err := h.once(ctx, c, i)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			all.add(c.name, figures, i)
		}
	}
	return all, nil
}

// onceEach runs each contender once.
func (h *harness) onceEach(ctx context.Context, contenders ...contender) (results, error) {
	all := results{}
	for _, c := range contenders {
		figures, err := h.once(ctx, c, 1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		all.add(c.name, nil, 0)
		all.add(c.name, figures, 1)
	}
	return all, nil
}

// contest measures several contenders that take turns within one run.
type contest func(ctx context.Context) (map[string]map[unit]float64, error)

// together is inTurn for contests.
func (h *harness) together(ctx context.Context, contests ...contest) (results, error) {
	all := results{}
	for i := range h.runs + 1 {
		for j, run := range contests {
			c := contender{name: fmt.Sprintf("contest-%d", j+1), run: func(ctx context.Context, _ string) (map[unit]float64, error) {
				figures, err := run(ctx)
				for name, of := range figures {
					all.add(name, of, i)
				}
				return nil, err
			}}
			if _, err := h.once(ctx, c, i); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// add keeps the figures of a turn, but for the first.
func (r results) add(name string, figures map[unit]float64, turn int) {
	if turn == 0 {
		r[name] = map[unit][]float64{}
		return
	}
	for u, v := range figures {
		r[name][u] = append(r[name][u], v)
	}
}

func (h *harness) once(ctx context.Context, c contender, turn int) (map[unit]float64, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	runtime.GC() // what one leaves behind is not the next one's to sweep
	profile := ""
	if h.profiles != "" && turn > 0 {
		profile = filepath.Join(h.profiles, fmt.Sprintf("%s-%d.pprof", c.name, turn))
	}
	if profile == "" || c.remote {
		return c.run(ctx, profile)
	}
	stop, err := startProfile(profile)
	if err != nil {
		return nil, err
	}
	defer stop()
	return c.run(ctx, "")
}

// startProfile begins a CPU profile of this process.
func startProfile(path string) (stop func(), err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // a profile that could not be written shows when it is read
	}, nil
}

// show prints the named contenders' figures in u: the median, and the least and the most.
func (h *harness) show(r results, u unit, names ...string) {
	for _, name := range names {
		values := r[name][u]
		if len(values) == 1 {
			h.printf("  %-26s %10s  %s\n", name, number(values[0]), u)
			continue
		}
		h.printf("  %-26s %10s  (%s–%s)  %s\n", name, number(median(values)), number(slices.Min(values)), number(slices.Max(values)), u)
	}
}

// goal is a bound on a ratio.
type goal struct {
	name  string
	op    string // "<=" or ">="
	value float64
}

// line judges ratio by g, and returns the line that says so. It rounds against us, and judges what it prints.
func (g goal) line(ratio float64) (line string, met bool) {
	const fuzz = 1e-9 // 0.30 is not to become 0.31 for want of a binary form
	if g.op == "<=" {
		ratio = math.Ceil(ratio*100-fuzz) / 100
		met = ratio <= g.value+fuzz
	} else {
		ratio = math.Floor(ratio*100+fuzz) / 100
		met = ratio >= g.value-fuzz
	}
	value := strconv.FormatFloat(g.value, 'f', 2, 64)
	if g.value == math.Trunc(g.value) {
		value = strconv.FormatFloat(g.value, 'f', 0, 64)
	}
	return fmt.Sprintf("bench %s %.2f goal %s %s", g.name, ratio, g.op, value), met
}

func (h *harness) judge(g goal, ratio float64) {
	line, met := g.line(ratio)
	h.printf("%s\n", line)
	switch {
	case h.quick:
	case met:
		h.met++
	default:
		h.missed++
	}
}

// judgeRatio judges the ratio of a's median to b's.
func (h *harness) judgeRatio(g goal, r results, u unit, a, b string) {
	as, bs := r[a][u], r[b][u]
	pairs := make([]float64, len(as))
	for i := range as {
		pairs[i] = as[i] / bs[i]
	}
	h.printf("  by pairs %.3f  (%.3f–%.3f)\n", median(pairs), slices.Min(pairs), slices.Max(pairs))
	h.judge(g, median(as)/median(bs))
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// number has thousands apart where they matter, and decimals where they do.
func number(v float64) string {
	if v < 100 {
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
