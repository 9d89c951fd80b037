package auditgrpc

import (
	"context"
	"maps"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// ClientOptions returns the options of a connection over which the actor goes along: a handler around next, which is otelgrpc's
// client handler, and interceptors that tell this handler, and nobody else, for whom each call is.
//
//	opts := auditgrpc.ClientOptions(otelgrpc.NewClientHandler(), map[string]string{"dns:///billing.internal:8443": "billing"})
//	conn, err := grpc.NewClient("dns:///billing.internal:8443", append(opts, grpc.WithTransportCredentials(creds))...)
//
// audiences are by target, as it is given to grpc.NewClient ("orders.internal:8443") or in its canonical form
// ("dns:///orders.internal:8443", see grpc.ClientConn.CanonicalTarget). A target is compared to the byte, and never resolved:
// one that is written in another way is not listed. Which authority a call names does not matter. Without TLS there is no proof
// of who answers, and everybody on the way can read the token.
//
// The handler names the audience to next, for each attempt of a call anew. Whoever calls others with the call's context, as an
// interceptor or credentials do that fetch a token of their own, makes no token of ours thereby; over gRPC it would send on the
// call's metadata, and the token in them: such a connection needs ClientOptions too, with nil for audiences. Several
// connections may have the same options. An interceptor that leads a call to another connection comes before them.
//
// An audience that the context has from propagation.ContextWithAudience is taken away, also for a target that is not listed.
// Several values of baggage in the outgoing metadata, of which otelgrpc would send the first only, go out as one. A token
// that the application put there itself, as a proxy does that passes on the metadata of its own callers, is always taken
// out: it was meant for this service. A stream has one token, which the server looks at when the stream begins.
func ClientOptions(next stats.Handler, audiences map[string]string) []grpc.DialOption {
	c := &client{next, maps.Clone(audiences)}
	return []grpc.DialOption{
		grpc.WithStatsHandler(c),
		grpc.WithChainUnaryInterceptor(c.unary),
		grpc.WithChainStreamInterceptor(c.stream),
	}
}

// client is handler and interceptors of one ClientOptions. Connections have both or neither, so that a call which the handler
// sees has been addressed for the connection that it takes.
type client struct {
	stats.Handler

	audiences map[string]string
}

// audienceKey is the key of a call's audience on the way from the interceptors of a client to its handler: another client's
// does not look there. It is not propagation's, so that nothing on this way but the handler sends a token.
type audienceKey struct{ of *client }

// address returns ctx with the audience of what cc leads to.
func (c *client) address(ctx context.Context, cc *grpc.ClientConn) context.Context {
	audience, ok := c.audiences[cc.Target()]
	if !ok {
		audience = c.audiences[cc.CanonicalTarget()]
	}
	return context.WithValue(propagation.ContextWithAudience(ctx, ""), audienceKey{c}, audience)
}

func (c *client) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoker(c.address(ctx, cc), method, req, reply, cc, opts...)
}

func (c *client) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return streamer(c.address(ctx, cc), desc, cc, method, opts...)
}

// TagRPC implements [stats.Handler].
func (c *client) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	if md, ok := metadata.FromOutgoingContext(ctx); ok {
		stripped, joined := changeBaggage(md, propagation.StripBaggage), joinBaggage(md)
		if stripped || joined {
			ctx = metadata.NewOutgoingContext(ctx, md)
		}
	}
	audience, _ := ctx.Value(audienceKey{c}).(string)
	tagged := c.Handler.TagRPC(propagation.ContextWithAudience(ctx, audience), info)
	return propagation.ContextWithAudience(tagged, "")
}
