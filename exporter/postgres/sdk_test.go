package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// It serves a LoggerProvider of OpenTelemetry's SDK.
func TestALoggerProviderDelivers(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(e)))
	rs := typicals(t, 10, time.Now())
	for _, r := range rs {
		var lr log.Record
		lr.SetEventName(r.Action)
		lr.SetTimestamp(r.Time)
		lr.AddAttributes(r.AppendAttributes(nil)...)
		provider.Logger("test").Emit(t.Context(), lr)
	}
	require.NoError(t, provider.ForceFlush(t.Context()))
	require.Equal(t, 10, rows(t, dsn))
	for _, r := range rs {
		require.True(t, r.SameActivity(stored(t, e, r)))
	}
	require.NoError(t, provider.Shutdown(t.Context()), "which shuts the exporter down")
	require.ErrorIs(t, e.ExportBatch(t.Context(), batch(rs...)), sdklog.ErrExporterShutdown)
}

// Log records that are none of ours are refused, by number and reason, and hold up no others.
func TestExportRefusesWhatIsNoAuditRecord(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	r := typical(t, 1, time.Now())
	plain := emitted(t, r)
	plain.SetAttributes()
	err := e.Export(t.Context(), []sdklog.Record{plain, emitted(t, r), plain})
	require.ErrorIs(t, err, ErrNotAudit)
	require.ErrorIs(t, err, otelaudit.ErrInvalid)
	require.ErrorContains(t, err, "2 of 3 log records")
	require.ErrorContains(t, err, "audit.record.id")
	require.Equal(t, 1, rows(t, dsn))
	require.ErrorIs(t, e.Export(t.Context(), []sdklog.Record{plain}), ErrNotAudit)
	require.NoError(t, e.Export(t.Context(), nil))
}

// A fault that passes is retried: OpenTelemetry's processors do not come again.
func TestExportRetries(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	e := behindLine(t, dsn, once("COMMIT\x00", beforeAnswer))
	r := typical(t, 1, time.Now())
	require.NoError(t, e.Export(t.Context(), []sdklog.Record{emitted(t, r)}))
	require.Equal(t, 1, rows(t, dsn))

	dead := behindLine(t, dsn, func([]byte) cutting { return beforeItGoes })
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	require.Error(t, dead.Export(ctx, []sdklog.Record{emitted(t, r)}), "until the deadline")
	require.Error(t, ctx.Err())
}

// What does not pass is not.
func TestExportDoesNotRetryForEver(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	r := typical(t, 1, time.Now())
	require.NoError(t, e.ExportBatch(t.Context(), batch(r)))
	conflict := emitted(t, altered(r, func(r *otelaudit.Record) { r.Reason = "other" }))
	require.Equal(t, []int{0}, badRecords(t, e.Export(t.Context(), []sdklog.Record{conflict}), ErrConflict))
	run(t, dsn, "DROP SCHEMA otelaudit CASCADE")
	var stopped *trail.StopError
	require.ErrorAs(t, e.Export(t.Context(), []sdklog.Record{conflict}), &stopped)
}

func TestAfterShutdown(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	require.NoError(t, e.ForceFlush(t.Context()))
	require.NoError(t, e.Shutdown(t.Context()))
	require.NoError(t, e.Shutdown(t.Context()))
	require.NoError(t, e.ForceFlush(t.Context()))
	r := typical(t, 1, time.Now())
	for name, call := range map[string]func() error{
		"ExportBatch":    func() error { return e.ExportBatch(t.Context(), batch(r)) },
		"empty batch":    func() error { return e.ExportBatch(t.Context(), batch()) },
		"Export":         func() error { return e.Export(t.Context(), []sdklog.Record{emitted(t, r)}) },
		"empty Export":   func() error { return e.Export(t.Context(), nil) },
		"Migrate":        func() error { return e.Migrate(t.Context()) },
		"MakePartitions": func() error { return e.MakePartitions(t.Context(), r.Time, r.Time) },
		"Query":          func() error { _, err := e.Query(t.Context(), query.Filter{}, query.PageRequest{}); return err },
	} {
		require.ErrorIs(t, call(), sdklog.ErrExporterShutdown, name)
	}
	require.Zero(t, rows(t, dsn))
}

// Shutdown waits for what runs, as long as its context lets it, and leaves a pool of the caller's open.
func TestShutdownWaits(t *testing.T) {
	t.Parallel()
	own, dsn := freshDatabase(t)
	shared, err := New(t.Context(), Config{Pool: own.pool})
	require.NoError(t, err)
	locker := connected(t, dsn)
	_, err = locker.Exec(t.Context(), "BEGIN; LOCK TABLE otelaudit.activity")
	require.NoError(t, err)
	exported := make(chan error, 1)
	r := typical(t, 1, time.Now())
	go func() { exported <- shared.ExportBatch(t.Context(), batch(r)) }()
	until(t, dsn, "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, shared.Shutdown(ctx), context.DeadlineExceeded)
	require.ErrorIs(t, shared.ExportBatch(t.Context(), batch()), sdklog.ErrExporterShutdown, "it takes no more")
	_, err = locker.Exec(t.Context(), "COMMIT")
	require.NoError(t, err)
	require.NoError(t, shared.Shutdown(t.Context()))
	require.NoError(t, <-exported)
	require.NoError(t, own.pool.Ping(t.Context()), "the caller's pool")

	require.NoError(t, own.Shutdown(t.Context()))
	require.Error(t, own.pool.Ping(t.Context()), "its own pool")
}
