package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

const (
	exportTimeout = 30 * time.Second // for Export, where the context has no earlier deadline
	firstPause    = 100 * time.Millisecond
	maxPause      = 5 * time.Second
)

// Export stores log records of any OpenTelemetry LoggerProvider: those with the attributes that otelaudit.ParseRecord asks
// for. nil means that all of them are committed. Faults that may pass are retried until ctx is done, for at most 30 seconds:
// OpenTelemetry's processors do not come again. A trail does, and uses [Exporter.ExportBatch].
//
// Records that are no audit records are not stored; the others are, and the error then wraps [ErrNotAudit]. It is a
// *trail.BadRecordsError for records that the database will never take, and after Shutdown sdklog.ErrExporterShutdown.
func (e *Exporter) Export(ctx context.Context, records []sdklog.Record) error {
	var batch trail.Batch
	var notAudit error
	for i := range records {
		r, err := parse(&records[i])
		if err == nil {
			batch.Records = append(batch.Records, r)
		} else if notAudit == nil {
			notAudit = err
		}
	}
	if notAudit != nil {
		notAudit = fmt.Errorf("%w: %d of %d log records, the first: %w", ErrNotAudit, len(records)-len(batch.Records), len(records), notAudit)
	}
	if len(batch.Records) == 0 {
		if !e.enter() {
			return sdklog.ErrExporterShutdown
		}
		e.calls.Done()
		return notAudit
	}
	ctx, cancel := context.WithTimeout(ctx, exportTimeout)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := e.ExportBatch(ctx, &batch)
		if !mayPass(err) {
			return errors.Join(err, notAudit)
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)): //nolint:gosec // no secret: so that many processes do not come back at once
		case <-ctx.Done():
			return errors.Join(err, notAudit)
		}
	}
}

func parse(lr *sdklog.Record) (*otelaudit.Record, error) {
	return otelaudit.ParseRecord(lr, *lr.Resource().Set())
}

// mayPass reports whether ExportBatch may succeed with the same records later.
func mayPass(err error) bool {
	if err == nil || errors.Is(err, sdklog.ErrExporterShutdown) {
		return false
	}
	_, bad := errors.AsType[*trail.BadRecordsError](err)
	_, stopped := errors.AsType[*trail.StopError](err)
	return !bad && !stopped
}
