package auditgrpc

import (
	"context"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// FromContext returns the actor function for an application whose own interceptor, further out, authenticates the call and
// leaves the caller in the context. get turns that into an actor; false, or a zero Actor, means that there were no
// credentials.
//
// The actor is verified ([otelaudit.TrustVerified]), so get must take it only from where authenticated code put it; an
// actor that says it was propagated stays so. AuthMethod is get's to set.
func FromContext(get func(context.Context) (otelaudit.Actor, bool)) func(ctx context.Context, fullMethod string) (otelaudit.Actor, error) {
	return func(ctx context.Context, _ string) (otelaudit.Actor, error) {
		a, ok := get(ctx)
		if !ok {
			return otelaudit.Actor{}, nil
		}
		return verified(a, ""), nil
	}
}

// verified returns a as somebody who proved by method who they are, unless a says itself how. Nobody stays nobody.
func verified(a otelaudit.Actor, method string) otelaudit.Actor {
	if a.IsZero() || a.Type == otelaudit.ActorAnonymous || a.Type == otelaudit.ActorUnknown {
		return a
	}
	if a.Trust == otelaudit.TrustDeclared {
		a.Trust = otelaudit.TrustVerified
	}
	if a.AuthMethod == "" {
		a.AuthMethod = method
	}
	return a
}
