package audithttp

import (
	"context"
	"net/http"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// NewMiddleware returns middleware that puts the request's facts and its actor into the context. It may wrap several
// handlers, and panics of theirs and of actor's pass through it.
//
// actor says who sent the request, from what the server has verified; it gets the request with its facts in the context, so
// that what it tracks (a failed login) says where it came from. It must not keep the request. What it returns means:
//
//   - an actor: who acts, with the trust that it carries; for whom another service says, only by [WithPropagated];
//   - the zero Actor and nil: there are no credentials. An actor that is in the context already, put there by a propagator,
//     stays; else it is [otelaudit.Anonymous];
//   - an error: the answer is 401, and the handler is not called; see [WithAnonymousOnError], [WithUnauthorized].
//
// A nil actor leaves the context's actor as it is, whether there is one or not.
func NewMiddleware(actor func(*http.Request) (otelaudit.Actor, error), opts ...Option) func(http.Handler) http.Handler {
	c := newConfig(opts)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.serve(w, r, actor, next)
		})
	}
}

func (c *config) serve(w http.ResponseWriter, r *http.Request, actor func(*http.Request) (otelaudit.Actor, error), next http.Handler) {
	route := &route{custom: c.route}
	inner := r.WithContext(otelaudit.ContextWithRequest(r.Context(), c.facts(r, route)))
	route.req = inner // without the lock: nobody has inner's context yet
	defer route.end(r)
	var refusal error
	if actor != nil {
		var ctx context.Context
		ctx, refusal = c.identify(inner, actor)
		route.putContext(ctx)
	}
	switch {
	case c.trackRejection != nil && c.trackRejection(inner.Context()) != nil: // its cause is the trail's to report
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
	case refusal != nil:
		for _, challenge := range c.challenges {
			w.Header().Add("WWW-Authenticate", challenge)
		}
		c.unauthorized(w, inner, refusal)
	default:
		next.ServeHTTP(w, inner)
	}
}

// identify returns r's context with the actor in it. With an error, which means that r must not go on, it is anonymous.
func (c *config) identify(r *http.Request, actor func(*http.Request) (otelaudit.Actor, error)) (context.Context, error) {
	a, err := actor(r)
	ctx := r.Context()
	if err != nil {
		if c.anonymousOnError {
			err = nil
		}
		return otelaudit.ContextWithActor(ctx, otelaudit.Anonymous()), err
	}
	known, _ := otelaudit.ActorFromContext(ctx)
	switch {
	case !a.IsZero():
		a = a.ForPropagated(known, c.propagated)
	case !known.IsZero():
		return ctx, nil
	default:
		a = otelaudit.Anonymous()
	}
	return otelaudit.ContextWithActor(ctx, a), nil
}
