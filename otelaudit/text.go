package otelaudit

import (
	"strings"
	"unicode/utf8"
)

// isPlain reports whether s is printable ASCII: most of what a record holds, and quick to tell, eight bytes at a time.
func isPlain(s string) bool {
	const high, space, one = 0x8080808080808080, 0x2020202020202020, 0x0101010101010101
	for len(s) >= 8 {
		x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		// A byte's high bit gets set where it is not ASCII, is below the space, or is DEL; a borrow from a neighbour comes
		// only from one that is below the space itself.
		if (x|(x-space)|(x+one))&high != 0 {
			return false
		}
		s = s[8:]
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// clean returns s as valid UTF-8 of at most limit bytes, without control characters, and why it differs from s; an empty
// reason says that it does not. A text of several lines keeps its line breaks and tabs.
func clean(s string, limit int, multiline bool) (string, SanitizeReason) {
	var reason SanitizeReason
	if !utf8.ValidString(s) {
		s, reason = strings.ToValidUTF8(s, "\uFFFD"), ReasonEncoding
	}
	keep := printable
	if multiline {
		keep = printableOrBreak
	}
	// strings.Map returns its argument itself when nothing changes.
	if mapped := strings.Map(keep, s); mapped != s {
		s = mapped
		if reason == "" {
			reason = ReasonControl
		}
	}
	if short, did := cut(s, limit); did {
		s, reason = short, ReasonTooLong
	}
	return s, reason
}

const ellipsis = "…"

// cut shortens s to at most limit bytes, between characters, and lets it end in an ellipsis.
func cut(s string, limit int) (string, bool) {
	if len(s) <= limit {
		return s, false
	}
	end := limit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis, true
}

// printable maps to U+FFFD what could hide or reorder text: control characters (C0, DEL, C1) and the embeddings, overrides
// and isolates of Unicode's bidirectional algorithm. The marks U+200E, U+200F and U+061C stay: Arabic and Hebrew need them,
// and they reorder nothing but their neighbours' punctuation.
func printable(r rune) rune {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return utf8.RuneError
	}
	return r
}

func printableOrBreak(r rune) rune {
	if r == '\n' || r == '\r' || r == '\t' {
		return r
	}
	return printable(r)
}
