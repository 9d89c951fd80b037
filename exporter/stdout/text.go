package stdout

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// isVisible reports whether r may go to a terminal as it is: not a control character, nothing that reorders or hides what
// stands around it, no letter or symbol that looks like a space. The joiners stay, because Persian, the scripts of India and
// emoji are not legible without them.
func isVisible(r rune) bool {
	return unicode.IsPrint(r) && !isBlank(r) || r == '\u200c' || r == '\u200d'
}

// isBlank is about what Unicode calls printable: Hangul fillers, variation selectors, the pattern of Braille without dots.
func isBlank(r rune) bool {
	return r == '\u2800' || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// escapeFrom escapes in the JSON text dst[start:] what is not visible. Such characters are within strings, and an escape is
// the same character to JSON.
func escapeFrom(dst []byte, start int) []byte {
	for i := start; i < len(dst); {
		if dst[i] < 0x7f { // quickly over most of it
			i++
			continue
		}
		r, size := utf8.DecodeRune(dst[i:])
		if escapes(r) {
			return appendEscaped(dst[:i], bytes.Clone(dst[i:]))
		}
		i += size
	}
	return dst
}

// escapes reports whether r is to be escaped in JSON, where spaces of all kinds are visible enough.
func escapes(r rune) bool {
	return r == 0x7f || r >= utf8.RuneSelf && !isVisible(r) && !unicode.Is(unicode.Zs, r)
}

func appendEscaped(dst, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case !escapes(r):
			dst = append(dst, text[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = appendUnicode(appendUnicode(dst, high), low)
		default:
			dst = appendUnicode(dst, r)
		}
		text = text[size:]
	}
	return dst
}

// appendUnicode appends \u and four hexadecimal digits.
func appendUnicode(dst []byte, r rune) []byte {
	dst = append(dst, '\\', 'u')
	return appendHex(dst, r, 4)
}

func appendHex(dst []byte, r rune, digits int) []byte {
	const hex = "0123456789abcdef"
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, hex[r>>shift&0xf])
	}
	return dst
}

const (
	lineBreak = '↵'
	ellipsis  = '…'
)

// maxMarks is how many characters without a column of their own may follow one another: more would only cover other lines. An
// ellipsis stands for the rest.
const maxMarks = 8

// visible returns s fit for one line of a terminal, in at most limit columns, and how many it takes. Line breaks become ↵,
// spaces of any kind a space, and what is not visible an escape like \u202e; with quoted, " and \ are escaped as well.
func visible(s string, limit int, quoted bool) (string, int) {
	var b strings.Builder
	width, marks := 0, 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == '\r' && strings.HasPrefix(s[i+1:], "\n") {
			size = 2
		}
		var piece [10]byte
		out := appendVisible(piece[:0], r, quoted)
		w := columns(string(out))
		if marks++; w > 0 {
			marks = 0
		}
		switch {
		case marks > maxMarks+1:
			i += size
			continue
		case marks > maxMarks: // for this one and those that follow it
			out, w = utf8.AppendRune(piece[:0], ellipsis), 1
		}
		room := limit - width
		if i+size < len(s) {
			room-- // for the ellipsis
		}
		if w > room {
			b.WriteRune(ellipsis)
			return b.String(), width + 1
		}
		b.Write(out)
		width += w
		i += size
	}
	return b.String(), width
}

func appendVisible(dst []byte, r rune, quoted bool) []byte {
	switch {
	case quoted && (r == '"' || r == '\\'):
		return append(dst, '\\', byte(r))
	case r == '\n', r == '\r', r == '\u0085', r == '\u2028', r == '\u2029':
		r = lineBreak
	case r == '\t', unicode.Is(unicode.Zs, r):
		r = ' '
	case isVisible(r):
	case r <= 0xff:
		return appendHex(append(dst, '\\', 'x'), r, 2)
	case r <= 0xffff:
		return appendUnicode(dst, r)
	default:
		return appendHex(append(dst, '\\', 'U'), r, 8)
	}
	return utf8.AppendRune(dst, r)
}

// isPlain reports whether s can stand without quotes: it is one word, and has nothing of the console's own punctuation,
// nor of what would change the look of that.
func isPlain(s string) bool {
	for i, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case strings.ContainsRune("-_.:/@+#*~%$&|^", r):
		case i == 0 && unicode.Is(unicode.M, r):
			return false
		case r >= utf8.RuneSelf && r != utf8.RuneError && isVisible(r) && unicode.In(r, unicode.L, unicode.N, unicode.M):
		default:
			return false
		}
	}
	return s != ""
}

// wide are the characters that take two columns, near enough (Unicode TR 11, and emoji).
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1},
		{Lo: 0x2e80, Hi: 0x303e, Stride: 1},
		{Lo: 0x3041, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1},
		{Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff00, Hi: 0xff60, Stride: 1},
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1},
		{Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1},
		{Lo: 0x1f900, Hi: 0x1faff, Stride: 1},
		{Lo: 0x20000, Hi: 0x3fffd, Stride: 1},
	},
}

// columns is how many columns of a terminal s takes; s is visible.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			n++
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case unicode.Is(wide, r):
			n += 2
		default:
			n++
		}
	}
	return n
}
