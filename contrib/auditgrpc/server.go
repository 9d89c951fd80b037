package auditgrpc

import (
	"cmp"
	"context"

	"google.golang.org/grpc"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// UnaryServerInterceptor returns an interceptor that puts the facts of a call and its actor into the context. Panics of the
// handler's and of actor's pass through it.
//
// actor says who sent the call, from what the server has verified; ctx has the call's facts, so that what it tracks (a failed
// login) says where it came from. fullMethod is "/package.Service/Method". What it returns means:
//
//   - an actor: who acts, with the trust that it carries; for whom another service says, only by [WithPropagated];
//   - the zero Actor and nil: there are no credentials. An actor that is in the context already, put there by a propagator,
//     stays; else it is [otelaudit.Anonymous];
//   - an error: the answer is codes.Unauthenticated, and the handler is not called; see [WithAnonymousOnError],
//     [WithUnauthenticated].
//
// A nil actor leaves the context's actor as it is, whether there is one or not.
func UnaryServerInterceptor(actor func(ctx context.Context, fullMethod string) (otelaudit.Actor, error), opts ...Option) grpc.UnaryServerInterceptor {
	c := newConfig(actor, opts)
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		ctx, err := c.enter(ctx, info.FullMethod)
		if err != nil {
			return nil, err
		}
		return handler(ctx, req)
	}
}

// StreamServerInterceptor is [UnaryServerInterceptor] for streams: actor is asked once, when the stream begins, and its
// answer holds for as long as the stream lasts.
func StreamServerInterceptor(actor func(ctx context.Context, fullMethod string) (otelaudit.Actor, error), opts ...Option) grpc.StreamServerInterceptor {
	c := newConfig(actor, opts)
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		ctx, err := c.enter(stream.Context(), info.FullMethod)
		if err != nil {
			return err
		}
		return handler(srv, &serverStream{stream, ctx})
	}
}

// serverStream is a stream with another context.
type serverStream struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // what Context returns
}

func (s *serverStream) Context() context.Context { return s.ctx }

// enter returns the context for the handler, or the error to answer with.
func (c *config) enter(ctx context.Context, fullMethod string) (context.Context, error) {
	ctx = otelaudit.ContextWithRequest(ctx, facts(ctx, fullMethod))
	ctx, refusal := c.identify(ctx, fullMethod)
	if c.trackRejections && propagation.TrackRejection(ctx) != nil {
		return nil, errUnrecorded // its cause is the trail's to report
	}
	if refusal == nil {
		return ctx, nil
	}
	if c.unauthenticated == nil {
		return nil, errRefused
	}
	return nil, cmp.Or(c.unauthenticated(ctx, fullMethod, refusal), errRefused)
}

// identify returns ctx with the actor in it. With an error, which means that the call must not go on, it is anonymous.
func (c *config) identify(ctx context.Context, fullMethod string) (context.Context, error) {
	if c.actor == nil {
		return ctx, nil
	}
	own, err := c.actor(ctx, fullMethod)
	if err != nil {
		if c.anonymousOnError {
			err = nil
		}
		return otelaudit.ContextWithActor(ctx, otelaudit.Anonymous()), err
	}
	known, _ := otelaudit.ActorFromContext(ctx)
	switch {
	case !own.IsZero():
		own = own.ForPropagated(known, c.propagated)
	case !known.IsZero():
		return ctx, nil
	default:
		own = otelaudit.Anonymous()
	}
	return otelaudit.ContextWithActor(ctx, own), nil
}
