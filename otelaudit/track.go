package otelaudit

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Track records that a happened. It returns nil once the record cannot be lost any more, in the sense in which the trail
// promises it, or once the policy has left it out, which is counted.
//
// An error means "not confirmed", not "not there"; it wraps one of this package's sentinels and, but for [ErrNoTrail], is a
// [*TrackError], whose activities can be tracked again without danger. Failures are counted in the metric
// otelaudit.track.failures, so that an ignored error shows.
//
// Track is not stopped by ctx's cancellation. It blocks until the record is safe, at most the trail's TrackTimeout.
func Track(ctx context.Context, a Activity) error {
	_, err := TrackReceipt(ctx, a)
	return err
}

// TrackReceipt is [Track], and returns the receipt.
func TrackReceipt(ctx context.Context, a Activity) (Receipt, error) {
	t := TrailFromContext(ctx)
	if t == nil {
		return Receipt{}, CountFailure(ctx, ErrNoTrail)
	}
	receipt, err := t.Track(ctx, a)
	if s := scopeFrom(ctx); s.ledger != nil {
		s.ledger.coverAll(s, []Activity{a}, []Receipt{receipt}, err)
	}
	if err != nil {
		return receipt, CountFailure(ctx, err)
	}
	return receipt, nil
}

// TrackAll records all of as or none: one commit. At most [MaxBatch] activities.
//
// Where a trail has no journal, "none" is as good as its sinks: one that refuses a single record of the batch for good has
// the others, and the error says so.
func TrackAll(ctx context.Context, as []Activity) error {
	t := TrailFromContext(ctx)
	if t == nil {
		return CountFailure(ctx, ErrNoTrail)
	}
	receipts, err := t.TrackAll(ctx, as)
	if s := scopeFrom(ctx); s.ledger != nil {
		s.ledger.coverAll(s, as, receipts, err)
	}
	if err != nil {
		return CountFailure(ctx, err)
	}
	return nil
}

// failures counts what Track could not confirm, by reason, with the global meter provider.
var failures = sync.OnceValue(func() metric.Int64Counter {
	c, err := otel.Meter("github.com/rj-gamer/go-activity-tracker/otelaudit").Int64Counter("otelaudit.track.failures",
		metric.WithDescription("Calls of Track, and log records for the trail, that were not confirmed."), metric.WithUnit("{call}"))
	if err != nil {
		otel.Handle(err)
	}
	return c
})

// CountFailure counts err in the metric otelaudit.track.failures, and returns it. [Track] and its like do so themselves: it is
// for a trail that takes activities in another way, such as log records.
func CountFailure(ctx context.Context, err error) error {
	failures().Add(ctx, 1, metric.WithAttributes(attribute.String(KeyErrorType, failureReason(err))))
	return err
}

func failureReason(err error) string {
	for _, known := range []struct {
		err  error
		name string
	}{
		{ErrNotDelivered, "not_delivered"},
		{ErrNoTrail, "no_trail"},
		{ErrInvalid, "invalid"},
		{ErrShutdown, "shutdown"},
		{ErrTimeout, "timeout"},
		{ErrFull, "full"},
		{ErrUnavailable, "unavailable"},
		{ErrRejected, "rejected"},
	} {
		if errors.Is(err, known.err) {
			return known.name
		}
	}
	return "_OTHER"
}
