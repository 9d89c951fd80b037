package otelaudit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Recorder turns activities into records under one [Policy]. Every implementation of [Trail] has one, so that a test's trail
// and the production trail record the same. It is safe for concurrent use.
type Recorder struct {
	policy   Policy
	ignoring ignoring
	ids      ids
	verbs    verbs

	unknown, ignored, ahead atomic.Uint64
}

// RecorderStats counts what a Recorder saw since it was made.
type RecorderStats struct {
	UnknownActors uint64 // records whose actor nobody named
	Ignored       uint64 // activities that the policy left out
	AheadOfClock  uint64 // records whose time lay ahead of the clock
}

// NewRecorder returns a Recorder for p, or an error that names the field of p that is wrong.
func NewRecorder(p Policy) (*Recorder, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	return &Recorder{policy: p, ignoring: newIgnoring(p.Ignore)}, nil
}

// Policy returns the policy.
func (rc *Recorder) Policy() Policy { return rc.policy }

// Now returns the time by the policy's clock.
func (rc *Recorder) Now() time.Time { return rc.policy.Now() }

// Stats returns the counts so far.
func (rc *Recorder) Stats() RecorderStats {
	return RecorderStats{UnknownActors: rc.unknown.Load(), Ignored: rc.ignored.Load(), AheadOfClock: rc.ahead.Load()}
}

// Ignores reports whether the policy leaves out activities with this action.
func (rc *Recorder) Ignores(action string) bool {
	return rc.policy.Disabled || rc.ignoring.matches(action)
}

// Check returns the error that [Recorder.Record] would return for a at this moment.
func (rc *Recorder) Check(ctx context.Context, a *Activity) error {
	s := scopeFrom(ctx)
	_, _, err := rc.check(s, a, rc.policy.Now())
	return err
}

// Record fills r with the record of a: id and time, what a leaves to the context, the outcome, all of it storable. It
// reports false where the policy ignores a; r then has no more than [Record.Fixed] needs: ID, Time, Actor, Reason and Tenant.
// An error wraps [ErrInvalid].
//
// r may be a used record; its memory is reused. Nothing that the record of an a that is not ignored holds is shared with a, but
// values that cannot change.
func (rc *Recorder) Record(ctx context.Context, a *Activity, r *Record) (bool, error) {
	now := rc.policy.Now()
	s := scopeFrom(ctx)
	r.Reset()
	actor, at, err := rc.check(s, a, now)
	if err != nil {
		return false, err
	}
	r.Time, r.ID = at, a.ID
	if r.ID.IsZero() {
		if a.Time.IsZero() {
			r.ID = rc.ids.next(at)
		} else {
			r.ID = rc.ids.at(at)
		}
	}
	r.Actor = Actor{Type: ActorUnknown}
	if actor != nil && !actor.IsZero() {
		r.Actor = *actor
	}
	r.Reason, r.Tenant = a.Reason, a.Tenant
	if !a.fixed {
		r.Reason = cmp.Or(a.Reason, s.reason)
		r.Tenant = cmp.Or(a.Tenant, s.tenant, r.Actor.Tenant)
	}
	if rc.Ignores(a.Action) {
		rc.ignored.Add(1)
		return false, nil
	}
	r.Observed = micros(now)
	if r.Time.After(r.Observed) {
		rc.ahead.Add(1)
	}
	if r.Actor.Type == ActorUnknown {
		rc.unknown.Add(1)
	}
	r.Action, r.Verb = a.Action, rc.verbs.of(a.Action)
	r.Target = a.Target
	r.Related = append(r.Related, a.Related...)
	r.Changes = append(r.Changes, a.Changes...)
	r.Metadata = append(r.Metadata, a.Metadata...)
	r.Outcome = rc.outcome(a)
	if a.Err != nil {
		r.ErrorType = errorType(a.Err)
	}
	r.Operation = s.operation
	if s.request != nil {
		r.Request = *s.request
		if r.Request.Route == "" && r.Request.RouteFunc != nil {
			r.Request.Route, _ = guarded("Request.RouteFunc", r.Request.RouteFunc)
		}
		r.Request.RouteFunc = nil
	}
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.TraceID, r.SpanID, r.TraceFlags = sc.TraceID(), sc.SpanID(), sc.TraceFlags()
	}
	r.Actor.Session = hashSession(r.Actor.Session)
	r.Sanitized = append(r.Sanitized, a.flags...)
	makeStorable(r)
	return true, nil
}

// check refuses what the programmer must mend. It returns the actor (nil: nobody) and the time of the record.
func (rc *Recorder) check(s *scope, a *Activity, now time.Time) (*Actor, time.Time, error) {
	var actor *Actor
	if a.Actor.IsZero() {
		actor = s.actor
	} else {
		actor = &a.Actor
	}
	switch {
	case a.Action == "":
		return nil, time.Time{}, invalid("Action is empty: name what was done, like \"invoice.approve\"")
	case a.Action[0] == '.':
		return nil, time.Time{}, invalid("Action %.40q begins with a dot: what Created and its like make it of, the target's or the actor's Type, is empty", a.Action)
	case a.Outcome != "" && !a.Outcome.valid():
		return nil, time.Time{}, invalid("Outcome %.40q: use otelaudit.Success, Failure, Denied or OutcomeUnknown", string(a.Outcome))
	case a.Wait > Delivered:
		return nil, time.Time{}, invalid("Wait %d: use otelaudit.WaitDefault or Delivered", a.Wait)
	}
	if err := checkActor(actor); err != nil {
		return nil, time.Time{}, err
	}
	// What is not recorded needs neither an actor nor a tenant.
	if rc.policy.RequireActor && (actor == nil || actor.Type == ActorUnknown || actor.IsZero()) && !rc.Ignores(a.Action) {
		return nil, time.Time{}, invalid("%s has no actor, and the policy requires one: wrap the handler with audithttp, or set Activity.Actor", a.Action)
	}
	if rc.policy.RequireTenant && a.Tenant == "" && s.tenant == "" && (actor == nil || actor.Tenant == "") && !rc.Ignores(a.Action) {
		return nil, time.Time{}, invalid("%s has no tenant, and the policy requires one: set Activity.Tenant, or use otelaudit.ContextWithTenant", a.Action)
	}
	at, err := rc.time(a, now)
	return actor, at, err
}

func checkActor(actor *Actor) error {
	for depth := 0; actor != nil; actor, depth = actor.OnBehalfOf, depth+1 {
		if depth > 1000 {
			return invalid("the actor's OnBehalfOf is a circle: give each actor in the chain a value of its own")
		}
		if depth == 0 && actor.IsZero() {
			return nil
		}
		switch {
		case !actor.Type.valid():
			return invalid("Actor.Type %.40q: use otelaudit.User, Service, System or Anonymous", string(actor.Type))
		case actor.ID == "" && actor.Type != ActorAnonymous && actor.Type != ActorUnknown:
			return invalid("Actor.ID is empty for a %s: give its opaque id, or use otelaudit.Anonymous", actor.Type)
		case actor.Trust > TrustVerified:
			return invalid("Actor.Trust %d: use otelaudit.TrustDeclared, TrustPropagated or TrustVerified", actor.Trust)
		}
	}
	return nil
}

const day = 24 * time.Hour

func (rc *Recorder) time(a *Activity, now time.Time) (time.Time, error) {
	at := a.Time
	if at.IsZero() {
		if a.ID.IsZero() {
			return micros(now), nil
		}
		var ok bool
		if at, ok = a.ID.Time(); !ok {
			return time.Time{}, invalid("ID %s has no Time: a repetition would be another record; set Activity.Time, or use a UUIDv7", a.ID)
		}
	}
	if at.Unix() < 0 {
		return time.Time{}, invalid("Time %s lies before 1970", at.Format(time.RFC3339))
	}
	if at.After(now.Add(day)) {
		return time.Time{}, invalid("Time %s lies more than a day ahead of the clock (%s)", at.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	return micros(at), nil
}

func (rc *Recorder) outcome(a *Activity) Outcome {
	switch {
	case a.Outcome != "":
		return a.Outcome
	case a.Err == nil:
		return Success
	}
	if rc.policy.Classify != nil {
		if o, ok := guarded("Policy.Classify", func() Outcome { return rc.policy.Classify(a.Err) }); ok && o.valid() {
			return o
		}
	}
	if isDenied(a.Err) {
		return Denied
	}
	return Failure
}

// guarded calls a function of the application's. One that panics has no result, and is reported to OpenTelemetry's error
// handler: the activity happened all the same.
func guarded[T any](name string, f func() T) (v T, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			otel.Handle(fmt.Errorf("otelaudit: %s panicked: %s", name, panicText(p)))
		}
	}()
	return f(), true
}

// panicText is what may be shown of a panic: what the runtime says, and else only the type, for an application may panic with
// what it was given, and that may be secret.
func panicText(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a %T, which is not shown", p)
}

// isDenied is errors.Is(err, ErrDenied), also where err's own methods panic.
func isDenied(err error) (denied bool) {
	defer func() { _ = recover() }()
	return errors.Is(err, ErrDenied)
}

// micros is t in UTC and whole microseconds, without a monotonic reading.
func micros(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }

// errorType is semconv's error.type. An error whose own methods panic, as those of a nil pointer do, has its Go type.
func errorType(err error) (name string) {
	defer func() {
		if recover() != nil {
			name = fmt.Sprintf("%T", err)
		}
	}()
	return semconv.ErrorType(err).Value.AsString()
}

// verbs remembers the verb of each action: there are few, and making one allocates.
type verbs struct {
	known sync.Map // action → verb
	n     atomic.Int32
}

const maxVerbs = 1024 // an action made from input must not fill the memory

func (v *verbs) of(action string) string {
	if verb, ok := v.known.Load(action); ok {
		return verb.(string)
	}
	verb := verbOf(action)
	if v.n.Load() < maxVerbs && len(action) <= MaxActionBytes {
		v.n.Add(1)
		v.known.Store(strings.Clone(action), verb)
	}
	return verb
}

func verbOf(action string) string {
	action = strings.TrimRight(action, ".")
	if action == "" {
		action = unknownID // a record without a verb would be none
	}
	return strings.ToUpper(action[strings.LastIndexByte(action, '.')+1:])
}

// sortMetadata sorts by key and keeps the order of equal keys.
func sortMetadata(kvs []attribute.KeyValue) {
	byKey := func(a, b attribute.KeyValue) int { return strings.Compare(string(a.Key), string(b.Key)) }
	if !slices.IsSortedFunc(kvs, byKey) {
		slices.SortStableFunc(kvs, byKey)
	}
}
