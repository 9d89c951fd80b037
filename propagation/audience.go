package propagation

import "context"

type audienceKey struct{}

// ContextWithAudience returns a context in which [Propagator.Inject] makes a token for audience; "" takes an audience away.
//
// It is for transports and interceptors, which know where a request goes, as [Transport] does. In a context that an
// application keeps, it would send the token to whomever it calls next.
func ContextWithAudience(ctx context.Context, audience string) context.Context {
	if AudienceFromContext(ctx) == audience {
		return ctx
	}
	return context.WithValue(ctx, audienceKey{}, audience)
}

// AudienceFromContext returns the audience of ctx; "" where it has none.
func AudienceFromContext(ctx context.Context) string {
	audience, _ := ctx.Value(audienceKey{}).(string)
	return audience
}
