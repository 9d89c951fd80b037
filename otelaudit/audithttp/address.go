package audithttp

import (
	"net/netip"
	"strings"
)

const (
	maxAddr = 128 // bytes of an address with its port, brackets and zone; no real one comes near
	maxZone = 32  // bytes of a zone: an interface's name or number
)

// parseAddr reads an address with or without a port and brackets, as in http.Request.RemoteAddr and X-Forwarded-For:
//
//	192.0.2.1  192.0.2.1:80  2001:db8::1  [2001:db8::1]  [2001:db8::1]:80  fe80::1%eth0
//
// An IPv4 address mapped to IPv6 becomes IPv4. It reports false for anything else.
func parseAddr(s string) (netip.Addr, bool) {
	if len(s) > maxAddr {
		return netip.Addr{}, false
	}
	addr, ok := parseHost(s)
	if !ok {
		return netip.Addr{}, false
	}
	// netip takes anything for a zone, and what an address shows goes into records and terminals.
	if zone := addr.Zone(); len(zone) > maxZone || !isGraphic(zone) {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

func parseHost(s string) (netip.Addr, bool) {
	if strings.HasPrefix(s, "[") {
		if host, ok := strings.CutSuffix(s[1:], "]"); ok {
			addr, err := netip.ParseAddr(host)
			return addr, err == nil && addr.Is6()
		}
	} else if strings.Count(s, ":") != 1 {
		addr, err := netip.ParseAddr(s)
		return addr, err == nil
	}
	both, err := netip.ParseAddrPort(s)
	return both.Addr(), err == nil
}
