package trail_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// poisoned answers with fail for every batch that holds the activity "poison.create".
func poisoned(fail func() error) func(context.Context, *trail.Batch) error {
	return func(_ context.Context, b *trail.Batch) error {
		if slices.ContainsFunc(b.Records, func(r *otelaudit.Record) bool { return r.Action == "poison.create" }) {
			return fail()
		}
		return nil
	}
}

// A record that makes an exporter fail without saying which it was does not take the others with it.
func TestAPoisonousRecordFailsItsOwnTrackOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail func() error
		want error
	}{
		"it panics": {func() error { panic("nil map") }, otelaudit.ErrRejected},
		"it errs":   {func() error { return errors.New("400 Bad Request") }, otelaudit.ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble()
			tr := openQuiet(t, d, func(c *trail.Config) { c.TrackTimeout = 6 * time.Second })
			release := make(chan struct{})
			d.answerWith(func(context.Context, *trail.Batch) error { <-release; return nil })
			first := track(tr, activity("first.create"))
			d.next(t)
			d.answerWith(poisoned(c.fail))
			poison := track(tr, activity("poison.create"))
			var innocent []<-chan error
			for i := range 50 {
				innocent = append(innocent, track(tr, activity(fmt.Sprintf("n%d.create", i))))
			}
			require.Eventually(t, func() bool { return tr.Status().Sinks[0].Waiting == 52 }, patience, time.Millisecond)
			close(release)
			require.NoError(t, await(t, first))
			for _, i := range innocent {
				require.NoError(t, await(t, i))
			}
			require.ErrorIs(t, await(t, poison), c.want)
		})
	}
}

func TestAPoisonousRecordDoesNotWedgeABestEffortSink(t *testing.T) {
	t.Parallel()
	d, other := newDouble(), newDouble()
	other.answerWith(poisoned(func() error { panic("nil map") }))
	tr := open(t, d, func(c *trail.Config) {
		c.Sinks = append(c.Sinks, trail.Sink{Name: "poisoned", Exporter: other, BestEffort: true})
	})
	for _, action := range []string{"a.create", "poison.create", "b.create"} {
		_, err := tr.Track(t.Context(), activity(action))
		require.NoError(t, err)
	}
	require.NoError(t, tr.ForceFlush(t.Context()))
	require.ElementsMatch(t, []string{"a.create", "b.create"}, other.actions())
	require.Equal(t, uint64(1), tr.Status().Sinks[1].Dropped)
	reports.await(t, `sink "poisoned"`, "the exporter panicked: nil map")
}

// stuck is an exporter that does not come back from Shutdown and ForceFlush before the test ends.
type stuck struct {
	*double
	end <-chan struct{}
}

func (s stuck) Shutdown(context.Context) error   { <-s.end; return nil }
func (s stuck) ForceFlush(context.Context) error { <-s.end; return nil }

func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	other, end := newDouble(), make(chan struct{})
	defer close(end)
	tr, err := trail.Open(t.Context(), trail.Config{
		NoJournal: true, Service: "billing", CloseTimeout: 50 * time.Millisecond,
		Sinks: []trail.Sink{{Name: "stuck", Exporter: stuck{newDouble(), end}}, {Name: "other", Exporter: other}},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, tr.ForceFlush(ctx), context.DeadlineExceeded)
	err = tr.Close()
	require.ErrorContains(t, err, `sink "stuck": shutdown: the exporter did not return`)
	require.Equal(t, 1, other.shutdown)
}

func TestForceFlushWaitsForWhatWasThere(t *testing.T) {
	t.Parallel()
	d := newDouble()
	d.asked = make(chan int, 1_000_000)
	tr := openQuiet(t, d)
	stop := make(chan struct{})
	results := make(chan error, 8)
	for range cap(results) {
		go func() {
			for {
				select {
				case <-stop:
					results <- nil
					return
				default:
				}
				if _, err := tr.Track(context.Background(), activity("load.create")); err != nil {
					results <- err
					return
				}
			}
		}()
	}
	for range 20 { // it never is empty, and yet each call returns
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		require.NoError(t, tr.ForceFlush(ctx))
		cancel()
	}
	close(stop)
	for range cap(results) {
		require.NoError(t, await(t, results))
	}
}

func TestATrackErrorIsTheSafeRetry(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d)
	require.NoError(t, tr.Close())
	ctx := otelaudit.ContextWithTenant(otelaudit.ContextWithActor(t.Context(), otelaudit.Actor{Type: otelaudit.ActorUser, ID: "u-1", Name: "A\x00B"}), "t\x00")
	metadata := []attribute.KeyValue{attribute.String("k", "first")}
	_, err := tr.Track(ctx, otelaudit.Activity{Action: "a.create", Metadata: metadata})
	require.ErrorIs(t, err, otelaudit.ErrShutdown)
	metadata[0] = attribute.String("k", "second") // the caller's memory is its own again
	var failed *otelaudit.TrackError
	require.ErrorAs(t, err, &failed)
	require.False(t, failed.Activities[0].ID.IsZero())
	require.False(t, failed.Activities[0].Time.IsZero())

	next := newDouble()
	_, err = open(t, next).TrackAll(t.Context(), failed.Activities)
	require.NoError(t, err)
	r := next.stored()[0]
	require.Equal(t, failed.Activities[0].ID, r.ID)
	require.Equal(t, "u-1", r.Actor.ID)
	require.Equal(t, []attribute.KeyValue{attribute.String("k", "first")}, r.Metadata)
	var flagged []string
	for _, s := range r.Sanitized {
		flagged = append(flagged, s.Field)
	}
	require.ElementsMatch(t, []string{"user.name", "otelaudit.tenant.id"}, flagged, "what was altered is still known")
}

func TestDoRefusesWhileARequiredSinkIsStopped(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d)
	d.failWith(&trail.StopError{Err: errors.New("no table")})
	_, err := tr.Track(t.Context(), activity("a.create"))
	require.ErrorIs(t, err, otelaudit.ErrUnavailable)
	require.Equal(t, uint64(1), tr.Status().Sinks[0].Dropped, "it is counted")
	err = otelaudit.Do(otelaudit.ContextWithTrail(t.Context(), tr), activity("money.move"), func(context.Context, *otelaudit.Activity) error {
		require.FailNow(t, "the money was moved")
		return nil
	})
	require.ErrorIs(t, err, otelaudit.ErrUnavailable)
}

func TestSpansAreNotFlooded(t *testing.T) {
	t.Parallel()
	tr := open(t, newDouble())
	ctx, events := recordedSpan(t)
	denied := activity("a.delete")
	denied.Err, denied.Target = otelaudit.ErrDenied, otelaudit.Target{}
	_, err := tr.TrackAll(ctx, slices.Repeat([]otelaudit.Activity{denied}, 100))
	require.NoError(t, err)
	got := events()
	require.Len(t, got, 8)
	require.Equal(t, []attribute.KeyValue{
		attribute.String("audit.outcome", "failure"),
		attribute.String("otelaudit.outcome", "denied"),
	}, got[0].Attributes[1:])
}
