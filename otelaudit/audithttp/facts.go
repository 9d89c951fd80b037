package audithttp

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// facts returns what is recorded of r. Texts are kept as they came: making them storable is the recorder's task.
func (c *config) facts(r *http.Request, route *route) otelaudit.Request {
	q := otelaudit.Request{
		Method:    r.Method,
		RouteFunc: route.pattern,
	}
	if agents := r.Header["User-Agent"]; len(agents) > 0 {
		q.UserAgent = agents[0]
	}
	if c.path != nil {
		q.Path = c.path(r)
	} else {
		q.Path = r.URL.Path
	}
	if c.requestID != nil {
		q.ID = c.requestID(r)
	}
	if peer, ok := peerOf(r); ok {
		q.PeerAddress = textOf(peer, r.RemoteAddr)
		q.ClientAddress = q.PeerAddress
		if client := c.trusted.client(peer, r.Header[c.forwarded.header], c.forwarded); client != peer {
			q.ClientAddress = client.String()
		}
	}
	return q
}

// peerOf returns the address of who connected. One who connects to a Unix socket has none, whatever name its own end has.
func peerOf(r *http.Request) (netip.Addr, bool) {
	if _, unix := r.Context().Value(http.LocalAddrContextKey).(*net.UnixAddr); unix {
		return netip.Addr{}, false
	}
	return parseAddr(r.RemoteAddr)
}

// textOf returns peer as text. Where remote, which it was read from, has that text, it is a part of remote, and needs no memory.
func textOf(peer netip.Addr, remote string) string {
	var buf [maxAddr]byte
	text := peer.AppendTo(buf[:0])
	if remote = strings.TrimPrefix(remote, "["); len(remote) >= len(text) && remote[:len(text)] == string(text) {
		return remote[:len(text)]
	}
	return string(text)
}

const maxRequestID = 128

// requestIDHeader returns the header X-Request-Id. Two of them, or one that is no id, are none: half of an id, or a cleaned
// one, would be another.
func requestIDHeader(r *http.Request) string {
	ids := r.Header["X-Request-Id"]
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
