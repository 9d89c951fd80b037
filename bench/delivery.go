package main

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/rj-gamer/go-activity-tracker/trail"
)

// The whole way, against the least that has to be done at its end: binary COPY written by hand of the same rows, that were all made
// beforehand (postgres.go), on two connections, 2,048 to a COPY, as a trail has them at most. Both on the same processors as the
// Postgres that they write to.
//
// end_to_end_vs_copy: from the first Track of 64 goroutines, in the contexts of requests, until the last row is visible: the
// records are made, encoded, on disk in the journal, read from there, decoded, and stored. The trail is as it is by default.
//
// drain_vs_copy: a trail is opened in a directory where an earlier process has left everything undelivered. The time counts from
// before that, when the journal is read and checked, until the last row is visible.
//
// That both make the same rows, but for ids and times, is checked beforehand; after each run, that none is missing or there twice.
func endToEndBenchmark() benchmark {
	const ours, bare = "Track to visible row", "COPY by hand"
	g := goal{"end_to_end_vs_copy", ">=", 0.50}
	return benchmark{goals: []goal{g}, long: true, takes: "2 min", run: func(ctx context.Context, h *harness) error {
		return withDelivery(ctx, pick(h, 200_000, 256), func(d *delivery) error {
			r, err := h.inTurn(ctx,
				contender{name: ours, run: d.endToEnd},
				contender{name: bare, run: d.contend(d.copy)},
			)
			if err != nil {
				return err
			}
			h.printf("\n%s: %s, %s rows from %d goroutines\n", g.name, d.version, number(float64(d.rows)), trackers)
			h.show(r, rowsPerSecond, ours, bare)
			h.printf("  for orientation, until the last Track has returned:\n")
			h.show(r, recordsPerSecond, ours)
			h.judgeRatio(g, r, rowsPerSecond, ours, bare)
			return nil
		})
	}}
}

func drainBenchmark() benchmark {
	const ours, bare = "restart to visible row", "COPY by hand"
	g := goal{"drain_vs_copy", ">=", 0.70}
	return benchmark{goals: []goal{g}, long: true, takes: "2 min", run: func(ctx context.Context, h *harness) error {
		return withDelivery(ctx, pick(h, 300_000, 256), func(d *delivery) error {
			r, err := h.inTurn(ctx,
				contender{name: ours, run: d.drain},
				contender{name: bare, run: d.contend(d.copy)},
			)
			if err != nil {
				return err
			}
			h.printf("\n%s: %s, a backlog of %s records\n", g.name, d.version, number(float64(d.rows)))
			h.show(r, rowsPerSecond, ours, bare)
			h.judgeRatio(g, r, rowsPerSecond, ours, bare)
			return nil
		})
	}}
}

const trackers = 64

// delivery is a Postgres with a trail's way to it.
type delivery struct {
	*postgresBench
	submissions []submission
}

func withDelivery(ctx context.Context, n int, f func(*delivery) error) (err error) {
	submissions := makeSubmissions(ctx, n)
	b, err := newPostgresBench(ctx, submissions, time.Now(), batchRows, 2)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	d := &delivery{b, submissions}
	if err := d.checkSame(ctx); err != nil {
		return err
	}
	return f(d)
}

// trackAll has goroutines track all submissions.
func trackAll(t *trail.Trail, submissions []submission, goroutines int) error {
	errs := make([]error, goroutines)
	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() {
			for j := i; j < len(submissions) && errs[i] == nil; j += goroutines {
				_, errs[i] = t.Track(submissions[j].ctx, submissions[j].activity)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (d *delivery) endToEnd(ctx context.Context, _ string) (figures map[unit]float64, err error) {
	if err := d.prepare(ctx, d.at); err != nil {
		return nil, err
	}
	err = inDirectory(func(dir string) (err error) {
		t, err := openDurableTrail(ctx, d.url, dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, t.Close()) }()
		started := time.Now()
		if err := trackAll(t, d.submissions, trackers); err != nil {
			return err
		}
		tracked := time.Since(started)
		if err := t.ForceFlush(ctx); err != nil {
			return err
		}
		took := time.Since(started)
		figures = map[unit]float64{
			rowsPerSecond:    float64(d.rows) / took.Seconds(),
			recordsPerSecond: float64(d.rows) / tracked.Seconds(),
		}
		return errors.Join(d.checkCount(ctx, d.rows+1), d.empty(ctx)) // one is the trail's opening
	})
	return figures, err
}

func (d *delivery) drain(ctx context.Context, _ string) (figures map[unit]float64, err error) {
	err = inDirectory(func(dir string) (err error) {
		if err := d.leaveBehind(ctx, dir); err != nil {
			return err
		}
		if err := d.prepare(ctx, d.at); err != nil {
			return err
		}
		runtime.GC()
		started := time.Now()
		t, err := openDurableTrail(ctx, d.url, dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, t.Close()) }()
		if err := t.ForceFlush(ctx); err != nil {
			return err
		}
		took := time.Since(started)
		figures = map[unit]float64{rowsPerSecond: float64(d.rows) / took.Seconds()}
		return errors.Join(d.checkCount(ctx, d.rows+2), d.empty(ctx)) // two are the trails' openings
	})
	return figures, err
}

// leaveBehind is a process that tracks all and delivers nothing.
func (d *delivery) leaveBehind(ctx context.Context, dir string) error {
	t, err := openDurableTrail(ctx, "", dir)
	if err != nil {
		return err
	}
	return errors.Join(trackAll(t, d.submissions, appenders), t.Close())
}

// checkSame has both write the first batch, and compares the rows, but for what is new each time.
func (d *delivery) checkSame(ctx context.Context) error {
	columns, _ := strings.CutPrefix(copiedColumns, "time, id, observed_time, ")
	digest := `SELECT md5(string_agg(hash, '' ORDER BY hash)) FROM (SELECT md5(ROW(` + columns + `)::text) AS hash
		FROM otelaudit.activity WHERE action <> 'otelaudit.trail.open') AS hashes`
	ways := []func() error{
		func() error {
			return inDirectory(func(dir string) error {
				t, err := openDurableTrail(ctx, d.url, dir)
				if err != nil {
					return err
				}
				err = trackAll(t, d.submissions[:len(d.batches[0])], trackers)
				return errors.Join(err, t.Close()) // which delivers
			})
		},
		func() error { return d.copy(0)(ctx, d.batches[0]) },
	}
	var digests [2]string
	for i, write := range ways {
		err := errors.Join(d.prepare(ctx, d.at), write())
		if err != nil {
			return err
		}
		if digests[i], err = d.value(ctx, digest); err != nil {
			return err
		}
		if err := d.empty(ctx); err != nil {
			return err
		}
	}
	if digests[0] != digests[1] {
		return errors.New("COPY by hand writes other rows than a trail: columns or encoding have changed; mend copy.go")
	}
	return nil
}
