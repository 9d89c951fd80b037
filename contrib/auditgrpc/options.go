package auditgrpc

import (
	"context"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Option changes what [UnaryServerInterceptor] and [StreamServerInterceptor] make.
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

type actorFunc = func(ctx context.Context, fullMethod string) (otelaudit.Actor, error)

type config struct {
	actor            actorFunc // nil: whoever is in the context
	propagated       func(own, propagated otelaudit.Actor) bool
	anonymousOnError bool
	unauthenticated  func(ctx context.Context, fullMethod string, err error) error
	trackRejections  bool
}

func newConfig(actor actorFunc, opts []Option) *config {
	c := &config{actor: actor}
	for _, o := range opts {
		o.apply(c)
	}
	return c
}

// WithPropagated asks allow whether own, the actor that the actor function returned, may act on behalf of the actor that
// another service propagated: own.OnBehalfOf is then the propagated actor, as [otelaudit.Actor.ForPropagated] says. Without
// it, or where allow returns false, own acts for itself, and the propagated actor is not recorded.
//
// Where the actor function returned no actor, the propagated one acts, and allow is not asked.
func WithPropagated(allow func(own, propagated otelaudit.Actor) bool) Option {
	return optionFunc(func(c *config) { c.propagated = allow })
}

// WithAnonymousOnError lets a call go on whose actor function returned an error, as anonymous: also where another service
// propagated an actor, for who failed to authenticate is nobody. Without it the answer is codes.Unauthenticated.
func WithAnonymousOnError() Option {
	return optionFunc(func(c *config) { c.anonymousOnError = true })
}

// WithUnauthenticated gives the error with which to answer a call whose actor function returned err, instead of a plain
// codes.Unauthenticated that does not show err. In ctx the actor is anonymous, and the call is known: what answer tracks
// says where the attempt came from. The call is refused also where answer returns nil.
func WithUnauthenticated(answer func(ctx context.Context, fullMethod string, err error) error) Option {
	return optionFunc(func(c *config) { c.unauthenticated = answer })
}

// WithRejectionsTracked records a token in the call that was not accepted, as propagation.TrackRejection does, by the actor
// of the call. A call whose rejection cannot be recorded is answered with codes.Unavailable.
func WithRejectionsTracked() Option {
	return optionFunc(func(c *config) { c.trackRejections = true })
}
