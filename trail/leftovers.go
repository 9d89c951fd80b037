package trail

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Deliver takes what a process that is gone has left in the journal of c.Dir to c.Sinks, and shuts the exporters down. It
// returns nil when every sink has all that was recorded, and an error that says what is left when ctx ends, a sink stops or the disk
// is full, or what damage has cost: what is left stays in the journal. A sink that the journal does not know gets all that it still
// holds. What every required sink has is removed, once it is older than c.Retention. c.Service is not needed.
func Deliver(ctx context.Context, c Config) (_ Status, err error) {
	if c.Dir == "" || c.NoJournal || c.ParentDir != "" {
		return Status{}, errors.New("trail: Deliver needs Config.Dir, and neither ParentDir nor NoJournal")
	}
	if err := c.validate(); err != nil {
		return Status{}, err
	}
	c.setDefaults()
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{})
	if err != nil {
		return Status{}, err
	}
	t := newTrail(c, recorder, resource.Empty())
	if t.metrics, err = newMetrics(t); err != nil {
		return Status{}, fmt.Errorf("trail: Config.MeterProvider: %w", err)
	}
	j, err := openExisting(c.Dir, c.FS, c.Retention)
	if err != nil {
		return Status{}, fmt.Errorf("trail: %w%s", err, advice(err))
	}
	s := &journaled{trail: t, journal: j, letters: newDeadLetters(j, c.FS)}
	t.store = s
	running, stop := t.running()
	s.stop = stop
	s.drain = stop
	var deliveries sync.WaitGroup
	for _, o := range t.outlets {
		d, err := newDeliverer(s, o, j, ended()) // nothing will be added to it
		if err != nil {
			stop()
			return Status{}, errors.Join(fmt.Errorf("trail: sink %q: %w", o.name, err), j.Close())
		}
		d.once = true
		s.deliverers = append(s.deliverers, d)
	}
	for _, d := range s.deliverers {
		deliveries.Go(func() { d.run(running) })
	}
	endDeliverers(ctx, &deliveries, stop)
	status := t.Status()
	return status, errors.Join(t.Shutdown(ctx), lostError(status.Journal))
}
