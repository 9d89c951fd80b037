package otelaudit

import (
	"context"
	"sync/atomic"
	"time"
)

// Trail takes activities and keeps them. *trail.Trail does in production, *audittest.Trail in tests. Services call [Track],
// which finds the trail, rather than a Trail's methods.
//
// Both methods are safe for concurrent use, copy what they keep, and are not stopped by ctx's cancellation: what happened
// is recorded although the request was given up. Errors are *[TrackError]s.
type Trail interface {
	// Track records a and returns once it is as safe as the trail promises.
	Track(ctx context.Context, a Activity) (Receipt, error)
	// TrackAll records all of as or, as far as the trail's sinks can, none.
	TrackAll(ctx context.Context, as []Activity) ([]Receipt, error)
}

// checker is what a Trail may offer so that Do can refuse early.
type checker interface {
	Check(ctx context.Context, a Activity) error
}

// enabler is what a Trail may offer so that callers can spare themselves the making of an Activity.
type enabler interface{ Enabled() bool }

// clock is what a Trail may offer so that a fallback that waits has the time of the change by the trail's own clock.
type clock interface{ Now() time.Time }

// Receipt is what Track gives for an activity that is safe.
type Receipt struct {
	ID        ID
	Time      time.Time // the record's time; (Time, ID) is its key
	Outcome   Outcome   // as recorded
	Ignored   bool      // the policy leaves this activity out: there is no record
	Delivered time.Time // when the last required sink had confirmed it; zero where Track did not wait for that
}

var defaultTrail atomic.Pointer[Trail]

// SetDefault makes t the trail of contexts that have none of their own; nil takes it away. Call it once at start-up.
func SetDefault(t Trail) {
	if t == nil {
		defaultTrail.Store(nil)
		return
	}
	defaultTrail.Store(&t)
}

// Enabled reports whether an activity tracked in ctx could be recorded: there is a trail, and its policy is not switched
// off. It is for callers to whom making an Activity is dear.
func Enabled(ctx context.Context) bool {
	t := TrailFromContext(ctx)
	if e, ok := t.(enabler); ok {
		return e.Enabled()
	}
	return t != nil
}
