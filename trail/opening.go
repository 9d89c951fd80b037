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

// openingRecord makes the record of the opening in r.
func (t *Trail) openingRecord(r *otelaudit.Record, more ...attribute.KeyValue) error {
	policy := t.config.Policy
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{Now: policy.Now}) // the policy must not hide itself
	if err != nil {
		return err
	}
	service, _ := t.set.Value(otelaudit.KeyServiceName)
	instance, _ := t.set.Value(otelaudit.KeyServiceID)
	if _, err := recorder.Record(context.Background(), &otelaudit.Activity{
		Action: actionOpen,
		Actor:  otelaudit.System(service.AsString()),
		Target: otelaudit.Target{Type: "trail", ID: instance.AsString()},
		Metadata: append([]attribute.KeyValue{
			attribute.Bool("policy.disabled", policy.Disabled),
			attribute.StringSlice("policy.ignore", policy.Ignore),
			attribute.Bool("policy.require_actor", policy.RequireActor),
			attribute.Bool("policy.require_tenant", policy.RequireTenant),
			attribute.Bool("policy.classify", policy.Classify != nil),
		}, more...),
	}, r); err != nil {
		return err
	}
	r.Resource = t.set
	return nil
}

// recordOpening queues the record of the opening at every sink before anything else. It is pinned: since a sink stores
// parcels in order, and one batch as a whole, no other record is confirmed before it. A sink that refuses it goes on with the
// others, but what the policy ignores is then an error for as long as the trail is open.
func (d *direct) recordOpening() error {
	c := newCall(d.required)
	if err := d.trail.openingRecord(&c.first); err != nil {
		return err
	}
	c.records = append(c.records, &c.first)
	c.begin(len(c.parcels), forEver)
	for i := range c.parcels {
		c.parcels[i].records, c.parcels[i].pinned, c.parcels[i].since = c.records, true, time.Now()
		d.sinks[i].offer(&c.parcels[i])
	}
	d.opening = c
	d.offerBestEffort(c.records)
	return nil
}

func (d *direct) awaitOpening(timeout time.Duration) error {
	if d.trail.closed.Load() {
		return otelaudit.ErrShutdown
	}
	if d.opening.settled() {
		return d.unrecorded()
	}
	if err := d.ready(); err != nil {
		return err
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-d.opening.done:
		notify(d.opening.done) // for the next who waits
		return d.unrecorded()
	case <-timer.C:
		return fmt.Errorf("%w: the policy that ignores this is not recorded yet, within %v%s",
			otelaudit.ErrTimeout, d.trail.config.TrackTimeout, d.trail.why())
	}
}

// unrecorded returns why the record of the opening will never be everywhere, or nil.
func (d *direct) unrecorded() error {
	if err := d.opening.err(); err != nil {
		return fmt.Errorf("the policy that ignores this is not recorded: %w", err)
	}
	return nil
}

// settled reports whether c needs no waiting for.
func (c *call) settled() bool { return c.pending.Load() <= 0 || c.failure.Load() != nil }
