package audithttp

import (
	"iter"
	"net/netip"
	"slices"
	"strings"
)

// ForwardedHeader is a header in which proxies say whom they serve.
type ForwardedHeader uint8

// The headers that [WithForwardedHeader] takes.
const (
	XForwardedFor ForwardedHeader = iota // X-Forwarded-For: addresses
	Forwarded                            // Forwarded, by RFC 7239: elements with a parameter "for"
)

// forwarding is how one header is read: it has an entry for each proxy on the way, the last proxy's at the end.
type forwarding struct {
	header string                                             // in canonical form; none where it is ""
	cut    func(line string) (entry, rest string, more bool)  // takes off the last entry; one that is too long becomes ""
	addr   func(entry string) (served netip.Addr, known bool) // whom that proxy served
}

func (h ForwardedHeader) forwarding() (forwarding, bool) {
	switch h {
	case XForwardedFor:
		return forwarding{"X-Forwarded-For", cutAddr, parseAddr}, true
	case Forwarded:
		return forwarding{"Forwarded", cutElement, parseElement}, true
	}
	return forwarding{}, false
}

// maxHops is how many entries of the header are looked at: a client may send as many as the server takes.
const maxHops = 64

// trustedProxies are the addresses whose word about whom they serve is believed.
type trustedProxies []netip.Prefix

// and returns t with more, whose prefixes mapped from IPv4 become IPv4: addresses are never mapped here.
func (t trustedProxies) and(more []netip.Prefix) trustedProxies {
	all := slices.Clone(t)
	for _, p := range more {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		all = append(all, p.Masked())
	}
	return all
}

func (t trustedProxies) contains(addr netip.Addr) bool {
	addr = addr.WithZone("") // a prefix contains no address with a zone
	return slices.ContainsFunc(t, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// client returns whom peer serves: peer itself unless it is trusted, else the right-most address in the header's lines
// that is not trusted. Each trusted proxy has appended the address that connected to it, so that all to the right of the
// client was written by somebody trusted, and nothing to its left needs to be true.
//
// What is not an address ends the walk, also an empty entry: a proxy that had no address to append vouches for nothing
// beyond itself.
func (t trustedProxies) client(peer netip.Addr, lines []string, f forwarding) netip.Addr {
	client, hops := peer, 0
	if !t.contains(peer) {
		return client
	}
	for entry := range f.fromRight(lines) {
		addr, ok := f.addr(entry)
		if !ok || hops == maxHops {
			break
		}
		client = addr
		if !t.contains(addr) {
			break
		}
		hops++
	}
	return client
}

// fromRight yields the entries of lines as if these were joined by commas, the last one first. One that is too long is the
// last of its line.
func (f forwarding) fromRight(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, rest := range slices.Backward(lines) {
			for more := true; more; {
				var entry string
				entry, rest, more = f.cut(rest)
				if !yield(entry) {
					return
				}
			}
		}
	}
}

const maxEntry = 2 * maxAddr // an address and white space around it

// cutAddr splits a line of X-Forwarded-For at its last comma, and reports whether there was one. It looks no further than an
// entry may be long.
func cutAddr(line string) (entry, rest string, more bool) {
	window := line[max(0, len(line)-maxEntry):]
	if i := strings.LastIndexByte(window, ','); i >= 0 {
		return trim(window[i+1:]), line[:len(line)-len(window)+i], true
	}
	if len(line) >= maxEntry {
		return "", "", false
	}
	return trim(line), "", false
}

func trim(s string) string { return strings.Trim(s, " \t") }
