package audithttp

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseElement(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"for=192.0.2.1":                                    "192.0.2.1",
		"For=192.0.2.1":                                    "192.0.2.1",
		"FOR=192.0.2.1":                                    "192.0.2.1",
		`for="192.0.2.1"`:                                  "192.0.2.1",
		`for="192.0.2.1:4711"`:                             "192.0.2.1",
		`for="192.0.2.1:_secret-port.1"`:                   "192.0.2.1",
		`for="[2001:db8::1]"`:                              "2001:db8::1",
		`for="[2001:db8::1]:4711"`:                         "2001:db8::1",
		`for="[2001:db8::1]:_p"`:                           "2001:db8::1",
		`for="[::ffff:192.0.2.1]:80"`:                      "192.0.2.1",
		`for="[fe80::1%eth0]:80"`:                          "fe80::1%eth0",
		`for="\1\9\2.0.2.1"`:                               "192.0.2.1",
		"for=192.0.2.1;proto=https;by=203.0.113.43":        "192.0.2.1",
		"proto=https;for=192.0.2.1":                        "192.0.2.1",
		"proto=https; \tfor=192.0.2.1 ;host=a":             "192.0.2.1",
		";;for=192.0.2.1;":                                 "192.0.2.1",
		`host="a, for=6.6.6.6; for=7.7.7.7";for=192.0.2.1`: "192.0.2.1",
		`host="a\"; for=6.6.6.6";for=192.0.2.1`:            "192.0.2.1",
		`host="\\";for=192.0.2.1`:                          "192.0.2.1",
		`host="é";for=192.0.2.1`:                           "192.0.2.1",
		"x-for=6.6.6.6;for=192.0.2.1":                      "192.0.2.1",
		"":                                                 "",
		"for":                                              "",
		"for=":                                             "",
		`for=""`:                                           "",
		"=192.0.2.1":                                       "",
		"192.0.2.1":                                        "",
		"for =192.0.2.1":                                   "",
		"for= 192.0.2.1":                                   "",
		"for=192.0.2.1 evil":                               "",
		"for=192.0.2.1 for=192.0.2.2":                      "",
		"proto=https;by=203.0.113.43":                      "",
		"for=unknown":                                      "",
		"for=_hidden":                                      "",
		`for="unknown:80"`:                                 "",
		`for="_hidden:_port"`:                              "",
		"for=192.0.2.1;for=192.0.2.1":                      "",
		"for=192.0.2.1;For=6.6.6.6":                        "",
		`for="";for=192.0.2.1`:                             "",
		"for=unknown;for=192.0.2.1":                        "",
		"for=192.0.2.1:4711":                               "",
		"for=[2001:db8::1]":                                "",
		"for=2001:db8::1":                                  "",
		`for="2001:db8::1"`:                                "",
		`for="2001:db8::1:4711"`:                           "",
		`for="2001:db8::1:_p"`:                             "",
		`for="[192.0.2.1]"`:                                "",
		`for="192.0.2.1:_"`:                                "",
		`for="192.0.2.1:_a b"`:                             "",
		`for="192.0.2.1:80:_p"`:                            "",
		`for="[2001:db8::1]:80:_p"`:                        "",
		`for="192.0.2.1:99999"`:                            "",
		`for=" 192.0.2.1"`:                                 "",
		`for="192.0.2.1`:                                   "",
		`for=192.0.2.1"`:                                   "",
		`for="192.0.2.1\"`:                                 "",
		`for="192.0.2.1"x`:                                 "",
		`for="192.0.2.1""x"`:                               "",
		`for=\192.0.2.1`:                                   "",
		"for='192.0.2.1'":                                  "",
		"for=192.0.2.1;host=a b":                           "",
		"for=192.0.2.1;host=a/b":                           "",
		"for=192.0.2.1;host=":                              "",
		"for=192.0.2.1;host":                               "",
		"for=192.0.2.1;host=\"\x00\"":                      "",
		"for=192.0.2.1;host=\"\\\x7f\"":                    "",
		"for=192.0.2.1\r\nX-Evil: 1":                       "",
		"for=192.0.2.1,for=192.0.2.2":                      "",
		`for="` + strings.Repeat("1", maxAddr) + `"`:       "",
		`for="[fe80::1%` + strings.Repeat("z", 33) + `]:80"`: "",
	} {
		addr, ok := parseElement(in)
		require.Equal(t, want != "", ok, "%q", in)
		if ok {
			require.Equal(t, want, addr.String(), "%q", in)
		}
	}
}

func TestClientByForwarded(t *testing.T) {
	t.Parallel()
	const proxy = "for=10.0.0.2"
	for name, tc := range map[string]struct {
		peer  string
		lines []string
		want  string
	}{
		"no header":                {"10.0.0.1", nil, "10.0.0.1"},
		"one":                      {"10.0.0.1", []string{"for=198.51.100.9"}, "198.51.100.9"},
		"peer not trusted":         {"192.0.2.1", []string{"for=198.51.100.9"}, "192.0.2.1"},
		"right-most":               {"10.0.0.1", []string{"for=203.0.113.66, for=198.51.100.9"}, "198.51.100.9"},
		"behind trusted ones":      {"10.0.0.1", []string{`for=203.0.113.66, for=198.51.100.9,for="[fd00::2]:80" , for=10.0.0.2`}, "198.51.100.9"},
		"all trusted":              {"10.0.0.1", []string{"for=10.0.0.9, for=10.0.0.3"}, "10.0.0.9"},
		"lines are one":            {"10.0.0.1", []string{"for=203.0.113.66", "for=198.51.100.9;by=10.0.0.3", proxy}, "198.51.100.9"},
		"mapped":                   {"10.0.0.1", []string{`for="[::ffff:198.51.100.9]", for="[::ffff:10.0.0.2]"`}, "198.51.100.9"},
		"zones":                    {"fe80::1%eth0", []string{`for=198.51.100.9, for="[fe80::2%eth1]"`}, "198.51.100.9"},
		"commas in quotes":         {"10.0.0.1", []string{`for=198.51.100.9;host="a, for=6.6.6.6", for=10.0.0.2;host="b,\",c"`}, "198.51.100.9"},
		"unknown":                  {"10.0.0.1", []string{"for=198.51.100.9, for=unknown, for=10.0.0.2"}, "10.0.0.2"},
		"hidden":                   {"10.0.0.1", []string{"for=198.51.100.9, for=_hidden, for=10.0.0.2"}, "10.0.0.2"},
		"no for":                   {"10.0.0.1", []string{"for=198.51.100.9, proto=https, for=10.0.0.2"}, "10.0.0.2"},
		"two for":                  {"10.0.0.1", []string{"for=198.51.100.9;for=203.0.113.66"}, "10.0.0.1"},
		"garbage stops":            {"10.0.0.1", []string{"for=198.51.100.9, evil, for=10.0.0.2"}, "10.0.0.2"},
		"garbage beyond":           {"10.0.0.1", []string{"evil, for=198.51.100.9, for=10.0.0.2"}, "198.51.100.9"},
		"empty element":            {"10.0.0.1", []string{"for=198.51.100.9,"}, "10.0.0.1"},
		"empty line":               {"10.0.0.1", []string{"for=198.51.100.9", ""}, "10.0.0.1"},
		"a quote over lines":       {"10.0.0.1", []string{`for=198.51.100.9;host="a`, `b"`}, "10.0.0.1"},
		"X-Forwarded-For":          {"10.0.0.1", []string{"198.51.100.9"}, "10.0.0.1"},
		"64 hops":                  {"10.0.0.1", []string{"for=198.51.100.9, " + repeat(proxy, maxHops-1)}, "198.51.100.9"},
		"the 65th is not believed": {"10.0.0.1", []string{"for=198.51.100.9, for=10.0.0.3," + repeat(proxy, maxHops-1)}, "10.0.0.3"},
		"10,000 elements":          {"10.0.0.1", []string{repeat(proxy, 10_000)}, "10.0.0.2"},
		"10,000 lines":             {"10.0.0.1", slices.Repeat([]string{proxy}, 10_000), "10.0.0.2"},
		"longest":                  {"10.0.0.1", []string{"for=198.51.100.9;x=" + strings.Repeat("1", maxElement-20)}, "198.51.100.9"},
		"too long":                 {"10.0.0.1", []string{"for=198.51.100.9;x=" + strings.Repeat("1", maxElement-19)}, "10.0.0.1"},
		"longest, after a comma":   {"10.0.0.1", []string{",for=198.51.100.9;x=" + strings.Repeat("1", maxElement-20)}, "198.51.100.9"},
		"too long, after a comma":  {"10.0.0.1", []string{",for=198.51.100.9;x=" + strings.Repeat("1", maxElement-19)}, "10.0.0.1"},
		"a megabyte":               {"10.0.0.1", []string{strings.Repeat("1", 1<<20)}, "10.0.0.1"},
		"a megabyte before":        {"10.0.0.1", []string{strings.Repeat(`"`, 1<<20) + ", for=198.51.100.9"}, "198.51.100.9"},
		"a megabyte of escapes":    {"10.0.0.1", []string{`for=198.51.100.9;x="` + strings.Repeat(`\`, 1<<20) + `"`}, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := proxies.client(netip.MustParseAddr(tc.peer), tc.lines, reading(t, Forwarded))
			require.Equal(t, tc.want, got.String())
		})
	}
}

// claims are what a client might send to pass for somebody else, or to hide itself.
var claims = []string{
	"", ",", ";", "=", `"`, `\`, `\"`, `""`, `"\`, " ", "\t",
	"for=203.0.113.66",
	"for=10.0.0.9",
	`for="203.0.113.66`,
	`for="203.0.113.66\`,
	`for="203.0.113.66\"`,
	`for="203.0.113.66\\`,
	`for=203.0.113.66"`,
	`for=203.0.113.66;host="`,
	`for=203.0.113.66;host="\`,
	`for="203.0.113.66";host="a, for=203.0.113.66`,
	`for=10.0.0.9, for="`,
	`for=10.0.0.9;by="x,`,
	`for=10.0.0.9;`,
	`for=10.0.0.9;host=`,
	`for=10.0.0.9, `,
	`host="`,
	`=`,
	`for=203.0.113.66, for=203.0.113.67, "`,
	`"for=203.0.113.66`,
	`'for=203.0.113.66`,
	"for=203.0.113.66\x00",
	strings.Repeat(`"`, 4097),
	strings.Repeat(`\`, maxElement),
	`for="` + strings.Repeat(`\"`, maxElement),
}

// written is what trusted proxies append, and whom that means.
var written = []struct{ elements, client string }{
	{"for=198.51.100.9", "198.51.100.9"},
	{`for="198.51.100.9:4711"`, "198.51.100.9"},
	{`For="[2001:db8::9]:4711";Host="a, \"for=6.6.6.6\\";proto=https`, "2001:db8::9"},
	{`host="\"";for=198.51.100.9;by=""`, "198.51.100.9"},
	{`for=198.51.100.9, for=10.0.0.2;host="\\\","`, "198.51.100.9"},
	{"for=unknown", "10.0.0.1"},
	{"for=_hidden, for=10.0.0.2", "10.0.0.2"},
	{`for=198.51.100.9;host="broken\"`, "10.0.0.1"},
	{"host=a", "10.0.0.1"},
}

// Whatever the client wrote, what the proxies appended counts.
func TestAClientCannotChangeWhatProxiesAppended(t *testing.T) {
	t.Parallel()
	peer := netip.MustParseAddr("10.0.0.1")
	for _, claim := range claims {
		for _, w := range written {
			for _, lines := range [][]string{
				{claim + "," + w.elements},
				{claim + ", " + w.elements},
				{claim + " \t,\t " + w.elements},
				{claim, w.elements},
				{claim, claim, claim + ", " + w.elements},
			} {
				got := proxies.client(peer, lines, reading(t, Forwarded))
				require.Equal(t, w.client, got.String(), "%.80q", lines)
			}
		}
	}
}

// FuzzForwarded holds the walk against one that tries every comma for the start of the last element.
func FuzzForwarded(f *testing.F) {
	f.Add("10.0.0.1", "for=203.0.113.66, for=198.51.100.9", "for=10.0.0.2")
	for _, claim := range claims {
		for _, w := range written {
			if len(claim) < 100 {
				f.Add("10.0.0.1", claim+", "+w.elements, w.elements)
			}
		}
	}
	f.Fuzz(func(t *testing.T, remote, first, second string) {
		peer, ok := parseAddr(remote)
		if !ok {
			peer = netip.MustParseAddr("10.0.0.1")
		}
		got := proxies.client(peer, []string{first, second}, reading(t, Forwarded))
		require.Equal(t, plainForwarded(t, peer, []string{first, second}), got)
		requireShowable(t, got)

		for _, w := range written[:4] { // whose client is not trusted
			for _, lines := range [][]string{{first, second + ", " + w.elements}, {first, second, w.elements}} {
				got := proxies.client(netip.MustParseAddr("10.0.0.1"), lines, reading(t, Forwarded))
				require.Equal(t, w.client, got.String())
			}
		}
	})
}

// The grammar of RFC 7239, with white space around semicolons.
const (
	tokenPattern  = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
	quotedPattern = `"(?:[^\x00-\x08\x0a-\x1f"\\\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*"`
	pairPattern   = `(` + tokenPattern + `)=(` + tokenPattern + `|` + quotedPattern + `)`
	spacedPattern = `[ \t]*(?:` + pairPattern + `)?[ \t]*`
)

var (
	elementRegexp = regexp.MustCompile(`^` + spacedPattern + `(?:;` + spacedPattern + `)*$`)
	pairRegexp    = regexp.MustCompile(pairPattern)
	escapeRegexp  = regexp.MustCompile(`(?s)\\(.)`)
)

func plainForwarded(t *testing.T, peer netip.Addr, lines []string) netip.Addr {
	t.Helper()
	client, hops := peer, 0
	for _, line := range slices.Backward(lines) {
		for more := true; more; hops++ {
			var element string
			if element, line, more = plainCut(t, line); len(element) >= maxElement {
				return client
			}
			var nodes []string
			for _, pair := range pairRegexp.FindAllStringSubmatch(element, -1) {
				if strings.EqualFold(pair[1], "for") {
					nodes = append(nodes, escapeRegexp.ReplaceAllString(strings.Trim(pair[2], `"`), "$1"))
				}
			}
			if !proxies.contains(client) || hops == maxHops || len(nodes) != 1 {
				return client
			}
			addr, ok := parseNode(nodes[0])
			if !ok {
				return client
			}
			client = addr
		}
	}
	return client
}

// plainCut returns the one suffix of line that is an element by the grammar, or "" where there is none.
func plainCut(t *testing.T, line string) (element, rest string, more bool) {
	t.Helper()
	found := 0
	for i := len(line); i >= 0; i-- {
		if (i == 0 || line[i-1] == ',') && elementRegexp.MatchString(line[i:]) {
			element, rest, more = line[i:], line[:max(0, i-1)], i > 0
			found++
		}
	}
	require.LessOrEqual(t, found, 1, "%q ends in two elements", line)
	return element, rest, more
}
