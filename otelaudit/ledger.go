package otelaudit

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// A ledger remembers, for one scope, which targets explicit activities have spoken for, and holds the fallbacks that wait to
// learn whether they are needed. It is bounded: what does not fit is recorded rather than suppressed.
type ledger struct {
	outer *ledger // of the scope around, whose fallbacks are covered as well

	mu      sync.Mutex // guards all below
	covered map[targetKey]struct{}
	waiting []fallback
	ended   bool
}

// targetKey names one target: its id is unique within type and tenant.
type targetKey struct{ tenant, typ, id string }

func keyOf(s *scope, a *Activity, t Target) targetKey {
	tenant := cmp.Or(a.Tenant, s.tenant, a.Actor.Tenant)
	if tenant == "" && a.Actor.IsZero() && s.actor != nil {
		tenant = s.actor.Tenant
	}
	return targetKey{tenant, t.Type, t.ID}
}

type fallback struct {
	ctx      context.Context //nolint:containedctx // the activity is recorded later, as of this context
	activity Activity
}

// The bounds of a ledger.
const (
	maxCovered = 4096
	maxWaiting = 1024
)

// ContextWithFallback opens a scope, such as a request: until the returned function is called, what [Fallback] is given in
// it waits, and stays unrecorded if by then an explicit activity has spoken for the same target. The function records the
// rest, in no particular order, and ends the scope; call it once, when the work is done, and handle its error like Track's:
// what may be tracked again is in one [*TrackError]. Fallbacks after that are recorded at once.
func ContextWithFallback(ctx context.Context) (context.Context, func(context.Context) error) {
	l := &ledger{outer: scopeFrom(ctx).ledger, covered: map[targetKey]struct{}{}}
	return contextWithLedger(ctx, l), l.end
}

// Fallback is for hooks of an ORM, which see that a row changed but not why. It records a unless, within the scope of
// [ContextWithFallback], an explicit activity covers a's target: the same tenant, type and id, never the type alone. Covering are
// activities that are recorded as a success and change something (neither LOGIN nor LOGOUT, nor reading verbs such as READ, LIST
// or EXPORT), by their Target and Related. What was tracked in a scope around this one covers, too, if that was before this one
// ended. Without a scope, or when a scope holds too much, a is recorded at once.
func Fallback(ctx context.Context, a Activity) error {
	l := scopeFrom(ctx).ledger
	if l == nil {
		return Track(ctx, a)
	}
	// The id and the time are those of the change, not of the scope's end.
	fixed := a
	if fixed.Time.IsZero() && fixed.ID.IsZero() {
		fixed.Time = nowFor(ctx)
	}
	if l.hold(ctx, fixed) {
		return nil
	}
	return Track(contextWithLedger(ctx, nil), a)
}

func (l *ledger) hold(ctx context.Context, a Activity) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || len(l.waiting) >= maxWaiting {
		return false
	}
	// Outlive the request's cancellation; and a fallback covers nothing, so it must not find the ledger.
	ctx = contextWithLedger(context.WithoutCancel(ctx), nil)
	// The caller may reuse what it gave.
	a.Related, a.Changes, a.Metadata = slices.Clone(a.Related), slices.Clone(a.Changes), slices.Clone(a.Metadata)
	if checkActor(&a.Actor) == nil { // else it is refused in the end; its chain may be a circle
		a.Actor = *a.Actor.clone()
	}
	l.waiting = append(l.waiting, fallback{ctx, a})
	return true
}

// coverAll notes what explicit activities of scope s have spoken for, as far as they are recorded: receipts and err are what their
// trail returned.
func (l *ledger) coverAll(s *scope, as []Activity, receipts []Receipt, err error) {
	if err == nil {
		for i, r := range receipts {
			if i < len(as) && !r.Ignored && r.Outcome == Success {
				l.cover(s, &as[i])
			}
		}
		return
	}
	if te, ok := errors.AsType[*TrackError](err); ok && errors.Is(err, ErrNotDelivered) { // recorded all the same
		for i := range te.Activities {
			if te.Activities[i].Outcome == Success {
				l.cover(s, &te.Activities[i])
			}
		}
	}
}

// cover notes what an activity of scope s has spoken for that is recorded as a success.
func (l *ledger) cover(s *scope, a *Activity) {
	if !changesSomething(a.Action) {
		return
	}
	for ; l != nil; l = l.outer {
		l.mu.Lock()
		l.coverKey(keyOf(s, a, a.Target))
		for _, t := range a.Related {
			l.coverKey(keyOf(s, a, t))
		}
		l.mu.Unlock()
	}
}

// coverKey is called with mu held.
func (l *ledger) coverKey(k targetKey) {
	if k.id != "" && len(l.covered) < maxCovered {
		l.covered[k] = struct{}{}
	}
}

// covers reports whether an explicit activity has spoken for k, in this scope or in one around it.
func (l *ledger) covers(k targetKey) bool {
	for ; l != nil; l = l.outer {
		l.mu.Lock()
		_, ok := l.covered[k]
		l.mu.Unlock()
		if ok {
			return true
		}
	}
	return false
}

func (l *ledger) end(ctx context.Context) error {
	l.mu.Lock()
	l.ended = true
	waiting := l.waiting
	l.waiting = nil
	var needed []fallback
	l.mu.Unlock()
	for _, f := range waiting {
		if !l.covers(keyOf(scopeFrom(f.ctx), &f.activity, f.activity.Target)) {
			needed = append(needed, f)
		}
	}

	// All at once: they share the trail's batches, and a trail that is down holds the scope for one TrackTimeout.
	errs := make([]error, len(needed))
	var recorded sync.WaitGroup
	for i, f := range needed {
		// Where the hook's context has no trail of its own, the one that ends the scope may.
		if TrailFromContext(f.ctx) == nil {
			if t := TrailFromContext(ctx); t != nil {
				f.ctx = ContextWithTrail(f.ctx, t)
			}
		}
		recorded.Go(func() { errs[i] = Track(f.ctx, f.activity) })
	}
	recorded.Wait()
	return joinTrackErrors(errs)
}

// joinTrackErrors puts what may be tracked again into one TrackError, which errors.As finds first, so that one retry is
// enough for all of it. The other errors stand behind.
func joinTrackErrors(errs []error) error {
	again, others := &TrackError{}, []error(nil)
	var causes []error
	for _, err := range errs {
		if te, ok := errors.AsType[*TrackError](err); ok && IsRetryable(err) {
			again.Activities = append(again.Activities, te.Activities...)
			causes = append(causes, te.Err)
		} else {
			others = append(others, err)
		}
	}
	if len(causes) == 0 {
		return errors.Join(others...)
	}
	again.Err = errors.Join(causes...)
	return errors.Join(append([]error{again}, others...)...)
}

// nowFor is the clock of the trail in ctx.
func nowFor(ctx context.Context) time.Time {
	if c, ok := TrailFromContext(ctx).(clock); ok {
		return c.Now()
	}
	return time.Now()
}

// changesSomething reports whether an action that succeeds speaks for the state of its targets: its verb is not one that only
// looks. An unknown verb changes something: APPROVE does.
func changesSomething(action string) bool {
	switch verbOf(action) {
	case "READ", "GET", "LIST", "VIEW", "SEARCH", "EXPORT", "DOWNLOAD", "LOGIN", "LOGOUT":
		return false
	}
	return true
}
