package audithttp

import (
	"net/netip"
	"strings"
)

// An element of Forwarded is a list of pairs (RFC 7239 section 4), and may hold commas and semicolons within quotes:
//
//	for=192.0.2.1;proto=https, for="[2001:db8::1]:4711";host="a,b"
//
// A proxy appends its element to whatever the client sent. To read the header from the left would let a client open a quote
// that swallows what the proxies append, so it is read from the right, where they wrote. What they wrote decides alone: the
// last element of a line is what follows some comma, or is the line, and is an element by the grammar. At most one suffix of
// a line is. For suppose two are: then the longer one has the shorter one's comma within quotes, so that what is quoted in
// the one is not in the other. A backslash stands only within quotes, so there is none in the shorter one; and of its quotes
// the one element needs an odd number, the other an even one. Where no suffix is an element, the line says nothing, and the
// walk ends there. A quote does not go over the end of a line: who appends a line has not seen how the one before ends.

// maxElement bounds an element. Besides "for" it has what the client asked for, a host; a client that made it too long would
// hide behind the proxy, so it is as long as the usual limit of a header line.
const maxElement = 8 << 10

// cutElement splits a line of Forwarded before its last element, as if that were one; [parseElement] tells whether it is. In
// an element, the quote before a closing one is the opening one unless it is escaped, so that quotes can be told from the
// right.
func cutElement(line string) (element, rest string, more bool) {
	window := line[max(0, len(line)-maxElement):]
	quoted := false
	for i := len(window) - 1; i >= 0; i-- {
		switch window[i] {
		case '"':
			if !endsInEscape(window[:i]) {
				quoted = !quoted
			}
		case ',':
			if !quoted {
				return trim(window[i+1:]), line[:len(line)-len(window)+i], true
			}
		}
	}
	if len(line) >= maxElement {
		return "", "", false
	}
	return trim(line), "", false
}

// endsInEscape reports whether the backslashes at the end of s escape what comes next.
func endsInEscape(s string) bool {
	return (len(s)-len(strings.TrimRight(s, `\`)))%2 == 1
}

// parseElement returns the address that an element's parameter "for" gives. It reports false where the element has none, has
// two, gives no address ("unknown", "_hidden"), or breaks the grammar, but for white space around semicolons, which some
// proxies write.
func parseElement(element string) (netip.Addr, bool) {
	var node string
	for element != "" {
		name, value, rest, ok := cutPair(element)
		if !ok {
			return netip.Addr{}, false
		}
		if strings.EqualFold(name, "for") {
			if node != "" {
				return netip.Addr{}, false
			}
			if node = unescape(value); node == "" {
				return netip.Addr{}, false
			}
		}
		element = rest
	}
	return parseNode(node)
}

// cutPair splits an element behind its first pair, whose quoted value is still escaped. An empty pair has no name.
func cutPair(s string) (name, value, rest string, ok bool) {
	name, s = cutToken(strings.TrimLeft(s, " \t"))
	if name != "" {
		if s, ok = strings.CutPrefix(s, "="); !ok {
			return "", "", "", false
		}
		if text, isQuoted := strings.CutPrefix(s, `"`); isQuoted {
			value, s, ok = cutQuoted(text)
		} else {
			value, s = cutToken(s)
			ok = value != ""
		}
		if !ok {
			return "", "", "", false
		}
	}
	s = strings.TrimLeft(s, " \t")
	if s == "" {
		return name, value, "", true
	}
	rest, ok = strings.CutPrefix(s, ";")
	return name, value, rest, ok
}

// cutToken splits s behind the token (RFC 9110 section 5.6.2) with which it begins, which may be empty.
func cutToken(s string) (token, rest string) {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// cutQuoted splits s, which follows an opening quote, at the closing one.
func cutQuoted(s string) (text, rest string, ok bool) {
	escaped := false
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' && c != '\t', c == 0x7f:
			return "", "", false
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			return s[:i], s[i+1:], true
		}
	}
	return "", "", false
}

func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var text strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		text.WriteByte(s[i])
	}
	return text.String()
}

// parseNode returns the address of a node (RFC 7239 section 6), with or without a port, which may be obfuscated. An IPv6
// address has brackets: without, its end could be a port.
func parseNode(node string) (netip.Addr, bool) {
	if i := strings.LastIndex(node, ":_"); i >= 0 && isObfuscated(node[i+1:]) {
		node = node[:i] + ":0"
	}
	if strings.Count(node, ":") > 1 && node[0] != '[' {
		return netip.Addr{}, false
	}
	return parseAddr(node)
}

// isObfuscated reports whether s, which begins with an underscore, stands for a name or a port that is not told.
func isObfuscated(s string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte("._-", s[i]) < 0 {
			return false
		}
	}
	return len(s) > 1
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
