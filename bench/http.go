package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What auditing adds to a service that has otelhttp: the server's CPU time for a request and the requests a second, of
// otelhttp with audithttp's middleware and one Track whose sink throws away, against otelhttp alone. The handler only
// answers; spans are sampled, and dropped by their processor.
//
// The server is a process of its own, a new one for each run (httpserver.go), and tells its CPU time by getrusage. The
// client is this process (httpclient.go): 16 connections over loopback TCP that are kept alive, one request at a time on
// each, the same bytes every time, so that it takes as little as possible of the processors that both share.
func httpBenchmark() benchmark {
	const ours, plain = "otelhttp, audithttp, Track", "otelhttp"
	cpu := goal{"http_cpu_vs_otelhttp", "<=", 1.15}
	rps := goal{"http_rps_vs_otelhttp", ">=", 0.90}
	return benchmark{goals: []goal{cpu, rps}, takes: "2 min", run: func(ctx context.Context, h *harness) error {
		r, err := h.inTurn(ctx,
			contender{name: ours, run: h.requests(audited), remote: true},
			contender{name: plain, run: h.requests(unaudited), remote: true},
		)
		if err != nil {
			return err
		}
		h.printf("\nhttp_cpu_vs_otelhttp: the server's CPU time for a request; %s requests a run, %d connections\n",
			number(float64(h.requestCount())), connectionCount)
		h.show(r, cpuPerRequest, ours, plain)
		h.judgeRatio(cpu, r, cpuPerRequest, ours, plain)
		h.printf("\nhttp_rps_vs_otelhttp: on processors that client and server share\n")
		h.show(r, reqPerSecond, ours, plain)
		h.judgeRatio(rps, r, reqPerSecond, ours, plain)
		return nil
	}}
}

const connectionCount = 16

func (h *harness) requestCount() int { return pick(h, 60_000, 320) }

// requests measures one server of this kind.
func (h *harness) requests(k kind) func(context.Context, string) (map[unit]float64, error) {
	return func(ctx context.Context, profile string) (_ map[unit]float64, err error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
		defer cancel()
		s, err := startServer(ctx, serverConfig{kind: k, profile: profile})
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		c, err := dial(ctx, s.address, connectionCount)
		if err != nil {
			return nil, err
		}
		defer c.close()
		n := h.requestCount()
		if err := c.send(n / 5); err != nil { // connections, pools and the heap find their size
			return nil, err
		}
		before, err := s.usage()
		if err != nil {
			return nil, err
		}
		started := time.Now()
		if err := c.send(n); err != nil {
			return nil, err
		}
		took := time.Since(started)
		after, err := s.usage()
		if err != nil {
			return nil, err
		}
		if err := after.check(before, k, n); err != nil {
			return nil, err
		}
		return map[unit]float64{
			cpuPerRequest: float64((after.CPU - before.CPU).Nanoseconds()) / 1e3 / float64(n),
			reqPerSecond:  float64(n) / took.Seconds(),
		}, nil
	}
}

// check compares what the server counted with what was asked of it.
func (u usage) check(before usage, k kind, n int) error {
	if got := u.Requests - before.Requests; got != int64(n) {
		return fmt.Errorf("the server answered %d of %d requests", got, n)
	}
	if k == unaudited {
		n = 0
	}
	if got := u.Records - before.Records; got != int64(n) {
		return fmt.Errorf("%d of %d records reached the sink", got, n)
	}
	return nil
}
