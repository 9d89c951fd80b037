package auditgrpc

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// facts returns what is recorded of a call. Texts are kept as they came: making them storable is the recorder's task.
func facts(ctx context.Context, fullMethod string) otelaudit.Request {
	q := otelaudit.Request{
		RPCMethod: strings.TrimPrefix(fullMethod, "/"), // as semantic conventions want it
		ID:        requestID(ctx),
	}
	if agents := metadata.ValueFromIncomingContext(ctx, "user-agent"); len(agents) > 0 {
		q.UserAgent = agents[0]
	}
	if p, ok := peer.FromContext(ctx); ok {
		q.PeerAddress = peerAddress(p)
		q.ClientAddress = q.PeerAddress
	}
	return q
}

// peerAddress returns the peer's IP address; "" where there is none, as with Unix sockets and connections in memory.
func peerAddress(p *peer.Peer) string {
	// Who connects to a Unix socket may give its own end any name, also that of an address.
	if !isTCP(p.Addr) || p.LocalAddr != nil && !isTCP(p.LocalAddr) {
		return ""
	}
	addr, err := netip.ParseAddrPort(p.Addr.String())
	if err != nil {
		return ""
	}
	return addr.Addr().Unmap().String()
}

func isTCP(addr net.Addr) bool { return addr != nil && strings.HasPrefix(addr.Network(), "tcp") }

const maxRequestID = 128

// requestID returns the metadata x-request-id. Two of them, or one that is no id, are none: half of an id, or a cleaned one,
// would be another.
func requestID(ctx context.Context) string {
	ids := metadata.ValueFromIncomingContext(ctx, "x-request-id")
	if len(ids) != 1 || len(ids[0]) > maxRequestID || !isGraphic(ids[0]) {
		return ""
	}
	return ids[0]
}

// isGraphic reports whether s is ASCII without spaces and control characters.
func isGraphic(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
