package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// printable is s where a terminal shows it as what it is, else s in quotes with escapes: names and reasons may hold what the
// world has sent.
func printable(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == '"' }) < 0 {
		return s
	}
	return strconv.Quote(s)
}

// visible is s with what a terminal does not show as what it is escaped.
func visible(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// writeJSON writes v as a line. What a terminal does not show as what it is, is escaped.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	line := bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
	if bytes.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
		line = escaped(line)
	}
	_, err := w.Write(append(line, '\n'))
	return err
}

// escaped escapes JSON's strings further: outside of them there is nothing to escape.
func escaped(line []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(line) {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}
