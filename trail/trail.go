package trail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Trail is the pipeline from Track to the sinks. It is safe for concurrent use.
type Trail struct {
	config   Config
	recorder *otelaudit.Recorder
	resource *resource.Resource
	set      attribute.Set // of resource
	outlets  []*outlet     // the required ones first
	required int           // how many of them
	store    store
	metrics  *metrics
	calls    sync.Pool // *call

	emitted atomic.Uint64 // records that Track confirmed
	closed  atomic.Bool
}

var _ otelaudit.Trail = (*Trail)(nil)

// store is where Track puts records so that they cannot be lost: the sinks themselves, or a journal before them.
type store interface {
	// newCall makes what submit needs for one call. Calls are used again.
	newCall() *call
	// submit returns once the records of c are safe, and with wait once every required sink has them; or with an error, after
	// which c may still be in use.
	submit(c *call, wait bool, timeout time.Duration) error
	// awaitOpening returns once the record with the policy is safe: an activity that the policy ignores may only then be said
	// to be accounted for.
	awaitOpening(timeout time.Duration) error
	// ready returns the error with which submit would fail at once.
	ready() error
	// flush returns once sink i, of the trail's outlets, has got all that is there now.
	flush(ctx context.Context, i int) error
	// shutdown delivers what is there until ctx ends, and ends the deliverers. The trail takes nothing more by then. It returns
	// what is left for each of the trail's outlets, and what else went wrong.
	shutdown(ctx context.Context) (left []error, err error)
	// status fills in what the store knows.
	status(s *Status)
}

// Open starts a trail. It does not wait for any sink to be reachable. Its first record, "otelaudit.trail.open", holds the
// policy, and reaches each sink before any other of this trail, unless that sink refuses it. With a journal it is on disk (fsync)
// when Open returns, and what an earlier process left there is being delivered.
//
// ctx is for Open only. Reading a journal of many gigabytes takes its time, and cannot be cut short.
func Open(ctx context.Context, c Config) (*Trail, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	c.setDefaults()
	recorder, err := otelaudit.NewRecorder(c.Policy)
	if err != nil {
		return nil, fmt.Errorf("trail: Config.Policy: %w", err)
	}
	res, err := c.resource(ctx)
	if err != nil {
		return nil, err
	}
	t := newTrail(c, recorder, res)
	if t.metrics, err = newMetrics(t); err != nil {
		return nil, fmt.Errorf("trail: Config.MeterProvider: %w", err)
	}
	if c.NoJournal {
		t.store, err = openDirect(t)
	} else {
		t.store, err = openJournaled(t)
	}
	if err != nil {
		return nil, err
	}
	if err := t.metrics.register(t); err != nil {
		_, closing := t.store.shutdown(ended())
		return nil, errors.Join(fmt.Errorf("trail: Config.MeterProvider: %w", err), closing)
	}
	t.calls.New = func() any { return t.store.newCall() }
	return t, nil
}

func newTrail(c Config, recorder *otelaudit.Recorder, res *resource.Resource) *Trail {
	t := &Trail{config: c, recorder: recorder, resource: res, set: *res.Set()}
	for _, bestEffort := range []bool{false, true} {
		for _, s := range c.Sinks {
			if s.BestEffort == bestEffort {
				t.outlets = append(t.outlets, newOutlet(s, t))
			}
		}
		if !bestEffort {
			t.required = len(t.outlets)
		}
	}
	return t
}

// running returns the context in which the deliverers run, and what ends it.
func (t *Trail) running() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithValue(context.Background(), exportingKey{}, t))
}

// Track implements [otelaudit.Trail]: it returns once the record is on disk (fsync), without a journal once every required
// sink has it, and with Wait: Delivered after both. Services call otelaudit.Track.
func (t *Trail) Track(ctx context.Context, a otelaudit.Activity) (otelaudit.Receipt, error) {
	c := t.calls.Get().(*call)
	keep, err := t.record(ctx, &a, &c.first)
	if err != nil {
		t.calls.Put(c)
		return otelaudit.Receipt{}, trackError(&a, err)
	}
	if !keep {
		receipt := otelaudit.Receipt{ID: c.first.ID, Time: c.first.Time, Ignored: true}
		if err = t.store.awaitOpening(t.config.TrackTimeout); err != nil {
			fix(&a, &c.first)
			err = trackError(&a, err)
		}
		t.calls.Put(c)
		return receipt, err
	}
	c.records = append(c.records[:0], &c.first)
	if err := t.store.submit(c, t.waits(&a), t.config.TrackTimeout); err != nil {
		// c may still be in the hands of a sink: it is not used again.
		fix(&a, &c.first)
		return otelaudit.Receipt{}, trackError(&a, err)
	}
	t.recorded(ctx, c.records)
	receipt := otelaudit.Receipt{ID: c.first.ID, Time: c.first.Time, Outcome: c.first.Outcome, Delivered: c.delivered}
	t.calls.Put(c)
	return receipt, nil
}

// TrackAll implements [otelaudit.Trail]: the records of one call are one commit of the journal, and without one a part of one
// batch for each sink. If any activity is invalid, none is recorded.
func (t *Trail) TrackAll(ctx context.Context, as []otelaudit.Activity) ([]otelaudit.Receipt, error) {
	fixed := slices.Clone(as) // the caller's stay as they are
	fail := func(err error) ([]otelaudit.Receipt, error) {
		return nil, &otelaudit.TrackError{Activities: fixed, Err: err}
	}
	if len(as) > otelaudit.MaxBatch {
		return fail(fmt.Errorf("%w: %d activities in one TrackAll: at most otelaudit.MaxBatch (%d)", otelaudit.ErrInvalid, len(as), otelaudit.MaxBatch))
	}
	started := time.Now()
	c := t.store.newCall()
	wait := false
	receipts := make([]otelaudit.Receipt, len(as))
	for i := range fixed {
		a, r := &fixed[i], new(otelaudit.Record)
		keep, err := t.recorder.Record(ctx, a, r)
		if err != nil {
			return fail(fmt.Errorf("activity %d: %w", i, err))
		}
		fix(a, r)
		receipts[i] = otelaudit.Receipt{ID: r.ID, Time: r.Time, Outcome: r.Outcome, Ignored: !keep}
		if keep {
			r.Resource = t.set
			wait = wait || t.waits(a)
			c.records = append(c.records, r)
		}
	}
	if err := t.refuse(ctx); err != nil {
		return fail(err)
	}
	if len(c.records) < len(as) {
		if err := t.store.awaitOpening(t.config.TrackTimeout); err != nil {
			return fail(err)
		}
	}
	if len(c.records) == 0 {
		return receipts, nil
	}
	if err := t.store.submit(c, wait, max(0, t.config.TrackTimeout-time.Since(started))); err != nil {
		fixed = recordable(fixed, receipts)
		return fail(err)
	}
	t.recorded(ctx, c.records)
	for i := range receipts {
		if !receipts[i].Ignored {
			receipts[i].Delivered = c.delivered
		}
	}
	return receipts, nil
}

// recordable leaves out of as what the policy ignores: that is accounted for.
func recordable(as []otelaudit.Activity, receipts []otelaudit.Receipt) []otelaudit.Activity {
	kept := as[:0]
	for i := range as {
		if !receipts[i].Ignored {
			kept = append(kept, as[i])
		}
	}
	return kept
}

// Check returns the error with which Track would fail at once: a is invalid, the trail is shut down, or without a journal a
// required sink is stopped. otelaudit.Do asks it before it runs anything.
func (t *Trail) Check(ctx context.Context, a otelaudit.Activity) error {
	err := t.refuse(ctx)
	if err == nil {
		err = t.store.ready()
	}
	if err == nil {
		err = t.recorder.Check(ctx, &a)
	}
	if err != nil {
		return trackError(&a, err)
	}
	return nil
}

// trackError and fix stay out of line: what they copy would make the stack of every Track larger than a goroutine has.
//
//go:noinline
func trackError(a *otelaudit.Activity, err error) error {
	return &otelaudit.TrackError{Activities: []otelaudit.Activity{*a}, Err: err}
}

// fix gives a what it needs to be tracked again as r.
//
//go:noinline
func fix(a *otelaudit.Activity, r *otelaudit.Record) { *a = r.Fixed(*a) }

// Enabled reports whether the policy records anything.
func (t *Trail) Enabled() bool { return !t.config.Policy.Disabled }

// Now returns the time by the policy's clock.
func (t *Trail) Now() time.Time { return t.recorder.Now() }

// Resource returns who records: what Config and the environment say, and the service.instance.id.
func (t *Trail) Resource() *resource.Resource { return t.resource }

// exportingKey marks the context that exporters get: its value is the trail that calls them.
type exportingKey struct{}

// refuse returns an error where the trail cannot take anything: it is closed, or ctx belongs to one of its exporters, which
// would wait for itself.
func (t *Trail) refuse(ctx context.Context) error {
	if ctx.Value(exportingKey{}) == t {
		return fmt.Errorf("%w: an exporter must not Track on the trail that called it: it would wait for itself", otelaudit.ErrInvalid)
	}
	if t.closed.Load() {
		return otelaudit.ErrShutdown
	}
	return nil
}

// record makes the record of a. Where the trail refuses it all the same, a gets what it needs to be tracked again.
func (t *Trail) record(ctx context.Context, a *otelaudit.Activity, r *otelaudit.Record) (bool, error) {
	keep, err := t.recorder.Record(ctx, a, r)
	if err != nil {
		return false, err
	}
	r.Resource = t.set
	if err := t.refuse(ctx); err != nil {
		fix(a, r)
		return false, err
	}
	return keep, nil
}

// recorded does what follows once the records are safe: counters, and the event on the span.
func (t *Trail) recorded(ctx context.Context, records []*otelaudit.Record) {
	t.emitted.Add(uint64(len(records)))
	if !t.config.NoSpanEvent {
		addSpanEvents(ctx, records)
	}
}

// waits reports whether Track of a returns only when every required sink has it.
func (t *Trail) waits(a *otelaudit.Activity) bool {
	return a.Wait == otelaudit.Delivered || t.config.Wait == otelaudit.Delivered
}

// why says what is known of the required sinks that are in trouble, for an error's text.
func (t *Trail) why() string {
	for _, o := range t.outlets[:t.required] {
		if err := o.trouble(); err != nil {
			return fmt.Sprintf("; sink %q: %v", o.name, err)
		}
	}
	return ""
}
