package propagation

import (
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

const (
	baggageHeader = "baggage"
	baggageName   = "Baggage" // the header's in an http.Header
	memberKey     = "otelaudit.actor"

	// What W3C Baggage lets a header hold, all of its lines together. A receiver may drop all of what exceeds it.
	maxHeaderBytes   = 8192
	maxHeaderMembers = 64
)

// header is what the lines of a baggage header hold: our member, and the rest.
type header struct {
	rest []string // the lines without our member; those that had none are as they came

	found int    // members with our key, in whatever spelling
	exact bool   // the last of them has it in the one spelling that is right, a value, and no properties
	value string // its value, as it stands in the header

	size    int // bytes of the lines as they came, with the commas between them
	members int // of the lines as they came
}

// parse cuts our member out of lines and looks at nothing else in them. It takes a time that grows with their length only.
// lines stay as they are.
func (h *header) parse(lines []string) {
	h.rest = lines
	copied := false
	for i, line := range lines {
		if i > 0 {
			h.size++ // the comma that joins lines
		}
		h.size += len(line)
		found := h.found
		rest := h.cut(line)
		if h.found > found && !copied {
			h.rest, copied = append(make([]string, 0, len(lines)), lines[:i]...), true
		}
		if copied && (h.found == found || rest != "") {
			h.rest = append(h.rest, rest)
		}
	}
}

// cut returns line without the members that are ours. Where there are none it is line itself.
func (h *header) cut(line string) string {
	var runs [4]string
	kept, from := runs[:0], 0 // what is kept, and where what is to be kept next begins
	for at := 0; at <= len(line); {
		end := len(line)
		if i := strings.IndexByte(line[at:], ','); i >= 0 {
			end = at + i
		}
		if h.isOurs(line[at:end]) {
			if at > from {
				kept = append(kept, line[from:at-1])
			}
			from = end + 1
		}
		at = end + 1
	}
	if from <= len(line) {
		kept = append(kept, line[from:])
	}
	return strings.Join(kept, ",")
}

// isOurs takes note of one member, and reports whether it has to be cut out.
func (h *header) isOurs(member string) bool {
	if member == "" {
		return false
	}
	key, value, ok := strings.Cut(member, "=")
	if semicolon := strings.IndexByte(key, ';'); semicolon >= 0 {
		key, ok = key[:semicolon], false
	}
	// OTel's Baggage takes off more than W3C's white space, and would have made this our key.
	trimmed := strings.TrimSpace(key)
	if trimmed != "" || ok {
		h.members++
	}
	if !isOurKey(trimmed) {
		return false
	}
	h.found++
	h.exact = ok && trimSpace(key) == memberKey && strings.IndexByte(value, ';') < 0
	h.value = trimSpace(value)
	return true
}

// trimSpace takes off the white space that W3C Baggage allows around keys and values.
func trimSpace(s string) string { return strings.Trim(s, " \t") }

// isOurKey reports whether key is ours to somebody who ignores case or decodes percent signs, which nobody should.
func isOurKey(key string) bool {
	switch {
	case len(key) < len(memberKey) || len(key) > 3*len(memberKey):
		return false
	case len(key) == len(memberKey):
		return strings.EqualFold(key, memberKey)
	case strings.IndexByte(key, '%') < 0:
		return false
	}
	var decoded [len(memberKey)]byte
	n := 0
	for i := 0; i < len(key); i, n = i+1, n+1 {
		if n == len(decoded) {
			return false
		}
		decoded[n] = key[i]
		if key[i] == '%' && i+2 < len(key) && isHex(key[i+1]) && isHex(key[i+2]) {
			decoded[n] = unhex(key[i+1])<<4 | unhex(key[i+2])
			i += 2
		}
	}
	return strings.EqualFold(string(decoded[:n]), memberKey)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unhex returns what the hexadecimal digit c stands for.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&0x0f + 9
}

// StripBaggage returns the values of a baggage header, or of gRPC's baggage metadata, without our member, in whatever
// spelling it is there. Other members are left as they are, byte for byte; a value that held ours alone is left out. Where
// ours is not there, it returns values itself; it never changes them. [NewTransport] does this for HTTP, and doors to the
// outside do more: see [EdgeBaggage].
func StripBaggage(values []string) []string {
	var h header
	h.parse(values)
	return h.rest
}

// values returns all values that carrier has for key.
func values(carrier propagation.TextMapCarrier, key string) []string {
	if several, ok := carrier.(propagation.ValuesGetter); ok {
		return several.Values(key)
	}
	if value := carrier.Get(key); value != "" {
		return []string{value}
	}
	return nil
}

// lineCarrier is the carrier of a baggage header of one line and of nothing else. To OTel's Baggage it is less work than one of
// several lines.
type lineCarrier string

var _ propagation.TextMapCarrier = lineCarrier("")

// Get implements [propagation.TextMapCarrier].
func (c lineCarrier) Get(key string) string {
	if key == baggageHeader {
		return string(c)
	}
	return ""
}

// Set implements [propagation.TextMapCarrier]. Nothing is injected into it.
func (lineCarrier) Set(string, string) {}

// Keys implements [propagation.TextMapCarrier].
func (lineCarrier) Keys() []string { return []string{baggageHeader} }

// linesCarrier is the carrier of a baggage header of several lines and of nothing else.
type linesCarrier []string

var (
	_ propagation.TextMapCarrier = linesCarrier(nil)
	_ propagation.ValuesGetter   = linesCarrier(nil)
)

// Get implements [propagation.TextMapCarrier].
func (c linesCarrier) Get(key string) string {
	if key == baggageHeader && len(c) > 0 {
		return c[0]
	}
	return ""
}

// Values implements [propagation.ValuesGetter].
func (c linesCarrier) Values(key string) []string {
	if key == baggageHeader {
		return c
	}
	return nil
}

// Set implements [propagation.TextMapCarrier]. Nothing is injected into it.
func (linesCarrier) Set(string, string) {}

// Keys implements [propagation.TextMapCarrier].
func (linesCarrier) Keys() []string { return []string{baggageHeader} }
