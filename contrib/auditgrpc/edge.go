package auditgrpc

import (
	"context"
	"crypto/rand"
	"slices"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// EdgeHandler returns a handler for a server whose callers are outside the trust group. It takes otelaudit's member out of
// the baggage that came in, before next, which is otelgrpc's server handler, reads it, and begins an operation where the
// context has none:
//
//	grpc.NewServer(grpc.StatsHandler(auditgrpc.EdgeHandler(otelgrpc.NewServerHandler())), …)
//
// It is the sibling of propagation.Edge. Interceptors would come too late, and otelgrpc.WithPublicEndpoint does not stop
// baggage. Other members of the baggage stay.
func EdgeHandler(next stats.Handler) stats.Handler { return edgeHandler{next} }

type edgeHandler struct{ stats.Handler }

// TagRPC implements [stats.Handler].
func (h edgeHandler) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	if md, ok := metadata.FromIncomingContext(ctx); ok && stripBaggage(md) {
		ctx = metadata.NewIncomingContext(ctx, md)
	}
	if _, ok := otelaudit.OperationFromContext(ctx); !ok {
		ctx = otelaudit.ContextWithOperation(ctx, rand.Text())
	}
	return h.Handler.TagRPC(ctx, info)
}

const baggageKey = "baggage"

// stripBaggage takes otelaudit's member out of md, and reports whether there was one.
func stripBaggage(md metadata.MD) bool {
	values := md[baggageKey]
	if len(values) == 0 {
		return false
	}
	stripped := propagation.StripBaggage(values)
	if slices.Equal(stripped, values) {
		return false
	}
	md[baggageKey] = stripped
	return true
}
