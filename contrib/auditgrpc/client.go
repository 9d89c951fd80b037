package auditgrpc

import (
	"context"
	"maps"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// UnaryClientInterceptor returns an interceptor that names the audience of each call, for which the propagator in otelgrpc's
// client handler then writes a token. audiences are by target, as it is given to grpc.NewClient ("orders.internal:8443") or
// in its canonical form ("dns:///orders.internal:8443", see grpc.ClientConn.CanonicalTarget). A target is compared to the
// byte, and never resolved: one that is written in another way is not listed. Which authority a call names does not matter.
// Without TLS there is no proof of who answers, and everybody on the way can read the token.
//
// For a target that is not listed, an audience already in the context is taken away. A token that the application put into
// the outgoing baggage itself, as a proxy does that passes on the metadata of its own callers, is always taken out: it was
// meant for this service.
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

// address returns ctx with the audience of what cc leads to.
func address(ctx context.Context, cc *grpc.ClientConn, audiences map[string]string) context.Context {
	if md, ok := metadata.FromOutgoingContext(ctx); ok && stripBaggage(md) {
		ctx = metadata.NewOutgoingContext(ctx, md)
	}
	audience, ok := audiences[cc.Target()]
	if !ok {
		audience = audiences[cc.CanonicalTarget()]
	}
	return propagation.ContextWithAudience(ctx, audience)
}
