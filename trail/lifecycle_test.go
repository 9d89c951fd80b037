package trail_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

func TestOpenNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := func() trail.Config {
		return trail.Config{NoJournal: true, Service: "billing", Sinks: []trail.Sink{{Name: "double", Exporter: newDouble()}}}
	}
	for want, spoil := range map[string]func(*trail.Config){
		"Config.Dir is empty":                          func(c *trail.Config) { c.NoJournal = false },
		"Config.NoJournal is set beside Dir":           func(c *trail.Config) { c.Dir = "var/audit" },
		"Config.NoJournal is set beside Dir or Parent": func(c *trail.Config) { c.ParentDir = "var/audit" },
		"Config.Dir and Config.ParentDir are both set": func(c *trail.Config) { c.Dir, c.ParentDir, c.NoJournal = "var/a", "var/b", false },
		"Config.SegmentBytes is negative":              func(c *trail.Config) { c.SegmentBytes = -1 },
		"Config.Retention is negative":                 func(c *trail.Config) { c.Retention = -1 },
		"Config.Wait 7 is unknown":                     func(c *trail.Config) { c.Wait = 7 },
		"Config.MaxWaitingBytes 2147483648":            func(c *trail.Config) { c.MaxWaitingBytes = 2 << 30 },
		"Config.Sinks[0].Name has 65 bytes": func(c *trail.Config) {
			c.Dir, c.NoJournal, c.Sinks[0].Name = "var/a", false, strings.Repeat("n", 65)
		},
		"Config.Wait is Delivered": func(c *trail.Config) {
			c.Dir, c.NoJournal, c.Wait, c.Sinks[0].BestEffort = "var/a", false, otelaudit.Delivered, true
		},
		"Config.Service is empty":           func(c *trail.Config) { c.Service = "" },
		"Config.Sinks has no required sink": func(c *trail.Config) { c.Sinks[0].BestEffort = true },
		"Config.Sinks[0].Name is empty":     func(c *trail.Config) { c.Sinks[0].Name = "" },
		"Config.Sinks[0].Exporter":          func(c *trail.Config) { c.Sinks[0].Exporter = nil },
		"is there twice":                    func(c *trail.Config) { c.Sinks = append(c.Sinks, c.Sinks[0]) },
		"Config.TrackTimeout is negative":   func(c *trail.Config) { c.TrackTimeout = -1 },
		"Config.MaxBatch is negative":       func(c *trail.Config) { c.MaxBatch = -1 },
		"Config.MaxWaitingBytes 1":          func(c *trail.Config) { c.MaxWaitingBytes = 1 },
		"Policy.Ignore":                     func(c *trail.Config) { c.Policy.Ignore = []string{"*"} },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			c := good()
			spoil(&c)
			_, err := trail.Open(t.Context(), c)
			require.ErrorContains(t, err, want)
		})
	}
}

func TestShutdownDeliversWhatIsQueued(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d)
	release := make(chan struct{})
	d.answerWith(func(context.Context, *trail.Batch) error { <-release; return nil })
	one := track(tr, activity("one.create"))
	d.next(t)
	two := track(tr, activity("two.create"))
	require.Eventually(t, func() bool { return tr.Status().Sinks[0].Waiting == 2 }, patience, time.Millisecond)
	closed := make(chan error, 1)
	go func() { closed <- tr.Close() }()
	require.Eventually(t, func() bool {
		return errors.Is(tr.Check(t.Context(), activity("late.create")), otelaudit.ErrShutdown)
	}, patience, time.Millisecond)
	_, err := tr.Track(t.Context(), activity("late.create"))
	require.ErrorIs(t, err, otelaudit.ErrShutdown)
	close(release)
	require.NoError(t, await(t, one))
	require.NoError(t, await(t, two))
	require.NoError(t, await(t, closed))
	require.Equal(t, []string{"one.create", "two.create"}, d.actions())
	require.NoError(t, tr.Close(), "a second time it does nothing")
	require.Equal(t, 1, d.shutdown)
}

func TestShutdownSaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d, func(c *trail.Config) { c.TrackTimeout = time.Hour })
	d.failWith(errors.New("down"))
	result := track(tr, activity("one.create"))
	d.next(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := tr.Shutdown(ctx)
	require.ErrorContains(t, err, `sink "double": 1 records were not confirmed`)
	require.ErrorContains(t, err, "down")
	require.ErrorIs(t, await(t, result), otelaudit.ErrShutdown, "whoever waits is told")
}

// What was under way when Shutdown's time was over may be there, and its Track says so; what was queued is not.
func TestShutdownSaysWhatMayBeThere(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d, func(c *trail.Config) { c.TrackTimeout = time.Hour })
	d.answerWith(func(ctx context.Context, _ *trail.Batch) error { <-ctx.Done(); return ctx.Err() })
	underWay := track(tr, activity("one.create"))
	d.next(t)
	queued := track(tr, activity("two.create"))
	require.Eventually(t, func() bool { return tr.Status().Sinks[0].Waiting == 2 }, patience, time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorContains(t, tr.Shutdown(ctx), "2 records were not confirmed")
	err := await(t, underWay)
	require.ErrorIs(t, err, otelaudit.ErrShutdown)
	require.ErrorContains(t, err, `sink "double" may have got it`)
	err = await(t, queued)
	require.ErrorIs(t, err, otelaudit.ErrShutdown)
	require.ErrorContains(t, err, `sink "double" had not got it yet`)
}

func TestForceFlushEndsWithItsContext(t *testing.T) {
	t.Parallel()
	d := newDouble()
	tr := openQuiet(t, d, func(c *trail.Config) { c.TrackTimeout = 50 * time.Millisecond })
	d.failWith(errors.New("down"))
	result := track(tr, activity("one.create"))
	d.next(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, tr.ForceFlush(ctx), context.Canceled)
	require.ErrorIs(t, await(t, result), otelaudit.ErrTimeout)
	d.answerWith(nil)
}

func TestMetricsAreThoseOfTheDraft(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	d := newDouble()
	tr := openQuiet(t, d, func(c *trail.Config) {
		c.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
		c.Policy.Ignore = []string{"health.*"}
	})
	for range 3 {
		_, err := tr.Track(t.Context(), activity("a.create"))
		require.NoError(t, err)
	}
	_, err := tr.Track(t.Context(), otelaudit.Activity{Action: "by.nobody"})
	require.NoError(t, err)
	_, err = tr.Track(t.Context(), activity("health.read"))
	require.NoError(t, err)
	d.answerWith(func(_ context.Context, b *trail.Batch) error {
		return &trail.BadRecordsError{Records: []trail.BadRecord{{ID: b.Records[0].ID, Reason: errors.New("conflict")}}}
	})
	_, err = tr.Track(t.Context(), activity("bad.create"))
	require.ErrorIs(t, err, otelaudit.ErrRejected)

	var collected metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &collected))
	got := map[string]int64{}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			got[m.Name] = data.DataPoints[0].Value
		case metricdata.Gauge[int64]:
			got[m.Name] = data.DataPoints[0].Value
		case metricdata.Histogram[float64]:
			got[m.Name] = int64(data.DataPoints[0].Count)
		}
	}
	require.Equal(t, map[string]int64{
		"audit.records.emitted":            5, // with the trail's own
		"audit.records.exported":           5,
		"audit.records.dropped":            1,
		"audit.queue.depth":                0,
		"audit.export.duration":            6,
		"otelaudit.activities.ignored":     1,
		"otelaudit.actors.unknown":         1,
		"otelaudit.records.ahead_of_clock": 0,
		"otelaudit.queue.age":              0,
		"otelaudit.sink.state":             0,
	}, got)
}
