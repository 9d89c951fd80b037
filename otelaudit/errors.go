package otelaudit

import (
	"errors"
	"fmt"
)

// The errors of [Track]. Each says what the caller should do; see docs/track-failed.md.
var (
	// ErrNoTrail: nobody opened a trail. Call SetDefault at start-up, or put one into the context.
	ErrNoTrail = errors.New("otelaudit: no trail: call otelaudit.SetDefault at start-up or use otelaudit.ContextWithTrail")
	// ErrInvalid: the activity is not one. Mend the code; tracking it again gives the same error.
	ErrInvalid = errors.New("otelaudit: invalid activity")
	// ErrShutdown: the trail was shut down before the call, or without a journal before every required sink had confirmed the
	// record; the text says which one has not, and whether that may have got it. Shut the trail down last.
	ErrShutdown = errors.New("otelaudit: the trail is shut down")
	// ErrTimeout: nothing confirmed the record within TrackTimeout. It may still arrive: track the activity of the
	// TrackError again, which cannot make it two.
	ErrTimeout = errors.New("otelaudit: not confirmed in time")
	// ErrFull: more records wait than the trail may hold. Shed load, then track the activity of the TrackError again.
	ErrFull = errors.New("otelaudit: too many records are waiting")
	// ErrUnavailable: a fault that needs a person. Without a journal, a required sink is stopped (a missing table, a wrong
	// password); with one, its disk fails. The wrapped error names the fault.
	ErrUnavailable = errors.New("otelaudit: nothing can take the record")
	// ErrRejected: a required sink has refused this record for good, for example because its id already names another
	// activity; or it has refused the record of the policy that ignores this one. Tracking it again gives the same error.
	ErrRejected = errors.New("otelaudit: a required sink refused the record")
	// ErrNotDelivered: the record is safe in the journal and will arrive, but not in the time that Wait: Delivered allows.
	ErrNotDelivered = errors.New("otelaudit: recorded, but not yet delivered")
)

// ErrDenied marks a refusal by a rule: an [Activity] whose Err wraps it has the outcome Denied. Its error.type is "denied",
// unless an error that wraps it has a type of its own.
var ErrDenied error = deniedError{}

type deniedError struct{}

func (deniedError) Error() string     { return "denied" }
func (deniedError) ErrorType() string { return "denied" }

// TrackError says that an activity was not confirmed: which is not to say that it is not there.
//
// Activities are those of the call, with id, time, actor, reason and tenant fixed. Tracking them again is the safe retry: what
// had arrived all the same is not recorded twice.
type TrackError struct {
	Activities []Activity
	Err        error
}

// Error gives the cause, and the id of the activity where there is one.
func (e *TrackError) Error() string {
	switch len(e.Activities) {
	case 0:
		return e.Err.Error()
	case 1:
		return fmt.Sprintf("%v (%s %s)", e.Err, e.Activities[0].Action, e.Activities[0].ID)
	default:
		return fmt.Sprintf("%v (%d activities, the first %s %s)", e.Err, len(e.Activities), e.Activities[0].Action, e.Activities[0].ID)
	}
}

// Unwrap returns the cause.
func (e *TrackError) Unwrap() error { return e.Err }

// IsRetryable reports whether tracking the activities of err's [TrackError] again can succeed without anybody mending
// anything in the code: after a timeout, a full queue, or a stopped sink that somebody has mended. After ErrNotDelivered it
// need not: the record is there.
func IsRetryable(err error) bool {
	if errors.Is(err, ErrNotDelivered) { // it is recorded
		return false
	}
	return errors.Is(err, ErrTimeout) || errors.Is(err, ErrFull) || errors.Is(err, ErrUnavailable)
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}
