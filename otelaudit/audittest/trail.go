package audittest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Trail is an [otelaudit.Trail] in memory that belongs to one test. It is safe for concurrent use. Once the test and its
// cleanups are over, it is shut down: Track returns [otelaudit.ErrShutdown].
type Trail struct {
	tb           testing.TB
	recorder     *otelaudit.Recorder
	allowUnknown bool

	mu      sync.Mutex // guards all below, and calls of tb.Errorf against the end of the test
	records []*otelaudit.Record
	byKey   map[key]*otelaudit.Record
	ignored []string // actions, in order
	failure error
	closed  bool
}

// key names a record.
type key struct {
	micros int64
	id     otelaudit.ID
}

var _ otelaudit.Trail = (*Trail)(nil)

type config struct {
	policy       otelaudit.Policy
	allowUnknown bool
}

// Option alters what [New] returns.
type Option interface{ apply(*config) }

type option func(*config)

func (o option) apply(c *config) { o(c) }

// WithPolicy gives the trail the service's own policy: what it ignores, whether it requires an actor, its clock.
func WithPolicy(p otelaudit.Policy) Option { return option(func(c *config) { c.policy = p }) }

// AllowUnknownActor lets records pass whose actor nobody named. Without it they fail the test.
func AllowUnknownActor() Option { return option(func(c *config) { c.allowUnknown = true }) }

// New returns an empty trail for the test tb. A policy that is wrong ends the test.
func New(tb testing.TB, opts ...Option) *Trail {
	tb.Helper()
	var c config
	for _, o := range opts {
		o.apply(&c)
	}
	recorder, err := otelaudit.NewRecorder(c.policy)
	if err != nil {
		tb.Fatalf("audittest: %v", err)
	}
	tr := &Trail{tb: tb, recorder: recorder, allowUnknown: c.allowUnknown, byKey: map[key]*otelaudit.Record{}}
	tb.Cleanup(tr.close)
	return tr
}

func (tr *Trail) close() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.closed = true
}

// Context returns the test's context with the trail in it. Add to it what middleware would: otelaudit.ContextWithActor and
// its like. For a context of your own there is otelaudit.ContextWithTrail.
func (tr *Trail) Context() context.Context {
	return otelaudit.ContextWithTrail(tr.tb.Context(), tr)
}

// FailWith makes Track and TrackAll return a [*otelaudit.TrackError] with err from now on; nil ends it. The activities of
// the TrackError have their id, time, actor, reason and tenant fixed, as in production, so that a test can track them again.
//
// Nothing is recorded meanwhile, but under [otelaudit.ErrNotDelivered], which says that the record is safe. What the policy
// refuses or ignores is refused and ignored all the same.
func (tr *Trail) FailWith(err error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.failure = err
}

// Records returns copies of the records so far, in the order of their tracking.
func (tr *Trail) Records() []*otelaudit.Record {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	records := make([]*otelaudit.Record, len(tr.records))
	for i, r := range tr.records {
		records[i] = r.Clone()
	}
	return records
}

// Track implements [otelaudit.Trail].
func (tr *Trail) Track(ctx context.Context, a otelaudit.Activity) (otelaudit.Receipt, error) {
	tr.tb.Helper()
	receipts, err := tr.track(ctx, []otelaudit.Activity{a})
	if err != nil {
		return otelaudit.Receipt{}, err
	}
	return receipts[0], nil
}

// TrackAll implements [otelaudit.Trail]: all of as are recorded or none.
func (tr *Trail) TrackAll(ctx context.Context, as []otelaudit.Activity) ([]otelaudit.Receipt, error) {
	tr.tb.Helper()
	if len(as) > otelaudit.MaxBatch {
		return nil, failed(as, fmt.Errorf("%w: %d activities in one TrackAll: at most otelaudit.MaxBatch (%d)",
			otelaudit.ErrInvalid, len(as), otelaudit.MaxBatch))
	}
	return tr.track(ctx, as)
}

func failed(as []otelaudit.Activity, err error) error {
	return &otelaudit.TrackError{Activities: append([]otelaudit.Activity(nil), as...), Err: err}
}

func (tr *Trail) track(ctx context.Context, as []otelaudit.Activity) ([]otelaudit.Receipt, error) {
	tr.tb.Helper()
	if err := tr.open(); err != nil {
		return nil, failed(as, err)
	}
	receipts := make([]otelaudit.Receipt, len(as))
	var records []*otelaudit.Record
	var fixed []otelaudit.Activity
	var ignored []string
	for i := range as {
		r := new(otelaudit.Record)
		keep, err := tr.recorder.Record(ctx, &as[i], r)
		if err != nil {
			if len(as) > 1 {
				err = fmt.Errorf("activity %d: %w", i, err)
			}
			return nil, failed(as, err)
		}
		receipts[i] = otelaudit.Receipt{ID: r.ID, Time: r.Time, Outcome: r.Outcome, Ignored: !keep}
		if !keep {
			ignored = append(ignored, as[i].Action)
			continue
		}
		records, fixed = append(records, r), append(fixed, r.Fixed(as[i]))
		if as[i].Wait == otelaudit.Delivered {
			receipts[i].Delivered = r.Observed
		}
	}
	if err := tr.keep(records, ignored); err != nil {
		return nil, failed(fixed, err)
	}
	return receipts, nil
}

func (tr *Trail) open() error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.closed {
		return otelaudit.ErrShutdown
	}
	return nil
}

// keep records all of records or, where one names what another has named, none.
func (tr *Trail) keep(records []*otelaudit.Record, ignored []string) error {
	tr.tb.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.closed {
		return otelaudit.ErrShutdown
	}
	tr.ignored = append(tr.ignored, ignored...)
	if len(records) == 0 {
		return nil
	}
	if tr.failure != nil && !errors.Is(tr.failure, otelaudit.ErrNotDelivered) {
		return tr.failure
	}
	var fresh []*otelaudit.Record
	within := map[key]*otelaudit.Record{}
	for _, r := range records {
		k := key{r.Time.UnixMicro(), r.ID}
		known, ok := tr.byKey[k]
		if !ok {
			known, ok = within[k]
		}
		switch {
		case !ok:
			within[k], fresh = r, append(fresh, r)
		case !known.SameActivity(r):
			return fmt.Errorf("%w: %s at %s is the id of another activity, %q", otelaudit.ErrRejected, r.ID, r.Time.Format(time.RFC3339Nano), known.Action)
		}
	}
	for _, r := range fresh {
		tr.byKey[key{r.Time.UnixMicro(), r.ID}] = r
		if r.Actor.Type == otelaudit.ActorUnknown && !tr.allowUnknown {
			tr.tb.Errorf("audittest: the actor of %q is unknown: put one into the context (otelaudit.ContextWithActor) or into the activity, or allow it with audittest.AllowUnknownActor()", r.Action)
		}
	}
	tr.records = append(tr.records, fresh...)
	return tr.failure
}

// Check returns the error with which Track would refuse a; [otelaudit.Do] asks it before it runs anything.
func (tr *Trail) Check(ctx context.Context, a otelaudit.Activity) error {
	err := tr.open()
	if err == nil {
		err = tr.recorder.Check(ctx, &a)
	}
	if err != nil {
		return failed([]otelaudit.Activity{a}, err)
	}
	return nil
}

// Enabled reports whether the policy records anything.
func (tr *Trail) Enabled() bool { return !tr.recorder.Policy().Disabled }

// Now returns the time by the policy's clock.
func (tr *Trail) Now() time.Time { return tr.recorder.Now() }
