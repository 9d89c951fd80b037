//go:build unix

package torture

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// load is goroutines that track, and tell what they do.
type load struct {
	world   world
	life    int
	workers int
	calls   int      // of each goroutine; 0: until it is stopped
	batch   int      // each fourth call is a TrackAll of so many; 0: none is
	redo    []number // of an earlier life, to be tracked again first
	pause   time.Duration
	trail   otelaudit.Trail
	to      announcer
}

// run returns when all calls are made, or ctx has ended and the calls under way have returned.
func (l *load) run(ctx context.Context) {
	for _, n := range l.redo {
		l.call(ctx, n, 1)
	}
	var wg sync.WaitGroup
	for worker := range l.workers {
		wg.Go(func() {
			single := numberOf(l.life, worker, 0)
			batched := single | inBatch
			for c := 0; ctx.Err() == nil && (l.calls == 0 || c < l.calls); c++ {
				if l.batch > 0 && c%4 == 3 {
					l.call(ctx, batched, l.batch)
					batched += number(l.batch)
				} else {
					l.call(ctx, single, 1)
					single++
				}
				l.rest(ctx)
			}
		})
	}
	wg.Wait()
}

// call tracks count activities from first on, in one call. One that fails is made again, as its TrackError says, until it
// succeeds or cannot any more.
func (l *load) call(ctx context.Context, first number, count int) {
	l.to.tell(event{Kind: begun, First: first, Count: count})
	tracking, as := ctx, make([]otelaudit.Activity, count)
	for i := range as {
		tracking, as[i] = l.world.activity(ctx, first+number(i))
	}
	for {
		receipts, err := l.track(tracking, as)
		if err == nil {
			e := event{Kind: acked, First: first, Count: count}
			for _, r := range receipts {
				e.Receipts = append(e.Receipts, receipt{r.ID, r.Time})
			}
			l.to.tell(e)
			return
		}
		l.to.tell(event{Kind: failed, First: first, Count: count, Text: shorten(err.Error())})
		again, ok := errors.AsType[*otelaudit.TrackError](err)
		if !ok || !otelaudit.IsRetryable(err) || ctx.Err() != nil {
			return
		}
		as = again.Activities
	}
}

func (l *load) rest(ctx context.Context) {
	if l.pause == 0 {
		return
	}
	timer := time.NewTimer(l.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (l *load) track(ctx context.Context, as []otelaudit.Activity) ([]otelaudit.Receipt, error) {
	if len(as) > 1 {
		return l.trail.TrackAll(ctx, as)
	}
	r, err := l.trail.Track(ctx, as[0])
	return []otelaudit.Receipt{r}, err
}

// shorten keeps an event below maxEvent.
func shorten(s string) string {
	const most = 1000
	return s[:min(len(s), most)]
}
