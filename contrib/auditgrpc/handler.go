package auditgrpc

import (
	"context"
	"crypto/rand"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// ServerHandler returns a handler for a server whose callers are inside the trust group. It makes one value of several of
// baggage in the metadata that came in, before next, which is otelgrpc's server handler, reads the first only: a token in
// any of them is looked at, and two are a duplicate.
//
//	grpc.NewServer(grpc.StatsHandler(auditgrpc.ServerHandler(otelgrpc.NewServerHandler())), …)
func ServerHandler(next stats.Handler) stats.Handler { return serverHandler{next} }

type serverHandler struct{ stats.Handler }

// TagRPC implements [stats.Handler].
func (h serverHandler) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	if md, ok := metadata.FromIncomingContext(ctx); ok && joinBaggage(md) {
		ctx = metadata.NewIncomingContext(ctx, md)
	}
	return h.Handler.TagRPC(ctx, info)
}

// EdgeHandler returns a handler for a server whose callers are outside the trust group. It takes otelaudit's member out of
// the baggage that came in, before next, which is otelgrpc's server handler, reads it, and begins an operation where the
// context has none. Otherwise it does what [ServerHandler] does, which it replaces:
//
//	grpc.NewServer(grpc.StatsHandler(auditgrpc.EdgeHandler(otelgrpc.NewServerHandler())), …)
//
// It is the sibling of propagation.Edge. Interceptors would come too late, and otelgrpc.WithPublicEndpoint does not stop
// baggage. Other members of the baggage stay, as far as they leave room for ours behind them: see propagation.EdgeBaggage.
func EdgeHandler(next stats.Handler) stats.Handler { return edgeHandler{ServerHandler(next)} }

type edgeHandler struct{ stats.Handler }

// TagRPC implements [stats.Handler].
func (h edgeHandler) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	admit := func(values []string) []string { return propagation.EdgeBaggage(ctx, values) }
	if md, ok := metadata.FromIncomingContext(ctx); ok && changeBaggage(md, admit) {
		ctx = metadata.NewIncomingContext(ctx, md)
	}
	if _, ok := otelaudit.OperationFromContext(ctx); !ok {
		ctx = otelaudit.ContextWithOperation(ctx, rand.Text())
	}
	return h.Handler.TagRPC(ctx, info)
}
