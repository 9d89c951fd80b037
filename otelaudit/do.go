package otelaudit

import (
	"context"
	"errors"
)

// Do runs f and records a with its outcome. What Track would refuse, Do refuses before f runs. f may complete the activity
// it is given: a new id, the changes. f's error becomes the activity's Err, unless f set one, and the outcome follows from that,
// unless f set it: what a has of either beforehand does not count.
//
// The activity is recorded also when f panics: as a Failure with error.type "panic", and the panic goes on with its stack.
//
// Do returns f's error, joined with a [*TrackError] if recording failed. errors.As with a *TrackError finds that one first; it
// also finds one that f returned, so f should not return the errors of what it tracks itself.
func Do(ctx context.Context, a Activity, f func(context.Context, *Activity) error) (err error) {
	t := TrailFromContext(ctx)
	if t == nil {
		return CountFailure(ctx, ErrNoTrail)
	}
	if f == nil {
		return CountFailure(ctx, invalid("Do has no function to run"))
	}
	if c, ok := t.(checker); ok {
		if err := c.Check(ctx, a); err != nil {
			return CountFailure(ctx, err)
		}
	}
	a.Outcome, a.Err = "", nil
	returned := false
	defer func() {
		// No recover: the panic must keep its stack. f that ends its goroutine (runtime.Goexit) looks the same.
		if !returned {
			a.Outcome, a.Err = Failure, panicError{}
		} else if a.Err == nil {
			a.Err = err
		}
		if trackErr := Track(ctx, a); err == nil {
			err = trackErr
		} else if trackErr != nil {
			err = errors.Join(trackErr, err)
		}
	}()
	err = f(ctx, &a)
	returned = true
	return err
}

// panicError stands for a panic on its way through Do, whose value is not ours to touch.
type panicError struct{}

func (panicError) Error() string     { return "panic" }
func (panicError) ErrorType() string { return "panic" }
