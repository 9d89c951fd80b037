package otelaudit

import (
	"cmp"
	"context"
)

// scope is everything otelaudit keeps in a context, under one key: Track looks it up once. It is a context itself, which
// spares an allocation for the request and for the actor. A scope in a context is never changed; a new value gets a new scope.
type scope struct {
	context.Context //nolint:containedctx // the parent of this context

	actor   *Actor
	request *Request
	ledger  *ledger
	*setting
}

// setting is what most requests leave as it was: apart, so that each of them copies less. It is never nil, and never changed either.
type setting struct {
	trail     Trail
	tenant    string
	operation string
	reason    string
	their     bool // reason is that of a propagated actor
}

type scopeKey struct{}

// Value implements [context.Context].
func (s *scope) Value(key any) any {
	if key == (scopeKey{}) {
		return s
	}
	return s.Context.Value(key)
}

var emptyScope = scope{setting: new(setting)}

func scopeFrom(ctx context.Context) *scope {
	if s, ok := ctx.Value(scopeKey{}).(*scope); ok {
		return s
	}
	return &emptyScope
}

// contextWith returns ctx with another setting.
func contextWith(ctx context.Context, change func(*setting)) context.Context {
	s := newScope(ctx)
	s.set(change)
	return s
}

func (s *scope) set(change func(*setting)) {
	changed := *s.setting
	change(&changed)
	s.setting = &changed
}

// newScope returns a copy of ctx's scope, to be changed before anybody has it.
func newScope(ctx context.Context) *scope {
	s := *scopeFrom(ctx)
	s.Context = ctx
	return &s
}

func contextWithLedger(ctx context.Context, l *ledger) context.Context {
	s := newScope(ctx)
	s.ledger = l
	return s
}

// ContextWithTrail returns a context in which [Track] finds t, before the default trail.
func ContextWithTrail(ctx context.Context, t Trail) context.Context {
	return contextWith(ctx, func(s *setting) { s.trail = t })
}

// TrailFromContext returns the trail that [Track] would use in ctx: its own, else the default; nil where there is neither.
func TrailFromContext(ctx context.Context) Trail {
	if t := scopeFrom(ctx).trail; t != nil {
		return t
	}
	if t := defaultTrail.Load(); t != nil {
		return *t
	}
	return nil
}

// ContextWithActor returns a context whose activities are a's. Only code that knows who acts may call it: middleware that
// authenticated somebody, or a job that acts as itself. a.Roles and a.OnBehalfOf must not be changed afterwards.
//
// The reason of a propagated actor ([ContextWithPropagated]) goes with that actor: it stays only where a acts on behalf of one.
func ContextWithActor(ctx context.Context, a Actor) context.Context {
	s := newActorScope(ctx, a)
	if s.their && (a.OnBehalfOf == nil || a.OnBehalfOf.Trust != TrustPropagated) {
		s.set(func(s *setting) { s.reason, s.their = "", false })
	}
	return s
}

// ContextWithPropagated returns a context with what another service says, and has proved that it may say: who acts, in which
// operation, and why. An empty operation or reason leaves that of ctx. It is for propagators.
func ContextWithPropagated(ctx context.Context, a Actor, operation, reason string) context.Context {
	s := newActorScope(ctx, a)
	if operation == "" && reason == "" {
		return s
	}
	s.set(func(s *setting) {
		s.operation = cmp.Or(operation, s.operation)
		if reason != "" {
			s.reason, s.their = reason, true
		}
	})
	return s
}

// newActorScope returns ctx's scope with another actor, in one allocation.
func newActorScope(ctx context.Context, a Actor) *scope {
	s := struct {
		scope
		actor Actor
	}{*scopeFrom(ctx), a}
	s.Context, s.scope.actor = ctx, &s.actor
	return &s.scope
}

// ActorFromContext returns the actor of ctx, and whether there is one.
func ActorFromContext(ctx context.Context) (Actor, bool) {
	if a := scopeFrom(ctx).actor; a != nil {
		return *a, true
	}
	return Actor{}, false
}

// ContextWithRequest returns a context whose activities came with r.
func ContextWithRequest(ctx context.Context, r Request) context.Context {
	s := struct { // one allocation
		scope
		request Request
	}{*scopeFrom(ctx), r}
	s.Context, s.scope.request = ctx, &s.request
	return &s.scope
}

// RequestFromContext returns the request of ctx, and whether there is one.
func RequestFromContext(ctx context.Context) (Request, bool) {
	if r := scopeFrom(ctx).request; r != nil {
		return *r, true
	}
	return Request{}, false
}

// ContextWithTenant returns a context whose activities belong to tenant.
func ContextWithTenant(ctx context.Context, tenant string) context.Context {
	return contextWith(ctx, func(s *setting) { s.tenant = tenant })
}

// TenantFromContext returns the tenant set with [ContextWithTenant], and whether there is one.
func TenantFromContext(ctx context.Context) (string, bool) {
	tenant := scopeFrom(ctx).tenant
	return tenant, tenant != ""
}

// ContextWithOperation returns a context whose activities belong to one operation: the import, the checkout, the job run
// that they are all steps of.
func ContextWithOperation(ctx context.Context, operation string) context.Context {
	return contextWith(ctx, func(s *setting) { s.operation = operation })
}

// OperationFromContext returns the operation of ctx, and whether there is one.
func OperationFromContext(ctx context.Context) (string, bool) {
	operation := scopeFrom(ctx).operation
	return operation, operation != ""
}

// ContextWithReason returns a context whose activities have this reason, where they give none of their own: the ticket, the
// legal basis, the words that a person typed before they went on.
func ContextWithReason(ctx context.Context, reason string) context.Context {
	return contextWith(ctx, func(s *setting) { s.reason, s.their = reason, false })
}

// ReasonFromContext returns the reason set with [ContextWithReason], and whether there is one.
func ReasonFromContext(ctx context.Context) (string, bool) {
	reason := scopeFrom(ctx).reason
	return reason, reason != ""
}
