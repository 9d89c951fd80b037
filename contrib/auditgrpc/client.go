package auditgrpc

import (
	"context"
	"maps"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// UnaryClientInterceptor returns an interceptor that says for whom each call is. It sends nothing itself: [ClientHandler]
// does, and without it no token is sent. audiences are by target, as it is given to grpc.NewClient ("orders.internal:8443")
// or in its canonical form ("dns:///orders.internal:8443", see grpc.ClientConn.CanonicalTarget). A target is compared to the
// byte, and never resolved: one that is written in another way is not listed. Which authority a call names does not matter.
// Without TLS there is no proof of who answers, and everybody on the way can read the token.
//
// An audience that the context has from propagation.ContextWithAudience is taken away, also for a target that is not listed.
func UnaryClientInterceptor(audiences map[string]string) grpc.UnaryClientInterceptor {
	audiences = maps.Clone(audiences)
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return invoker(address(ctx, cc, audiences), method, req, reply, cc, opts...)
	}
}

// StreamClientInterceptor is [UnaryClientInterceptor] for streams. A stream has one token, which the server looks at when
// the stream begins.
func StreamClientInterceptor(audiences map[string]string) grpc.StreamClientInterceptor {
	audiences = maps.Clone(audiences)
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		return streamer(address(ctx, cc, audiences), desc, cc, method, opts...)
	}
}

// audienceKey is the key of a call's audience on the way from the interceptors to the handler. It is not propagation's, so
// that nothing on this way but the handler sends a token.
type audienceKey struct{}

// address returns ctx with the audience of what cc leads to.
func address(ctx context.Context, cc *grpc.ClientConn, audiences map[string]string) context.Context {
	audience, ok := audiences[cc.Target()]
	if !ok {
		audience = audiences[cc.CanonicalTarget()]
	}
	return context.WithValue(propagation.ContextWithAudience(ctx, ""), audienceKey{}, audience)
}

// ClientHandler returns a handler for a connection whose interceptors are [UnaryClientInterceptor] and
// [StreamClientInterceptor]. It names the audience that they found to next, which is otelgrpc's client handler, for each
// attempt of a call anew, and to nobody else: what runs below with the call's context, as credentials do that fetch a token
// of their own, makes no token of ours. Over gRPC it would send on the call's metadata, and the token in them: such a
// connection needs a ClientHandler too.
//
//	grpc.WithStatsHandler(auditgrpc.ClientHandler(otelgrpc.NewClientHandler()))
//
// Several values of baggage in the outgoing metadata, of which otelgrpc would send the first only, go out as one. A token
// that the application put there itself, as a proxy does that passes on the metadata of its own callers, is always taken
// out: it was meant for this service.
func ClientHandler(next stats.Handler) stats.Handler { return clientHandler{next} }

type clientHandler struct{ stats.Handler }

// TagRPC implements [stats.Handler].
func (h clientHandler) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	if md, ok := metadata.FromOutgoingContext(ctx); ok {
		stripped, joined := stripBaggage(md), joinBaggage(md)
		if stripped || joined {
			ctx = metadata.NewOutgoingContext(ctx, md)
		}
	}
	audience, _ := ctx.Value(audienceKey{}).(string)
	tagged := h.Handler.TagRPC(propagation.ContextWithAudience(ctx, audience), info)
	return context.WithValue(propagation.ContextWithAudience(tagged, ""), audienceKey{}, "")
}
