package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// What one Track costs its caller: one goroutine, in a request that came through audithttp's middleware, tracks an activity
// that ends in 18 attributes. The trail has one required sink, which throws away; each Track waits until it has, so this
// counts a journey to another goroutine and back.
//
// The OTel SDK gets the same 18 attributes with the options it has by default, and a processor that does nothing: nothing is
// delivered or promised. It has its best case: the attributes are made beforehand, id and time among them, where Track makes
// everything anew in each call. The loggers have theirs: fields made beforehand, JSON to nowhere.
//
// Allocations are those of all goroutines.
func trackBenchmark() benchmark {
	const ours, sdk, zapName, zerologName, slogName = "otelaudit.Track", "OTel SDK Logger.Emit", "zap", "zerolog", "slog"
	vsSDK := goal{"track_vs_sdk", "<=", 0.30}
	allocs := goal{"track_allocs", "<=", 4}
	return benchmark{goals: []goal{vsSDK, allocs}, takes: "30 s", run: func(ctx context.Context, h *harness) error {
		attrs, err := trackedAttributes(ctx)
		if err != nil {
			return err
		}
		r, err := h.inTurn(ctx,
			contender{name: ours, run: h.track},
			contender{name: sdk, run: h.emit(attrs)},
			contender{name: zapName, run: h.zap(attrs)},
			contender{name: zerologName, run: h.zerolog(attrs)},
			contender{name: slogName, run: h.slog(attrs)},
		)
		if err != nil {
			return err
		}
		h.printf("\ntrack_vs_sdk: one goroutine, %d attributes; Track waits for its sink, Emit for nothing\n", len(attrs))
		h.show(r, nsPerCall, ours, sdk)
		h.printf("  for orientation:\n")
		h.show(r, cpuNsPerCall, ours, sdk)
		h.show(r, nsPerCall, zapName, zerologName, slogName)
		h.judgeRatio(vsSDK, r, nsPerCall, ours, sdk)
		h.printf("\ntrack_allocs: allocations of all goroutines\n")
		h.show(r, allocsPerCall, ours, sdk, zapName, zerologName, slogName)
		h.show(r, bytesPerCall, ours, sdk)
		h.judge(allocs, median(r[ours][allocsPerCall]))
		return nil
	}}
}

const trackedAttributeCount = 18

// approval is what is tracked: with the actor and the request that the context has, it ends in 18 attributes.
func approval() otelaudit.Activity {
	return otelaudit.Activity{
		Action: "invoice.approve",
		Target: otelaudit.Target{Type: "invoice", ID: "inv_0042"},
	}
}

// track measures otelaudit.Track.
func (h *harness) track(ctx context.Context, _ string) (map[unit]float64, error) {
	sink := new(discard)
	t, err := openTrail(ctx, sink)
	if err != nil {
		return nil, err
	}
	var figures map[unit]float64
	calls := 0
	err = inRequest(otelaudit.ContextWithTrail(ctx, t), func(ctx context.Context) error {
		var err error
		figures, err = h.calls(ctx, func() error {
			calls++
			return otelaudit.Track(ctx, approval())
		})
		return err
	})
	if err := errors.Join(err, t.Close()); err != nil {
		return nil, err
	}
	if got := sink.records.Load() - 1; got != int64(calls) { // one is the trail's opening
		return nil, fmt.Errorf("%d of %d records reached the sink", got, calls)
	}
	return figures, nil
}

// emit measures the OTel SDK.
func (h *harness) emit(attrs []attribute.KeyValue) func(context.Context, string) (map[unit]float64, error) {
	return func(ctx context.Context, _ string) (map[unit]float64, error) {
		provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(noLogs{}))
		logger := provider.Logger("bench")
		var figures map[unit]float64
		err := inRequest(ctx, func(ctx context.Context) error {
			var err error
			figures, err = h.calls(ctx, func() error {
				var r log.Record
				now := time.Now()
				r.SetEventName("invoice.approve")
				r.SetTimestamp(now)
				r.SetObservedTimestamp(now)
				r.AddAttributes(attrs...)
				logger.Emit(ctx, r)
				return nil
			})
			return err
		})
		return figures, errors.Join(err, provider.Shutdown(ctx))
	}
}

func (h *harness) zap(attrs []attribute.KeyValue) func(context.Context, string) (map[unit]float64, error) {
	logger := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(io.Discard), zap.InfoLevel))
	fields := make([]zap.Field, len(attrs))
	for i, kv := range attrs {
		fields[i] = zap.String(string(kv.Key), kv.Value.AsString())
	}
	return func(ctx context.Context, _ string) (map[unit]float64, error) {
		return h.calls(ctx, func() error {
			logger.Info("invoice.approve", fields...)
			return nil
		})
	}
}

func (h *harness) zerolog(attrs []attribute.KeyValue) func(context.Context, string) (map[unit]float64, error) {
	logger := zerolog.New(io.Discard).With().Timestamp().Logger()
	return func(ctx context.Context, _ string) (map[unit]float64, error) {
		return h.calls(ctx, func() error {
			event := logger.Info()
			for i := range attrs {
				event.Str(string(attrs[i].Key), attrs[i].Value.AsString())
			}
			event.Msg("invoice.approve")
			return nil
		})
	}
}

func (h *harness) slog(attrs []attribute.KeyValue) func(context.Context, string) (map[unit]float64, error) {
	logger := slog.New(slog.NewJSONHandler(io.Discard, nil))
	fields := make([]slog.Attr, len(attrs))
	for i, kv := range attrs {
		fields[i] = slog.String(string(kv.Key), kv.Value.AsString())
	}
	return func(ctx context.Context, _ string) (map[unit]float64, error) {
		return h.calls(ctx, func() error {
			logger.LogAttrs(ctx, slog.LevelInfo, "invoice.approve", fields...)
			return nil
		})
	}
}

// calls calls f for half a second, and says what one call took.
func (h *harness) calls(ctx context.Context, f func() error) (map[unit]float64, error) {
	const chunk = 1000
	atLeast := pick(h, time.Second/2, time.Millisecond)
	n := 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, err := cpuTime()
	if err != nil {
		return nil, err
	}
	started := time.Now()
	for time.Since(started) < atLeast && ctx.Err() == nil {
		for range chunk {
			if err := f(); err != nil {
				return nil, err
			}
		}
		n += chunk
	}
	took := time.Since(started)
	spent, err := cpuTime()
	if err != nil {
		return nil, err
	}
	runtime.ReadMemStats(&after)
	return map[unit]float64{
		nsPerCall:     float64(took.Nanoseconds()) / float64(n),
		cpuNsPerCall:  float64((spent - cpu).Nanoseconds()) / float64(n),
		allocsPerCall: float64(after.Mallocs-before.Mallocs) / float64(n),
		bytesPerCall:  float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
	}, ctx.Err()
}

// inRequest calls f with the context that a handler has in a request that came through audithttp's middleware, with the
// span context of a span that somebody else records.
func inRequest(ctx context.Context, f func(context.Context) error) error {
	var err error
	mux := http.NewServeMux()
	mux.HandleFunc("POST /invoices/{id}/approve", func(_ http.ResponseWriter, r *http.Request) { err = f(r.Context()) })
	actor := otelaudit.User("usr_000042")
	actor.Trust = otelaudit.TrustVerified
	handler := audithttp.NewMiddleware(func(*http.Request) (otelaudit.Actor, error) { return actor, nil })(mux)

	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5, 6}, TraceFlags: trace.FlagsSampled,
	}))
	r, failed := http.NewRequestWithContext(ctx, http.MethodPost, "http://billing.example/invoices/inv_0042/approve", http.NoBody)
	if failed != nil {
		return failed
	}
	r.RemoteAddr = "203.0.113.7:40404"
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	handler.ServeHTTP(nil, r)
	return err
}

// trackedAttributes tracks one activity, and returns its record's attributes.
func trackedAttributes(ctx context.Context) ([]attribute.KeyValue, error) {
	sink := new(keeper)
	t, err := openTrail(ctx, sink)
	if err != nil {
		return nil, err
	}
	err = inRequest(otelaudit.ContextWithTrail(ctx, t), func(ctx context.Context) error {
		return otelaudit.Track(ctx, approval())
	})
	if err := errors.Join(err, t.Close()); err != nil {
		return nil, err
	}
	if len(sink.attrs) != trackedAttributeCount {
		return nil, fmt.Errorf("the record has %d attributes instead of %d: %v", len(sink.attrs), trackedAttributeCount, sink.attrs)
	}
	return sink.attrs, nil
}

// keeper is a sink that keeps the attributes of the last record.
type keeper struct {
	discard
	attrs []attribute.KeyValue
}

func (k *keeper) ExportBatch(_ context.Context, b *trail.Batch) error {
	for _, r := range b.Records {
		k.attrs = r.AppendAttributes(nil)
	}
	return nil
}
