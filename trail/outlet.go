package trail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// outlet is an exporter with its name, its state and its counters: what a sink is, wherever its records come from.
type outlet struct {
	name       string
	bestEffort bool
	exporter   BatchExporter
	maxBatch   int // records
	shutdown   func(context.Context) error
	flush      func(context.Context) error
	trail      *Trail
	turn       sync.Mutex            // held while the exporter is called: the deliverers of several journals take turns
	adopted    chan struct{}         // of one, full while an adopted journal is delivered: what all of them hold in memory is bounded
	recording  []metric.RecordOption // its name, for the histogram

	mu        sync.Mutex // guards all below
	state     SinkState
	lastErr   error
	lastErrAt time.Time
	exported  uint64
	dropped   uint64
	letters   uint64 // dead ones
}

// The most records of a batch, where the configuration does not say. Each COPY and COMMIT costs Postgres as much as many rows
// do, so that batches of this size go into the table faster than smaller ones.
const (
	defaultMaxBatch = 4096
	maxRebuiltBatch = 2048 // at about 1.1 KiB of OTLP each
)

func newOutlet(s Sink, t *Trail) *outlet {
	exporter, maxBatch := NewBatchExporter(s.Exporter), defaultMaxBatch
	if _, ok := exporter.(*rebuilder); ok {
		maxBatch = maxRebuiltBatch
	}
	return &outlet{
		name:       s.Name,
		bestEffort: s.BestEffort,
		exporter:   exporter,
		maxBatch:   cmp.Or(t.config.MaxBatch, maxBatch),
		shutdown:   s.Exporter.Shutdown,
		flush:      s.Exporter.ForceFlush,
		trail:      t,
		adopted:    make(chan struct{}, 1),
		recording:  nameOption(s.Name),
	}
}

// export calls the exporter with b. One that panics has failed, and the process goes on.
func (o *outlet) export(running context.Context, a *attempt, b *Batch) (err error) {
	o.turn.Lock()
	defer o.turn.Unlock()
	started := time.Now()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanicked, p)
		}
		o.trail.metrics.exportDuration(o, time.Since(started))
	}()
	return o.exporter.ExportBatch(a.context(running, started, o.trail.config.ExportTimeout), b)
}

var errPanicked = errors.New("the exporter panicked")

// blame turns a panic over a single record into a refusal of that record: there is no other to blame.
func blame(err error, b *Batch) error {
	if errors.Is(err, errPanicked) && len(b.Records) == 1 {
		return &BadRecordsError{Records: []BadRecord{{ID: b.Records[0].ID, Reason: err}}}
	}
	return err
}

// setState notes err and tells OpenTelemetry's error handler when things got better or worse. Called with mu held.
func (o *outlet) setState(state SinkState, err error) {
	if err != nil {
		o.lastErr, o.lastErrAt = err, time.Now()
	}
	if state == o.state {
		return
	}
	o.state = state
	if err != nil {
		report(fmt.Errorf("otelaudit: sink %q is %s: %w", o.name, state, err))
	}
}

// report tells OpenTelemetry's error handler, from a goroutine of its own: a handler may itself Track.
func report(err error) { go otel.Handle(err) }

// unavailable is the error of a required sink that has stopped. Called with mu held.
func (o *outlet) unavailable() error {
	return fmt.Errorf("%w: sink %q: %w", otelaudit.ErrUnavailable, o.name, o.lastErr)
}

// undelivered is the error of who waits for a sink that has stopped. Called with mu held.
func (o *outlet) undelivered() error {
	return fmt.Errorf("%w: sink %q is stopped: %w", otelaudit.ErrNotDelivered, o.name, o.lastErr)
}

// stopped returns the error of a sink that has stopped, or nil.
func (o *outlet) stopped() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state == Stopped {
		return o.unavailable()
	}
	return nil
}

// trouble returns the error that the sink is trying to get over, or nil.
func (o *outlet) trouble() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state == Running {
		return nil
	}
	return o.lastErr
}

// untilProbe is how long a stopped sink rests before it is asked again. Called with mu held.
func (o *outlet) untilProbe() time.Duration {
	return o.trail.config.ProbeInterval - time.Since(o.lastErrAt)
}

// Why records were dropped: the metric's attribute.
const (
	dropBehind      = "behind"      // a best-effort sink lagged too far
	dropGivenUp     = "given_up"    // a caller waited for TrackTimeout
	dropRejected    = "rejected"    // the exporter will never take it
	dropShutdown    = "shutdown"    // left when the trail was shut down
	dropUnavailable = "unavailable" // a required sink is stopped
	dropFull        = "full"        // too much was queued
)

// drop counts records that this sink does not get. Called with mu held.
func (o *outlet) drop(n int, reason string) {
	o.dropped += uint64(n) //nolint:gosec // a length
	o.trail.metrics.dropped(o, n, reason)
}

func (o *outlet) lost(n int, reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(n, reason)
}

// status is what the outlet knows of itself. Called with mu held.
func (o *outlet) status() SinkStatus {
	return SinkStatus{
		Name:        o.name,
		Required:    !o.bestEffort,
		State:       o.state,
		Exported:    o.exported,
		Dropped:     o.dropped,
		DeadLetters: o.letters,
		LastError:   o.lastErr,
		LastErrorAt: o.lastErrAt,
	}
}

// attempt makes the contexts for export attempts. Making one for each would cost more than a small batch, so one serves
// until a third of its time is gone.
type attempt struct {
	ctx    context.Context //nolint:containedctx // of the deliverer that owns the attempt
	cancel context.CancelFunc
}

// context returns a context that ends between timeout and half as much more after now.
func (a *attempt) context(running context.Context, now time.Time, timeout time.Duration) context.Context {
	if a.ctx != nil {
		if deadline, _ := a.ctx.Deadline(); a.ctx.Err() == nil && deadline.Sub(now) >= timeout {
			return a.ctx
		}
		a.cancel()
	}
	a.ctx, a.cancel = context.WithDeadline(running, now.Add(timeout+timeout/2))
	return a.ctx
}

func (a *attempt) end() {
	if a.cancel != nil {
		a.cancel()
	}
}
