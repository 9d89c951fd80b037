package canary

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// contains reports whether text holds secret, as it is or in one of the forms that it takes on its way.
func contains(text, secret string) bool {
	for _, form := range forms(secret) {
		if strings.Contains(text, form) {
			return true
		}
	}
	return strings.Contains(strings.ToLower(text), strings.ToLower(secret))
}

// forms are the ways in which a secret is written: raw, in hex, as bytes, with each byte escaped (as in URLs and in JSON), and
// in base64, where it looks different at each of three offsets.
func forms(secret string) []string {
	escaped := func(format string) string {
		var b strings.Builder
		for i := range len(secret) {
			fmt.Fprintf(&b, format, secret[i])
		}
		return b.String()
	}
	all := []string{
		secret,
		url.QueryEscape(secret),
		hex.EncodeToString([]byte(secret)),
		strings.ToUpper(hex.EncodeToString([]byte(secret))),
		strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]"),
		escaped("%%%02x"), escaped("%%%02X"), escaped(`\u%04x`), escaped(`\x%02x`), escaped(`\%03o`),
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			text := encoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + secret))
			// A letter holds six bits; those at the ends hold bits of the neighbours, too.
			all = append(all, text[(8*offset+5)/6:8*(offset+len(secret))/6])
		}
	}
	return all
}

func TestContains(t *testing.T) {
	t.Parallel()
	const secret = "s3cr?t>>/" + "k7q2m4x9w5z"
	b := []byte(secret)
	for name, text := range map[string]string{
		"raw":             "a" + secret + "b",
		"upper case":      strings.ToUpper(secret),
		"URL":             "?q=" + url.QueryEscape(secret),
		"hex":             fmt.Sprintf("%x", "before"+secret+"after"),
		"HEX":             fmt.Sprintf("%X", b),
		"bytea":           `\x` + hex.EncodeToString(b),
		"bytes":           fmt.Sprintf("%d", append([]byte("before"), b...)),
		"base64 at 0":     base64.StdEncoding.EncodeToString([]byte(secret + "after")),
		"base64 at 1":     base64.StdEncoding.EncodeToString([]byte("x" + secret + "after")),
		"base64 at 2":     base64.StdEncoding.EncodeToString([]byte("xx" + secret)),
		"base64url at 0":  base64.RawURLEncoding.EncodeToString([]byte("xxx" + secret)),
		"base64url at 1":  base64.RawURLEncoding.EncodeToString([]byte("xxxx" + secret + "after")),
		"percent":         "%73%33%63%72%3f%74%3e%3e%2f%6b%37%71%32%6d%34%78%39%77%35%7a",
		"JSON, each byte": `\u0073\u0033\u0063\u0072\u003f\u0074\u003e\u003e\u002f\u006b\u0037\u0071\u0032\u006d\u0034\u0078\u0039\u0077\u0035\u007a`,
	} {
		require.True(t, contains(text, secret), "%s: %s", name, text)
		require.False(t, contains(text, secret+"x"), name)
		require.False(t, contains(text[:len(text)/2], secret), name)
	}
}
