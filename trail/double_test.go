package trail_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// double is an exporter whose every answer the test decides.
type double struct {
	mu       sync.Mutex // guards all below
	answer   func(ctx context.Context, b *trail.Batch) error
	records  []*otelaudit.Record // confirmed, in order, but for the trail's own
	batches  []int               // the size of each batch that was asked for
	shutdown int

	asked chan int // the size of each batch, before it is answered
}

var _ trail.BatchExporter = (*double)(nil)

func newDouble() *double { return &double{asked: make(chan int, 10_000)} }

func (d *double) answerWith(f func(ctx context.Context, b *trail.Batch) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = f
}

func (d *double) failWith(err error) {
	d.answerWith(func(context.Context, *trail.Batch) error { return err })
}

func (d *double) ExportBatch(ctx context.Context, b *trail.Batch) error {
	d.mu.Lock()
	answer := d.answer
	d.batches = append(d.batches, len(b.Records))
	d.mu.Unlock()
	d.asked <- len(b.Records)
	if answer != nil {
		if err := answer(ctx, b); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range b.Records {
		if r.Action != "otelaudit.trail.open" {
			d.records = append(d.records, r.Clone())
		}
	}
	return nil
}

func (*double) Export(context.Context, []sdklog.Record) error {
	panic("a BatchExporter gets batches")
}
func (*double) ForceFlush(context.Context) error { return nil }

func (d *double) Shutdown(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shutdown++
	return nil
}

func (d *double) stored() []*otelaudit.Record {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]*otelaudit.Record(nil), d.records...)
}

func (d *double) actions() []string {
	var actions []string
	for _, r := range d.stored() {
		actions = append(actions, r.Action)
	}
	return actions
}

// next waits until the exporter is asked once more.
func (d *double) next(t *testing.T) int {
	t.Helper()
	select {
	case n := <-d.asked:
		return n
	case <-time.After(patience):
		require.FailNow(t, "the exporter was not asked")
		return 0
	}
}

// patience is how long a test waits for what must happen, before it fails.
const patience = 20 * time.Second

// open opens a trail with one required sink, and closes it with the test.
func open(t *testing.T, d *double, change ...func(*trail.Config)) *trail.Trail {
	t.Helper()
	c := trail.Config{NoJournal: true, Service: "billing", Sinks: []trail.Sink{{Name: "double", Exporter: d}}}
	for _, f := range change {
		f(&c)
	}
	tr, err := trail.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tr.Close() })
	return tr
}

// openQuiet is open, and waits until the trail's own first record is through.
func openQuiet(t *testing.T, d *double, change ...func(*trail.Config)) *trail.Trail {
	t.Helper()
	tr := open(t, d, change...)
	require.NoError(t, tr.ForceFlush(t.Context()))
	for len(d.asked) > 0 {
		<-d.asked
	}
	return tr
}

func activity(action string) otelaudit.Activity {
	return otelaudit.Activity{Action: action, Actor: otelaudit.User("u-1"), Target: otelaudit.Target{Type: "invoice", ID: "42"}}
}

// track tracks in a goroutine of its own, and gives its result.
func track(tr *trail.Trail, a otelaudit.Activity) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, err := tr.Track(context.Background(), a)
		result <- err
	}()
	return result
}

func await(t *testing.T, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		require.FailNow(t, "Track did not return")
		return nil
	}
}
