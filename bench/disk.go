package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// What the journal adds to the disk, with records of 500 bytes, about what an activity has.
//
// journal_vs_disk: records a second of 256 goroutines that each append a record and wait until it is on disk, against the
// least that a group commit can be (group.go), into a file of the same kind, reserved and filled with zeros beforehand, with
// the same write and the same fdatasync (disklog.go). The journal numbers its records, puts frames and CRCs around them, sees
// after each fdatasync that the file still has its name, bounds time and memory, and tells readers.
//
// No segment is rolled within that: both have their file made before. What they do that go on and on, each making its next file
// meanwhile in the same way, stands below it.
//
// journal_p50_vs_disk, journal_p99_vs_disk: what one goroutine waits that appends one record after the other, against a write
// and an fdatasync in that goroutine itself. The two take turns record by record.
//
// For orientation, the same with what somebody would take who needs a log on disk (rivallogs.go).
func diskBenchmark() benchmark {
	const ours, bare = "journal", "bare group commit"
	const oursOn, bareOn = "journal, rolling", "bare group commit, rolling"
	const bolt, raft, sqlite = "bbolt", "raft-wal", "SQLite"
	g := goal{"journal_vs_disk", ">=", 0.85}
	return benchmark{goals: []goal{g}, takes: "1 min", run: func(ctx context.Context, h *harness) error {
		n := pick(h, segmentRecords, 2*appenders)
		r, err := h.inTurn(ctx,
			contender{name: ours, run: appends(n, openJournal)},
			contender{name: bare, run: appends(n, openBare)},
			contender{name: oursOn, run: appends(3*n, openJournal)},
			contender{name: bareOn, run: appends(3*n, openRollingBare)},
			contender{name: bolt, run: appends(n/4, openBolt)},
			contender{name: raft, run: appends(n/4, openRaftWAL)},
			contender{name: sqlite, run: appends(n/4, openSQLite)},
		)
		if err != nil {
			return err
		}
		h.printf("\n%s: records of %d bytes, %d goroutines that each wait for their own\n", g.name, recordBytes, appenders)
		h.show(r, recordsPerSecond, ours, bare)
		h.printf("  for orientation:\n")
		h.show(r, cpuNsPerCall, ours, bare)
		h.show(r, recordsPerSecond, oursOn, bareOn, bolt, raft, sqlite)
		h.judgeRatio(g, r, recordsPerSecond, ours, bare)
		return nil
	}}
}

func latencyBenchmark() benchmark {
	const ours, bare = "journal", "write and fdatasync"
	const bolt, raft, sqlite = "bbolt", "raft-wal", "SQLite"
	p50 := goal{"journal_p50_vs_disk", "<=", 1.25}
	p99 := goal{"journal_p99_vs_disk", "<=", 1.5}
	return benchmark{goals: []goal{p50, p99}, takes: "1 min", run: func(ctx context.Context, h *harness) error {
		n := pick(h, 3000, 16)
		r, err := h.together(ctx,
			appendsByTurns(n, contestant{ours, openJournal}, contestant{bare, openDirect}),
			appendsByTurns(n/4, contestant{bolt, openBolt}, contestant{raft, openRaftWAL}, contestant{sqlite, openSQLite}),
		)
		if err != nil {
			return err
		}
		h.printf("\n%s: one goroutine, %s records of %d bytes a run, by turns\n", p50.name, number(float64(n)), recordBytes)
		h.show(r, medianMicros, ours, bare)
		h.printf("  for orientation:\n")
		h.show(r, medianMicros, bolt, raft, sqlite)
		h.judgeRatio(p50, r, medianMicros, ours, bare)
		h.printf("\n%s: likewise\n", p99.name)
		h.show(r, p99Micros, ours, bare)
		h.printf("  for orientation:\n")
		h.show(r, p99Micros, bolt, raft, sqlite)
		h.judgeRatio(p99, r, p99Micros, ours, bare)
		return nil
	}}
}

const (
	recordsPerSecond unit = "records/s"
	medianMicros     unit = "µs, median"
	p99Micros        unit = "µs, p99"

	recordBytes    = 500
	appenders      = 256
	segmentRecords = 50_000 // that fit into a segment with their frames
)

// appends measures a log to which many goroutines append.
func appends(n int, open openLog) func(context.Context, string) (map[unit]float64, error) {
	return func(ctx context.Context, _ string) (figures map[unit]float64, err error) {
		err = inDirectory(func(dir string) (err error) {
			l, err := open(ctx, dir, n+appenders)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, l.close()) }()
			if _, err := appendAll(ctx, l, appenders); err != nil { // buffers find their size
				return err
			}
			cpu, err := cpuTime()
			if err != nil {
				return err
			}
			took, err := appendAll(ctx, l, n)
			if err != nil {
				return err
			}
			spent, err := cpuTime()
			figures = map[unit]float64{
				recordsPerSecond: float64(n) / took.Seconds(),
				cpuNsPerCall:     float64((spent - cpu).Nanoseconds()) / float64(n),
			}
			return err
		})
		return figures, err
	}
}

// appendAll has the appenders append n records.
func appendAll(ctx context.Context, l diskLog, n int) (time.Duration, error) {
	ctx = context.WithoutCancel(ctx) // as Track does
	errs := make([]error, appenders)
	var all sync.WaitGroup
	started := time.Now()
	for i := range appenders {
		share := n / appenders
		if i < n%appenders {
			share++
		}
		all.Go(func() {
			record, answer := makeRecord(i), make(chan error, 1)
			for range share {
				if errs[i] = l.append(ctx, record, answer); errs[i] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(started), errors.Join(errs...)
}

// contestant is a log that takes turns with others within one run.
type contestant struct {
	name string
	open openLog
}

// appendsByTurns measures how long each append takes of one goroutine that appends n records to each log, by turns.
func appendsByTurns(n int, contestants ...contestant) contest {
	return func(ctx context.Context) (figures map[string]map[unit]float64, err error) {
		ctx = context.WithoutCancel(ctx)
		waits := make([][]time.Duration, len(contestants))
		logs := make([]diskLog, len(contestants))
		err = inDirectories(len(contestants), func(dirs []string) (err error) {
			for i, c := range contestants {
				if logs[i], err = c.open(ctx, dirs[i], n); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				defer func() { err = errors.Join(err, logs[i].close()) }()
			}
			record, answer := makeRecord(0), make(chan error, 1)
			for range n {
				for i, l := range logs {
					began := time.Now()
					if err := l.append(ctx, record, answer); err != nil {
						return fmt.Errorf("%s: %w", contestants[i].name, err)
					}
					waits[i] = append(waits[i], time.Since(began))
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		figures = map[string]map[unit]float64{}
		for i, c := range contestants {
			figures[c.name] = map[unit]float64{medianMicros: micros(waits[i], 50), p99Micros: micros(waits[i], 99)}
		}
		return figures, nil
	}
}

// micros is a percentile in microseconds. It sorts.
func micros(d []time.Duration, percent int) float64 {
	slices.Sort(d)
	return float64(d[(len(d)-1)*percent/100].Nanoseconds()) / 1e3
}
