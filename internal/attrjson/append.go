package attrjson

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
)

// The keys of tagged forms.
const (
	tagPrefix  = "$"
	tagBytes   = "$bytes"
	tagFloat   = "$float"
	tagBools   = "$bools"
	tagInts    = "$ints"
	tagFloats  = "$floats"
	tagStrings = "$strings"
	tagSlice   = "$slice"
	tagMap     = "$map"
)

// Append appends the JSON form of v to dst. Values nest at most [MaxDepth] deep for [Parse] to read them back. Of entries
// of a MAP with the same key, the last is written.
func Append(dst []byte, v attribute.Value) []byte {
	switch v.Type() {
	case attribute.EMPTY:
		return append(dst, "null"...)
	case attribute.BOOL:
		return strconv.AppendBool(dst, v.AsBool())
	case attribute.INT64:
		return appendInt(dst, v.AsInt64())
	case attribute.FLOAT64:
		return appendFloat(dst, v.AsFloat64())
	case attribute.STRING:
		return AppendString(dst, v.AsString())
	case attribute.BOOLSLICE:
		return appendTyped(dst, tagBools, v.AsBoolSlice(), strconv.AppendBool)
	case attribute.INT64SLICE:
		return appendTyped(dst, tagInts, v.AsInt64Slice(), appendInt)
	case attribute.FLOAT64SLICE:
		return appendTyped(dst, tagFloats, v.AsFloat64Slice(), appendFloat)
	case attribute.STRINGSLICE:
		return appendTyped(dst, tagStrings, v.AsStringSlice(), AppendString)
	case attribute.BYTESLICE:
		dst = append(dst, `{"`+tagBytes+`":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, v.AsByteSlice())
		return append(dst, `"}`...)
	case attribute.SLICE:
		return appendSlice(dst, v.AsSlice())
	case attribute.MAP:
		return appendMap(dst, v.AsMap())
	default: // A type that OpenTelemetry adds later keeps its text, until it has a form here: TestEveryTypeHasAForm.
		return AppendString(dst, v.String())
	}
}

// AppendObject appends kvs as a JSON object to dst, in the order given. Keys must be unique. A key is never taken for a tag,
// by [ParseObject] either.
func AppendObject(dst []byte, kvs []attribute.KeyValue) []byte {
	dst = append(dst, '{')
	for i, kv := range kvs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, string(kv.Key))
		dst = append(dst, ':')
		dst = Append(dst, kv.Value)
	}
	return append(dst, '}')
}

// AppendString appends s as a JSON string to dst, with no more escapes than JSON demands. Bytes that are not UTF-8 become
// U+FFFD, one each.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < 0x20 || c == '"' || c == '\\' {
				dst = append(dst, s[start:i]...)
				dst = appendEscape(dst, c)
				start = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\uFFFD"...)
			start = i + 1
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}

func appendInt(dst []byte, i int64) []byte { return strconv.AppendInt(dst, i, 10) }

func appendFloat(dst []byte, f float64) []byte {
	if name := oddFloat(f); name != "" {
		dst = append(dst, `{"`+tagFloat+`":"`...)
		dst = append(dst, name...)
		if name == nanBits {
			dst = strconv.AppendUint(dst, math.Float64bits(f), 16)
		}
		return append(dst, `"}`...)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if bytes.IndexByte(dst[start:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

// The floats that a JSON number cannot carry, or that numeric does not keep.
const (
	negativeZero     = "-0"
	infinity         = "Infinity"
	negativeInfinity = "-Infinity"
	nan              = "NaN"  // math.NaN()
	nanBits          = "NaN:" // any other, followed by its bits in hexadecimal
)

// oddFloat returns the name of f for the tagged form, or "" where f is natural.
func oddFloat(f float64) string {
	switch {
	case f == 0 && math.Signbit(f):
		return negativeZero
	case math.IsInf(f, 1):
		return infinity
	case math.IsInf(f, -1):
		return negativeInfinity
	case !math.IsNaN(f):
		return ""
	case math.Float64bits(f) == math.Float64bits(math.NaN()):
		return nan
	}
	return nanBits
}

func appendTyped[T any](dst []byte, tag string, elems []T, appendElem func([]byte, T) []byte) []byte {
	if len(elems) == 0 {
		dst = append(dst, `{"`...)
		dst = append(dst, tag...)
		return append(dst, `":[]}`...)
	}
	return appendArray(dst, elems, appendElem)
}

func appendSlice(dst []byte, elems []attribute.Value) []byte {
	if elementType(elems) == attribute.EMPTY {
		return appendArray(dst, elems, Append)
	}
	dst = append(dst, `{"`+tagSlice+`":`...)
	dst = appendArray(dst, elems, Append)
	return append(dst, '}')
}

// elementType returns the primitive type that all of elems have, or EMPTY where there is none.
func elementType(elems []attribute.Value) attribute.Type {
	if len(elems) == 0 {
		return attribute.EMPTY
	}
	first := elems[0].Type()
	switch first {
	case attribute.BOOL, attribute.INT64, attribute.FLOAT64, attribute.STRING:
	default:
		return attribute.EMPTY
	}
	for _, e := range elems[1:] {
		if e.Type() != first {
			return attribute.EMPTY
		}
	}
	return first
}

func appendArray[T any](dst []byte, elems []T, appendElem func([]byte, T) []byte) []byte {
	dst = append(dst, '[')
	for i, e := range elems {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendElem(dst, e)
	}
	return append(dst, ']')
}

// appendMap takes entries sorted by key, as AsMap has them.
func appendMap(dst []byte, entries []attribute.KeyValue) []byte {
	entries = lastOfEach(entries)
	if len(entries) != 1 || !strings.HasPrefix(string(entries[0].Key), tagPrefix) {
		return AppendObject(dst, entries)
	}
	dst = append(dst, `{"`+tagMap+`":`...)
	dst = AppendObject(dst, entries)
	return append(dst, '}')
}

// lastOfEach keeps the last of adjacent entries with the same key, in the memory of entries.
func lastOfEach(entries []attribute.KeyValue) []attribute.KeyValue {
	kept := entries[:0]
	for i, kv := range entries {
		if i+1 == len(entries) || entries[i+1].Key != kv.Key {
			kept = append(kept, kv)
		}
	}
	return kept
}
