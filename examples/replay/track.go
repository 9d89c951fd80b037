package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// item is an event on its way into the trail.
type item struct {
	where    string // file and place in it
	activity otelaudit.Activity
	request  otelaudit.Request
}

func newItem(file string, e entry) (item, error) {
	where := file + ": " + e.where()
	if e.err != nil {
		return item{}, fmt.Errorf("%s: %w", where, e.err)
	}
	ev, err := parse(e.json)
	if err != nil {
		return item{}, fmt.Errorf("%s: %w", where, err)
	}
	return item{where: where, activity: ev.activity(), request: ev.request()}, nil
}

const (
	// Each Track waits until its record is stored, and all that wait at the same time share one transaction.
	concurrency = 128

	attempts   = 3
	retryPause = time.Second
)

// track records one event. Where the trail did not confirm it for a reason that may pass, it does so again: because of the
// event's own id and time that cannot make it two.
func track(ctx context.Context, it item) error {
	// The request goes with the context, as in a server, where middleware puts it there.
	ctx = otelaudit.ContextWithRequest(ctx, it.request)
	err := otelaudit.Track(ctx, it.activity)
	for n := 1; n < attempts && otelaudit.IsRetryable(err); n++ {
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return err
		}
		err = otelaudit.Track(ctx, it.activity)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", it.where, err)
	}
	return nil
}
