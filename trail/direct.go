package trail

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// direct is the store of a trail without a journal: a record is safe once every required sink has it.
type direct struct {
	trail    *Trail
	sinks    []*sink // one for each of the trail's outlets
	required int     // how many of them
	opening  *call   // the record of the trail's own opening

	closing sync.RWMutex // held for reading while a record is handed to the sinks, if the trail is not closed
	stop    context.CancelFunc
	done    sync.WaitGroup // the deliverers
}

var _ store = (*direct)(nil)

func openDirect(t *Trail) (*direct, error) {
	d := &direct{trail: t, required: t.required}
	for _, o := range t.outlets {
		d.sinks = append(d.sinks, newSink(o))
	}
	if err := d.recordOpening(); err != nil {
		return nil, err
	}
	running, stop := t.running()
	d.stop = stop
	for _, s := range d.sinks {
		d.done.Go(func() { s.deliver(running) })
	}
	return d, nil
}

func (d *direct) newCall() *call { return newCall(d.required) }

// submit hands the records of c to every required sink and waits until all have them, one has failed, or timeout is over.
func (d *direct) submit(c *call, _ bool, timeout time.Duration) error {
	c.begin(len(c.parcels), timeout)
	if err := d.hand(c); err != nil {
		return err
	}
	err := c.await()
	if err == errExpired { //nolint:errorlint // nobody wraps it
		err = fmt.Errorf("%w: no answer within %v%s", otelaudit.ErrTimeout, d.trail.config.TrackTimeout, d.trail.why())
	}
	if err != nil {
		for i := range c.parcels {
			d.sinks[i].giveUp(&c.parcels[i])
		}
		return err
	}
	c.delivered = d.trail.recorder.Now()
	d.offerBestEffort(c.records)
	return nil
}

func (d *direct) hand(c *call) error {
	d.closing.RLock()
	defer d.closing.RUnlock()
	if d.trail.closed.Load() {
		return otelaudit.ErrShutdown
	}
	for i := range c.parcels {
		c.parcels[i].records = c.records
		d.sinks[i].offer(&c.parcels[i])
	}
	return nil
}

func (d *direct) offerBestEffort(records []*otelaudit.Record) {
	sinks := d.sinks[d.required:]
	if len(sinks) == 0 {
		return
	}
	// The caller's records are used again; these must outlive it.
	kept := make([]*otelaudit.Record, len(records))
	for i, r := range records {
		kept[i] = r.Clone()
	}
	d.closing.RLock()
	defer d.closing.RUnlock()
	for _, s := range sinks {
		if d.trail.closed.Load() {
			s.lost(len(kept), dropShutdown)
			continue
		}
		s.offer(&parcel{records: kept})
	}
}

func (d *direct) ready() error {
	for _, s := range d.sinks[:d.required] {
		if err := s.stopped(); err != nil {
			return err
		}
	}
	return nil
}

func (d *direct) flush(ctx context.Context, i int) error { return d.sinks[i].drain(ctx) }

func (d *direct) shutdown(ctx context.Context) ([]error, error) {
	d.closing.Lock()   // whoever saw that the trail was open has handed over
	d.closing.Unlock() //nolint:staticcheck // a barrier
	for _, s := range d.sinks {
		s.close()
	}
	endDeliverers(ctx, &d.done, d.stop)
	left := make([]error, len(d.sinks))
	for i, s := range d.sinks {
		left[i] = s.leave()
	}
	return left, nil
}

func (d *direct) status(status *Status) {
	if d.opening.settled() && d.opening.err() == nil {
		status.Emitted++
	}
	for _, s := range d.sinks {
		status.Sinks = append(status.Sinks, s.status())
	}
}
