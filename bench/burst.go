package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/rj-gamer/go-activity-tracker/trail"
)

// A burst: a million records, or as many as -burst says, from 256 goroutines as fast as they can, to an exporter of the SDK's
// kind that takes 5 ms for each batch. The OTel SDK's BatchProcessor as it is by default, against a trail with a journal as it is
// by default. How many of them the exporter got in the end, and what it cost. Once each: there is nothing to be a median of.
func burstBenchmark() benchmark {
	const ours, sdk = "Track, journal", "OTel SDK BatchProcessor"
	g := goal{"burst_kept", ">=", 1}
	return benchmark{goals: []goal{g}, takes: "1 min", run: func(ctx context.Context, h *harness) error {
		n := pick(h, h.burst, 4*appenders)
		attrs, err := trackedAttributes(ctx)
		if err != nil {
			return err
		}
		r, err := h.onceEach(ctx,
			contender{name: ours, run: func(ctx context.Context, _ string) (map[unit]float64, error) { return burstTrail(ctx, n) }},
			contender{name: sdk, run: func(ctx context.Context, _ string) (map[unit]float64, error) { return burstSDK(ctx, n, attrs) }},
		)
		if err != nil {
			return err
		}
		h.printf("\n%s: %s records from %d goroutines, to an exporter that takes %v for a batch\n", g.name, number(float64(n)), appenders, exportTakes)
		for _, u := range []unit{keptPercent, secondsToSend, secondsToExport, cpuNsPerCall} {
			h.show(r, u, ours, sdk)
		}
		h.show(r, journalBytes, ours)
		h.judge(g, r[ours][keptPercent][0]/100)
		return nil
	}}
}

const (
	keptPercent     unit = "% got to the exporter"
	secondsToSend   unit = "s until the last call returned"
	secondsToExport unit = "s until the exporter had what it got"
	journalBytes    unit = "bytes a record in the journal when the last call returned"

	exportTakes = 5 * time.Millisecond
)

// slow is an exporter that takes its time.
type slow struct{ records atomic.Int64 }

var _ sdklog.Exporter = (*slow)(nil)

func (s *slow) Export(_ context.Context, records []sdklog.Record) error {
	time.Sleep(exportTakes)
	for i := range records {
		if records[i].EventName() == burstEvent {
			s.records.Add(1)
		}
	}
	return nil
}

func (*slow) ForceFlush(context.Context) error { return nil }
func (*slow) Shutdown(context.Context) error   { return nil }

const burstEvent = "invoice.approve"

func burstTrail(ctx context.Context, n int) (figures map[unit]float64, err error) {
	err = inDirectory(func(dir string) (err error) {
		exporter := new(slow)
		t, err := trail.Open(ctx, trail.Config{Dir: dir, Service: "billing", Sinks: []trail.Sink{{Name: "slow", Exporter: exporter}}})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, t.Close()) }()
		track := func(ctx context.Context) error {
			_, err := t.Track(ctx, approval())
			return err
		}
		sent := func() { figures = map[unit]float64{journalBytes: float64(t.Status().Journal.Bytes) / float64(n)} }
		measured, err := burst(ctx, n, track, sent, t.ForceFlush, &exporter.records)
		maps.Copy(figures, measured)
		return err
	})
	return figures, err
}

func burstSDK(ctx context.Context, n int, attrs []attribute.KeyValue) (map[unit]float64, error) {
	exporter := new(slow)
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)))
	logger := provider.Logger("bench")
	emit := func(ctx context.Context) error {
		var r log.Record
		now := time.Now()
		r.SetEventName(burstEvent)
		r.SetTimestamp(now)
		r.SetObservedTimestamp(now)
		r.AddAttributes(attrs...)
		logger.Emit(ctx, r)
		return nil
	}
	figures, err := burst(ctx, n, emit, func() {}, provider.ForceFlush, &exporter.records)
	return figures, errors.Join(err, provider.Shutdown(ctx))
}

// burst makes n calls, and flush then sees to it that the exporter gets what it will get.
func burst(ctx context.Context, n int, call func(context.Context) error, sent func(), flush func(context.Context) error, got *atomic.Int64) (map[unit]float64, error) {
	figures := map[unit]float64{}
	err := inRequest(ctx, func(ctx context.Context) error {
		errs := make([]error, appenders)
		var all sync.WaitGroup
		before, err := cpuTime()
		if err != nil {
			return err
		}
		started := time.Now()
		for i := range appenders {
			all.Go(func() {
				for j := i; j < n && errs[i] == nil; j += appenders {
					errs[i] = call(ctx)
				}
			})
		}
		all.Wait()
		figures[secondsToSend] = time.Since(started).Seconds()
		sent()
		if err := errors.Join(append(errs, flush(ctx))...); err != nil {
			return err
		}
		figures[secondsToExport] = time.Since(started).Seconds()
		after, err := cpuTime()
		if err != nil {
			return err
		}
		figures[cpuNsPerCall] = float64((after - before).Nanoseconds()) / float64(n)
		figures[keptPercent] = 100 * float64(got.Load()) / float64(n)
		if got.Load() > int64(n) {
			return fmt.Errorf("%d of %d records came", got.Load(), n)
		}
		return nil
	})
	return figures, err
}
