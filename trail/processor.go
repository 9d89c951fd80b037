package trail

import (
	"context"

	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Processor returns a processor for the application's own LoggerProvider: log records that anybody emits with the mandatory
// audit.* attributes, as [otelaudit.ParseRecord] has them, become records of the trail, as safe as Track makes them before Emit
// goes on. Other log records pass it by. The SDK hands its errors to OpenTelemetry's error handler, and they are counted with
// those of Track.
//
// Shutting it down does not shut the trail down.
func (t *Trail) Processor() sdklog.Processor { return processor{t} }

type processor struct{ trail *Trail }

func (processor) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

func (p processor) OnEmit(ctx context.Context, lr *sdklog.Record) error {
	if !otelaudit.IsAudit(lr) {
		return nil
	}
	if err := p.trail.trackLog(ctx, lr); err != nil {
		return otelaudit.CountFailure(ctx, err)
	}
	return nil
}

func (p processor) ForceFlush(ctx context.Context) error { return p.trail.ForceFlush(ctx) }
func (processor) Shutdown(context.Context) error         { return nil }

// trackLog records what lr says.
func (t *Trail) trackLog(ctx context.Context, lr *sdklog.Record) error {
	if err := t.refuse(ctx); err != nil {
		return err
	}
	r, err := otelaudit.ParseRecord(lr, t.set)
	if err != nil {
		return err
	}
	keep, err := t.recorder.Adopt(r)
	if err != nil {
		return err
	}
	if !keep {
		return t.store.awaitOpening(t.config.TrackTimeout)
	}
	if n := lr.DroppedAttributes(); n > 0 { // by the limits of the application's LoggerProvider
		r.Sanitized = append(r.Sanitized, otelaudit.Sanitization{Field: "attributes", Reason: otelaudit.ReasonTooMany, Length: n})
	}
	c := t.store.newCall()
	c.records = append(c.records, r)
	if err := t.store.submit(c, t.config.Wait == otelaudit.Delivered, t.config.TrackTimeout); err != nil {
		return err
	}
	t.recorded(ctx, c.records)
	return nil
}
