package audithttp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseAddr(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.1":                    "192.0.2.1",
		"192.0.2.1:80":                 "192.0.2.1",
		"2001:db8::1":                  "2001:db8::1",
		"2001:DB8:0::1":                "2001:db8::1",
		"[2001:db8::1]":                "2001:db8::1",
		"[2001:db8::1]:80":             "2001:db8::1",
		"::1":                          "::1",
		"::ffff:192.0.2.1":             "192.0.2.1",
		"[::ffff:192.0.2.1]:80":        "192.0.2.1",
		"::ffff:c000:201":              "192.0.2.1",
		"fe80::1%eth0":                 "fe80::1%eth0",
		"[fe80::1%eth0.100]:80":        "fe80::1%eth0.100",
		"[fe80::1%2]":                  "fe80::1%2",
		"::ffff:192.0.2.1%eth0":        "192.0.2.1",
		"":                             "",
		"@":                            "",
		"/run/proxy.sock":              "",
		"unknown":                      "",
		"_hidden":                      "",
		"localhost":                    "",
		"localhost:80":                 "",
		"192.0.2":                      "",
		"192.0.2.256":                  "",
		"192.0.2.01":                   "",
		"0xc0000201":                   "",
		"3221225985":                   "",
		"192.0.2.1:":                   "",
		"192.0.2.1:http":               "",
		"192.0.2.1:65536":              "",
		"192.0.2.1:80:80":              "",
		"[192.0.2.1]":                  "",
		"[192.0.2.1]:80":               "",
		"[2001:db8::1":                 "",
		"2001:db8::1]":                 "",
		"[]":                           "",
		"[]:80":                        "",
		"[":                            "",
		"]":                            "",
		":":                            "",
		":80":                          "",
		"[[::1]]":                      "",
		"[::1]80":                      "",
		"192.0.2.1 evil":               "",
		"192.0.2.1\x00":                "",
		"192.0.2.1\n":                  "",
		" 192.0.2.1":                   "", // white space is cutAddr's
		"\"192.0.2.1\"":                "",
		"for=192.0.2.1":                "",
		"192.0.2.1,10.0.0.1":           "",
		"192.0.2.1/32":                 "",
		"１９２.0.2.1":                    "",
		"fe80::1%":                     "",
		"fe80::1%a b":                  "",
		"fe80::1%\x1b[2J":              "",
		"fe80::1%\u202e":               "",
		"fe80::1%" + longText(32):      "fe80::1%" + longText(32),
		"fe80::1%" + longText(33):      "",
		"fe80::1%" + longText(maxAddr): "",
	} {
		addr, ok := parseAddr(in)
		require.Equal(t, want != "", ok, "%q", in)
		if ok {
			require.Equal(t, want, addr.String(), "%q", in)
		}
	}
}

func longText(n int) string { return strings.Repeat("z", n) }
