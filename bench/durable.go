package main

import (
	"context"
	"errors"
	"time"
)

// A request that leaves a durable record, against what people write today (insert.go): the same handler behind otelhttp, which
// INSERTs a row and commits before it answers. Servers as in http.go, 32 connections, a private Postgres that both write to,
// on the same processors. Behind the journal's answers the trail delivers to that Postgres, within the time that counts. After
// each run, each request has its row.
//
// http_rps_vs_insert: requests a second, as fast as they are answered. Below it, what it comes to when the time counts until
// the last row is in the table: a journal takes a burst faster than Postgres does; and what is left to gain, without a delivery
// and without any record.
//
// http_p99_vs_insert_stalled: 2,000 requests a second, each planned for its time and sent on the next connection that is free,
// in an open loop: what waits for a connection is late too, and its latency counts from the time planned. Postgres, all of it,
// is stopped with SIGSTOP for 200 ms in every second. Below it, the same without stops.
func durableBenchmark() benchmark {
	const ours, rival, rivalByDefault = "Track, journal", "INSERT and commit", "INSERT, default pool"
	const alone, nothing = "Track, journal without a sink", "no record at all"
	g := goal{"http_rps_vs_insert", ">=", 5}
	return benchmark{goals: []goal{g}, long: true, takes: "3 min", run: func(ctx context.Context, h *harness) error {
		return withDatabase(ctx, func(d *database) error {
			r, err := h.inTurn(ctx,
				contender{name: ours, run: d.closedLoop(journaled, pick(h, 60_000, 320)), remote: true},
				contender{name: rival, run: d.closedLoop(inserting, pick(h, 10_000, 320)), remote: true},
				contender{name: rivalByDefault, run: d.closedLoop(insertingByDefault, pick(h, 10_000, 320)), remote: true},
				contender{name: alone, run: d.closedLoop(undelivered, pick(h, 60_000, 320)), remote: true},
				contender{name: nothing, run: d.closedLoop(unaudited, pick(h, 60_000, 320)), remote: true},
			)
			if err != nil {
				return err
			}
			h.printf("\n%s: %s, %d connections\n", g.name, d.version, durableConnections)
			h.show(r, reqPerSecond, ours, rival)
			h.printf("  for orientation:\n")
			h.show(r, reqPerSecond, rivalByDefault, alone, nothing)
			h.show(r, storedPerSecond, ours, rival)
			h.show(r, cpuPerRequest, ours, rival, alone, nothing)
			h.judgeRatio(g, r, reqPerSecond, ours, rival)
			return nil
		})
	}}
}

func stalledBenchmark() benchmark {
	const ours, rival = "Track, journal", "INSERT and commit"
	const oursCalm, rivalCalm = "Track, journal, no stops", "INSERT, no stops"
	g := goal{"http_p99_vs_insert_stalled", "<=", 0.33}
	return benchmark{goals: []goal{g}, long: true, takes: "4 min", run: func(ctx context.Context, h *harness) error {
		return withDatabase(ctx, func(d *database) error {
			took := pick(h, 5*time.Second, time.Second/2)
			r, err := h.inTurn(ctx,
				contender{name: ours, run: d.openLoop(journaled, took, true), remote: true},
				contender{name: rival, run: d.openLoop(inserting, took, true), remote: true},
				contender{name: oursCalm, run: d.openLoop(journaled, took, false), remote: true},
				contender{name: rivalCalm, run: d.openLoop(inserting, took, false), remote: true},
			)
			if err != nil {
				return err
			}
			h.printf("\n%s: %s, %s requests/s for %v on %d connections, stopped for %v in every %v\n", g.name, d.version,
				number(openLoopRate), took, durableConnections, stopFor, stopEvery)
			h.show(r, p99Millis, ours, rival)
			h.printf("  for orientation:\n")
			h.show(r, medianMillis, ours, rival)
			h.show(r, p99Millis, oursCalm, rivalCalm)
			h.show(r, medianMillis, oursCalm, rivalCalm)
			h.judgeRatio(g, r, p99Millis, ours, rival)
			return nil
		})
	}}
}

const (
	storedPerSecond unit = "requests/s, until all rows are there"
	medianMillis    unit = "ms, median"
	p99Millis       unit = "ms, p99"

	durableConnections = 32
)

// withDatabase calls f with a private database: one that was named is nobody's to stop.
func withDatabase(ctx context.Context, f func(*database) error) (err error) {
	d, err := startDatabase(ctx, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return f(d)
}

// serving calls f with a client of a server, and sees when it has ended that each request has left its row. f returns how many
// requests it has sent.
func (d *database) serving(ctx context.Context, k kind, profile string, f func(*server, *client) (sent int, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := d.prepare(ctx, time.Now()); err != nil {
		return err
	}
	return inDirectory(func(dir string) (err error) {
		s, err := startServer(ctx, serverConfig{kind: k, url: d.url, dir: dir, profile: profile})
		if err != nil {
			return err
		}
		running := true
		defer func() {
			if running {
				err = errors.Join(err, s.stop())
			}
		}()
		c, err := dial(ctx, s.address, durableConnections)
		if err != nil {
			return err
		}
		defer c.close()
		sent, err := f(s, c)
		if err != nil {
			return err
		}
		running = false
		if err := s.stop(); err != nil { // which delivers
			return err
		}
		switch sent++; k { // one by dial
		case journaled:
			sent++ // the trail's opening
		case unaudited, undelivered:
			sent = 0
		}
		return errors.Join(d.checkCount(ctx, sent), d.empty(ctx))
	})
}

// closedLoop measures n requests that are sent as fast as they are answered.
func (d *database) closedLoop(k kind, n int) func(context.Context, string) (map[unit]float64, error) {
	return func(ctx context.Context, profile string) (figures map[unit]float64, err error) {
		var started time.Time
		err = d.serving(ctx, k, profile, func(s *server, c *client) (int, error) {
			warm := n / 10
			if err := c.send(warm); err != nil {
				return 0, err
			}
			before, err := s.usage()
			if err != nil {
				return 0, err
			}
			started = time.Now()
			if err := c.send(n); err != nil {
				return 0, err
			}
			took := time.Since(started)
			after, err := s.usage()
			if err != nil {
				return 0, err
			}
			figures = map[unit]float64{
				cpuPerRequest: float64((after.CPU - before.CPU).Nanoseconds()) / 1e3 / float64(n),
				reqPerSecond:  float64(n) / took.Seconds(),
			}
			return warm + n, after.check(before, k, n)
		})
		if err != nil {
			return nil, err
		}
		figures[storedPerSecond] = float64(n) / time.Since(started).Seconds()
		return figures, nil
	}
}

// openLoop measures requests that come when they come, while Postgres is stopped from time to time, or not.
func (d *database) openLoop(k kind, duration time.Duration, stops bool) func(context.Context, string) (map[unit]float64, error) {
	return func(ctx context.Context, profile string) (figures map[unit]float64, err error) {
		err = d.serving(ctx, k, profile, func(_ *server, c *client) (int, error) {
			warm := openLoopRate / 2
			if err := c.send(warm); err != nil {
				return 0, err
			}
			var latencies []time.Duration
			send := func() (err error) {
				latencies, err = c.sendPlanned(duration)
				return err
			}
			if stops {
				err = d.whileStopping(ctx, send)
			} else {
				err = send()
			}
			if err != nil {
				return 0, err
			}
			figures = map[unit]float64{
				medianMillis: micros(latencies, 50) / 1e3,
				p99Millis:    micros(latencies, 99) / 1e3,
			}
			return warm + len(latencies), nil
		})
		return figures, err
	}
}
