package trail

import (
	"context"
	"errors"
	"fmt"
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
	sinks    []*sink       // the required ones first
	required int
	opening  *call // the record of the trail's own opening
	metrics  *metrics
	calls    sync.Pool // *call

	emitted atomic.Uint64 // records that Track confirmed

	closing sync.RWMutex // held for reading while a record is handed to the sinks, for writing to set closed
	closed  atomic.Bool
	stop    context.CancelFunc
	done    sync.WaitGroup // the deliverers
}

var _ otelaudit.Trail = (*Trail)(nil)

// Open starts a trail. It does not wait for any sink to be reachable. Its first record, "otelaudit.trail.open", holds the
// policy, and reaches each sink before any other.
//
// ctx bounds Open only.
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
	t := &Trail{config: c, recorder: recorder, resource: res, set: *res.Set()}
	running, stop := context.WithCancel(context.WithValue(context.Background(), exportingKey{}, t))
	t.stop = stop
	for _, bestEffort := range []bool{false, true} {
		for _, s := range c.Sinks {
			if s.BestEffort == bestEffort {
				t.sinks = append(t.sinks, newSink(s, t))
			}
		}
		if !bestEffort {
			t.required = len(t.sinks)
		}
	}
	t.calls.New = func() any { return newCall(t.required) }
	if t.metrics, err = newMetrics(t); err != nil {
		stop()
		return nil, fmt.Errorf("trail: Config.MeterProvider: %w", err)
	}
	if err := t.recordOpening(); err != nil {
		stop()
		return nil, errors.Join(err, t.metrics.unregister())
	}
	for _, s := range t.sinks {
		t.done.Go(func() { s.deliver(running) })
	}
	return t, nil
}

// Track implements [otelaudit.Trail]: it returns once every required sink has the record. Services call otelaudit.Track.
func (t *Trail) Track(ctx context.Context, a otelaudit.Activity) (otelaudit.Receipt, error) {
	c := t.calls.Get().(*call)
	keep, err := t.record(ctx, &a, &c.first)
	if err != nil {
		t.calls.Put(c)
		return otelaudit.Receipt{}, trackError(&a, err)
	}
	if !keep {
		receipt := otelaudit.Receipt{ID: c.first.ID, Time: c.first.Time, Ignored: true}
		t.calls.Put(c)
		if err := t.awaitOpening(t.config.TrackTimeout); err != nil {
			return receipt, trackError(&a, err)
		}
		return receipt, nil
	}
	c.records = append(c.records[:0], &c.first)
	if err := t.submit(c, t.config.TrackTimeout); err != nil {
		// c may still be in the hands of a sink: it is not used again.
		fix(&a, &c.first)
		return otelaudit.Receipt{}, trackError(&a, err)
	}
	t.recorded(ctx, c.records)
	receipt := otelaudit.Receipt{ID: c.first.ID, Time: c.first.Time, Delivered: t.recorder.Now()}
	t.calls.Put(c)
	return receipt, nil
}

// TrackAll implements [otelaudit.Trail]: the records of one call go to each sink in one batch. If any activity is invalid,
// none is recorded.
func (t *Trail) TrackAll(ctx context.Context, as []otelaudit.Activity) ([]otelaudit.Receipt, error) {
	fail := func(err error) ([]otelaudit.Receipt, error) {
		return nil, &otelaudit.TrackError{Activities: append([]otelaudit.Activity(nil), as...), Err: err}
	}
	if len(as) > otelaudit.MaxBatch {
		return fail(fmt.Errorf("%w: %d activities in one TrackAll: at most otelaudit.MaxBatch (%d)", otelaudit.ErrInvalid, len(as), otelaudit.MaxBatch))
	}
	started := time.Now()
	c := newCall(t.required)
	receipts := make([]otelaudit.Receipt, len(as))
	fixed := make([]otelaudit.Activity, 0, len(as))
	for i := range as {
		r := new(otelaudit.Record)
		keep, err := t.record(ctx, &as[i], r)
		if err != nil {
			return fail(fmt.Errorf("activity %d: %w", i, err))
		}
		receipts[i] = otelaudit.Receipt{ID: r.ID, Time: r.Time, Ignored: !keep}
		if keep {
			c.records = append(c.records, r)
			fixed = append(fixed, r.Fixed(as[i]))
		}
	}
	if len(c.records) < len(as) {
		if err := t.awaitOpening(t.config.TrackTimeout); err != nil {
			return fail(err)
		}
	}
	if len(c.records) == 0 {
		return receipts, nil
	}
	if err := t.submit(c, max(0, t.config.TrackTimeout-time.Since(started))); err != nil {
		return nil, &otelaudit.TrackError{Activities: fixed, Err: err}
	}
	c.timer.Stop()
	t.recorded(ctx, c.records)
	now := t.recorder.Now()
	for i := range receipts {
		if !receipts[i].Ignored {
			receipts[i].Delivered = now
		}
	}
	return receipts, nil
}

// Check returns the error with which Track would fail at once: a is invalid, a required sink is stopped, the trail is shut
// down. otelaudit.Do asks it before it runs anything.
func (t *Trail) Check(ctx context.Context, a otelaudit.Activity) error {
	err := t.refuse(ctx)
	for _, s := range t.sinks[:t.required] {
		if err == nil {
			err = s.stopped()
		}
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
		if keep {
			fix(a, r)
		}
		return false, err
	}
	return keep, nil
}

// submit hands the records of c to every required sink and waits until all have them, one has failed, or timeout is over.
// After an error, c may still be in use.
func (t *Trail) submit(c *call, timeout time.Duration) error {
	c.begin()
	if err := t.hand(c); err != nil {
		return err
	}
	err := c.await(timeout)
	if err == errExpired { //nolint:errorlint // nobody wraps it
		err = fmt.Errorf("%w: no answer within %v%s", otelaudit.ErrTimeout, t.config.TrackTimeout, t.why())
	}
	if err != nil {
		c.timer.Stop()
		for i := range c.parcels {
			t.sinks[i].giveUp(&c.parcels[i])
		}
	}
	return err
}

func (t *Trail) hand(c *call) error {
	t.closing.RLock()
	defer t.closing.RUnlock()
	if t.closed.Load() {
		return otelaudit.ErrShutdown
	}
	for i := range c.parcels {
		c.parcels[i].records = c.records
		t.sinks[i].offer(&c.parcels[i])
	}
	return nil
}

// recorded does what follows once the records are safe: best-effort sinks, counters, the event on the span.
func (t *Trail) recorded(ctx context.Context, records []*otelaudit.Record) {
	t.emitted.Add(uint64(len(records)))
	if !t.config.NoSpanEvent {
		addSpanEvents(ctx, records)
	}
	t.offerBestEffort(records)
}

func (t *Trail) offerBestEffort(records []*otelaudit.Record) {
	sinks := t.sinks[t.required:]
	if len(sinks) == 0 {
		return
	}
	// The caller's records are used again; these must outlive it.
	kept := make([]*otelaudit.Record, len(records))
	for i, r := range records {
		kept[i] = r.Clone()
	}
	t.closing.RLock()
	defer t.closing.RUnlock()
	for _, s := range sinks {
		if t.closed.Load() {
			s.lost(len(kept), "shutdown")
			continue
		}
		s.offer(&parcel{records: kept})
	}
}

// why says what is known of the required sinks that are in trouble, for an error's text.
func (t *Trail) why() string {
	for _, s := range t.sinks[:t.required] {
		if err := s.trouble(); err != nil {
			return fmt.Sprintf("; sink %q: %v", s.name, err)
		}
	}
	return ""
}
