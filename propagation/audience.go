package propagation

import (
	"context"
	"sync/atomic"
)

type audienceKey struct{}

// audience is for whom a request is, good for one token.
type audience struct {
	name  string
	spent atomic.Bool
}

// ContextWithAudience returns a context in which the next [Propagator.Inject], and only that one, makes a token for audience;
// "" takes an audience away.
//
// It is for transports and interceptors, which know where a request goes, as [Transport] does. What they call with that
// context may send requests of its own, to fetch a credential for instance; one token each keeps it from those, so long as
// what injects comes first.
func ContextWithAudience(ctx context.Context, name string) context.Context {
	if name == "" {
		if AudienceFromContext(ctx) == "" {
			return ctx
		}
		return context.WithValue(ctx, audienceKey{}, (*audience)(nil))
	}
	return context.WithValue(ctx, audienceKey{}, &audience{name: name})
}

// AudienceFromContext returns the audience for which the next Inject makes a token; "" where there is none, or no more.
func AudienceFromContext(ctx context.Context) string {
	if a, _ := ctx.Value(audienceKey{}).(*audience); a != nil && !a.spent.Load() {
		return a.name
	}
	return ""
}

// takeAudience is AudienceFromContext for the one who makes the token.
func takeAudience(ctx context.Context) string {
	if a, _ := ctx.Value(audienceKey{}).(*audience); a != nil && a.spent.CompareAndSwap(false, true) {
		return a.name
	}
	return ""
}
