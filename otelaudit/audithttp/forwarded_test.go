package audithttp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var proxies = trustedProxies(nil).and([]netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("::ffff:172.16.0.0/108"), // 172.16.0.0/12
	netip.MustParsePrefix("fd00::/8"),
	netip.MustParsePrefix("fe80::/10"),
})

func reading(tb testing.TB, h ForwardedHeader) forwarding {
	tb.Helper()
	f, ok := h.forwarding()
	require.True(tb, ok)
	return f
}

func TestClient(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		peer  string
		lines []string
		want  string
	}{
		"no header":                {"10.0.0.1", nil, "10.0.0.1"},
		"one":                      {"10.0.0.1", []string{"198.51.100.9"}, "198.51.100.9"},
		"peer not trusted":         {"192.0.2.1", []string{"198.51.100.9"}, "192.0.2.1"},
		"right-most":               {"10.0.0.1", []string{"203.0.113.66, 198.51.100.9"}, "198.51.100.9"},
		"behind trusted ones":      {"10.0.0.1", []string{"203.0.113.66, 198.51.100.9, 10.0.0.3,10.0.0.2"}, "198.51.100.9"},
		"all trusted":              {"10.0.0.1", []string{"10.0.0.9, 10.0.0.3, 10.0.0.2"}, "10.0.0.9"},
		"lines are one":            {"10.0.0.1", []string{"203.0.113.66", "198.51.100.9, 10.0.0.3", "10.0.0.2"}, "198.51.100.9"},
		"ports":                    {"10.0.0.1", []string{"198.51.100.9:4711, 10.0.0.2:80"}, "198.51.100.9"},
		"brackets":                 {"10.0.0.1", []string{"[2001:db8::9]:4711, [fd00::2]"}, "2001:db8::9"},
		"mapped":                   {"10.0.0.1", []string{"::ffff:198.51.100.9, ::ffff:10.0.0.2"}, "198.51.100.9"},
		"mapped prefix":            {"172.16.0.1", []string{"198.51.100.9, 172.31.255.255"}, "198.51.100.9"},
		"outside mapped prefix":    {"172.16.0.1", []string{"198.51.100.9, 172.32.0.0"}, "172.32.0.0"},
		"zones":                    {"fe80::1%eth0", []string{"198.51.100.9, fe80::2%eth1"}, "198.51.100.9"},
		"zone kept":                {"fe80::1%eth0", nil, "fe80::1%eth0"},
		"spaces and tabs":          {"10.0.0.1", []string{" \t198.51.100.9\t , \t 10.0.0.2 "}, "198.51.100.9"},
		"garbage first":            {"10.0.0.1", []string{"198.51.100.9, evil"}, "10.0.0.1"},
		"garbage stops":            {"10.0.0.1", []string{"198.51.100.9, evil, 10.0.0.2"}, "10.0.0.2"},
		"garbage beyond":           {"10.0.0.1", []string{"evil, 198.51.100.9, 10.0.0.2"}, "198.51.100.9"},
		"unknown":                  {"10.0.0.1", []string{"198.51.100.9, unknown, 10.0.0.2"}, "10.0.0.2"},
		"Unix socket hop":          {"10.0.0.1", []string{"198.51.100.9, unix:, 10.0.0.2"}, "10.0.0.2"},
		"empty entry":              {"10.0.0.1", []string{"203.0.113.66,"}, "10.0.0.1"},
		"empty entry within":       {"10.0.0.1", []string{"203.0.113.66,,10.0.0.2"}, "10.0.0.2"},
		"empty line":               {"10.0.0.1", []string{"203.0.113.66", ""}, "10.0.0.1"},
		"empty line first":         {"10.0.0.1", []string{"", "198.51.100.9"}, "198.51.100.9"},
		"only commas":              {"10.0.0.1", []string{",,,"}, "10.0.0.1"},
		"header injection":         {"10.0.0.1", []string{"198.51.100.9\r\nX-Evil: 1"}, "10.0.0.1"},
		"quoted":                   {"10.0.0.1", []string{`"198.51.100.9"`}, "10.0.0.1"},
		"RFC 7239":                 {"10.0.0.1", []string{"for=198.51.100.9"}, "10.0.0.1"},
		"64 hops":                  {"10.0.0.1", []string{"198.51.100.9, " + repeat("10.0.0.2", maxHops-1)}, "198.51.100.9"},
		"the 65th is not believed": {"10.0.0.1", []string{"198.51.100.9, 10.0.0.3," + repeat("10.0.0.2", maxHops-1)}, "10.0.0.3"},
		"10,000 entries":           {"10.0.0.1", []string{repeat("10.0.0.2", 10_000)}, "10.0.0.2"},
		"10,000 lines":             {"10.0.0.1", slices.Repeat([]string{"10.0.0.2"}, 10_000), "10.0.0.2"},
		"a megabyte":               {"10.0.0.1", []string{strings.Repeat("1", 1<<20)}, "10.0.0.1"},
		"a megabyte before":        {"10.0.0.1", []string{strings.Repeat("1", 1<<20) + ",198.51.100.9"}, "198.51.100.9"},
		"a megabyte of spaces":     {"10.0.0.1", []string{"203.0.113.66" + strings.Repeat(" ", 1<<20)}, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := proxies.client(netip.MustParseAddr(tc.peer), tc.lines, reading(t, XForwardedFor))
			require.Equal(t, tc.want, got.String())
		})
	}
}

func repeat(entry string, n int) string { return strings.Join(slices.Repeat([]string{entry}, n), ", ") }

func TestNobodyIsTrustedByDefault(t *testing.T) {
	t.Parallel()
	peer := netip.MustParseAddr("127.0.0.1")
	require.Equal(t, peer, trustedProxies(nil).client(peer, []string{"198.51.100.9"}, reading(t, XForwardedFor)))
}

// FuzzClient holds the walk against the plain way to write it, which splits the whole header.
func FuzzClient(f *testing.F) {
	f.Add("10.0.0.1", "203.0.113.66, 198.51.100.9, 10.0.0.2", "[fd00::1]:80")
	f.Add("fe80::1%eth0", "::ffff:198.51.100.9", "fe80::2%a b, ")
	f.Add("10.0.0.1", repeat("10.0.0.2", 70), "")
	f.Fuzz(func(t *testing.T, remote, first, second string) {
		peer, ok := parseAddr(remote)
		if !ok {
			peer = netip.MustParseAddr("10.0.0.1")
		}
		require.Equal(t, peer, peer.Unmap())
		lines := []string{first, second}
		got := proxies.client(peer, lines, reading(t, XForwardedFor))
		require.Equal(t, plainClient(peer, lines), got)

		requireShowable(t, got)
	})
}

// requireShowable fails where addr could not be read again or hides something in its zone.
func requireShowable(t *testing.T, addr netip.Addr) {
	t.Helper()
	shown := addr.String()
	require.True(t, isGraphic(shown), "%q", shown)
	again, ok := parseAddr(shown)
	require.True(t, ok, "%q", shown)
	require.Equal(t, addr, again)
}

func plainClient(peer netip.Addr, lines []string) netip.Addr {
	entries := strings.Split(strings.Join(lines, ","), ",")
	slices.Reverse(entries)
	client := peer
	for _, entry := range entries[:min(len(entries), maxHops)] {
		if !proxies.contains(client) || len(entry) >= maxEntry {
			break
		}
		addr, ok := parseAddr(strings.Trim(entry, " \t"))
		if !ok {
			break
		}
		client = addr
	}
	return client
}
