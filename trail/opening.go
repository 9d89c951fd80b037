package trail

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// actionOpen is the record with which each trail begins: who records from now on, and what its policy leaves out.
const actionOpen = "otelaudit.trail.open"

// recordOpening queues the record of the opening at every sink before anything else. It is pinned: since a sink stores
// parcels in order, and one batch as a whole, no other record is confirmed before it.
func (t *Trail) recordOpening() error {
	policy := t.config.Policy
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{Now: policy.Now}) // the policy must not hide itself
	if err != nil {
		return err
	}
	service, _ := t.set.Value(otelaudit.KeyServiceName)
	instance, _ := t.set.Value(otelaudit.KeyServiceID)
	c := newCall(t.required)
	if _, err := recorder.Record(context.Background(), &otelaudit.Activity{
		Action: actionOpen,
		Actor:  otelaudit.System(service.AsString()),
		Target: otelaudit.Target{Type: "trail", ID: instance.AsString()},
		Metadata: []attribute.KeyValue{
			attribute.Bool("policy.disabled", policy.Disabled),
			attribute.StringSlice("policy.ignore", policy.Ignore),
			attribute.Bool("policy.require_actor", policy.RequireActor),
			attribute.Bool("policy.require_tenant", policy.RequireTenant),
			attribute.Bool("policy.classify", policy.Classify != nil),
		},
	}, &c.first); err != nil {
		return err
	}
	c.first.Resource = t.set
	c.records = append(c.records, &c.first)
	c.begin()
	for i := range c.parcels {
		c.parcels[i].records, c.parcels[i].pinned, c.parcels[i].since = c.records, true, time.Now()
		t.sinks[i].offer(&c.parcels[i])
	}
	t.opening = c
	t.offerBestEffort(c.records)
	return nil
}

// awaitOpening returns once the record with the policy is safe: an activity that the policy ignores may only then be said to
// be accounted for.
func (t *Trail) awaitOpening(timeout time.Duration) error {
	if t.closed.Load() {
		return otelaudit.ErrShutdown
	}
	if t.opening.settled() {
		return t.opening.err()
	}
	for _, s := range t.sinks[:t.required] {
		if err := s.stopped(); err != nil {
			return err
		}
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-t.opening.done:
		select {
		case t.opening.done <- struct{}{}: // for the next who waits
		default:
		}
		return t.opening.err()
	case <-timer.C:
		return fmt.Errorf("%w: the policy that ignores this is not recorded yet, within %v%s", otelaudit.ErrTimeout, t.config.TrackTimeout, t.why())
	}
}

// settled reports whether c needs no waiting for.
func (c *call) settled() bool { return c.pending.Load() <= 0 || c.failure.Load() != nil }
