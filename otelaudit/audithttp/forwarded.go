package audithttp

import (
	"iter"
	"net/netip"
	"slices"
	"strings"
)

// maxHops is how many entries of X-Forwarded-For are looked at: a client may send as many as the server takes.
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
func (t trustedProxies) client(peer netip.Addr, lines []string) netip.Addr {
	client, hops := peer, 0
	if !t.contains(peer) {
		return client
	}
	for entry := range fromRight(lines) {
		addr, ok := parseAddr(entry)
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

// fromRight yields the comma-separated entries of lines as if these were joined by commas, the last one first, without
// white space around them. An entry of maxEntry bytes or more is yielded as "", and is the last one of its line.
func fromRight(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, rest := range slices.Backward(lines) {
			for more := true; more; {
				var entry string
				entry, rest, more = cutRight(rest)
				if !yield(entry) {
					return
				}
			}
		}
	}
}

const maxEntry = 2 * maxAddr // an address and white space around it

// cutRight splits s at its last comma, and reports whether there was one. It looks no further than an entry may be long.
func cutRight(s string) (entry, rest string, more bool) {
	window := s[max(0, len(s)-maxEntry):]
	if i := strings.LastIndexByte(window, ','); i >= 0 {
		return strings.Trim(window[i+1:], " \t"), s[:len(s)-len(window)+i], true
	}
	if len(s) >= maxEntry {
		return "", "", false
	}
	return strings.Trim(s, " \t"), "", false
}
