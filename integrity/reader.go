package integrity

import (
	"fmt"
	"math"
)

// reader takes a record's text apart from the front. After the first error it is at the end, and everything it gives is zero.
type reader struct {
	text string
	at   int
	err  error
}

// fail keeps the first error, and leaves nothing to be read.
func (r *reader) fail(at int, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s, at offset %d", ErrFormat, fmt.Sprintf(format, args...), at)
	}
	r.at = len(r.text)
}

// take returns the next n bytes, or none where the data end before, which is an error.
func (r *reader) take(n int) string {
	if n > len(r.text)-r.at {
		r.short(n)
		return ""
	}
	s := r.text[r.at : r.at+n]
	r.at += n
	return s
}

func (r *reader) short(n int) {
	r.fail(r.at, "%d bytes are due, and %d left", n, len(r.text)-r.at)
}

func (r *reader) byte() byte {
	if r.at >= len(r.text) {
		r.short(1)
		return 0
	}
	b := r.text[r.at]
	r.at++
	return b
}

// below is a byte that is less than n: what is named name.
func (r *reader) below(n int, name string) byte {
	b := r.byte()
	if int(b) >= n {
		r.fail(r.at-1, "%s %d is not known", name, b)
		return 0
	}
	return b
}

func (r *reader) bool() bool { return r.below(2, "boolean") == 1 }

func (r *reader) uint64() uint64 {
	s := r.take(8)
	if len(s) < 8 {
		return 0
	}
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func (r *reader) int64() int64 { return int64(r.uint64()) } //nolint:gosec // two's complement is meant

func (r *reader) float64() float64 { return math.Float64frombits(r.uint64()) }

// count is how many items of at least size bytes follow: no more than there is data for.
func (r *reader) count(size int) int {
	at := r.at
	n := uint64(r.byte())
	if n >= 0x80 {
		n = r.more(n & 0x7f)
	}
	if left := len(r.text) - r.at; n > uint64(left/size) { //nolint:gosec // it is not negative
		r.fail(at, "%d items of at least %d bytes are due, and %d bytes left", n, size, left)
		return 0
	}
	return int(n) //nolint:gosec // it is not more than the data have
}

// more is the rest of an unsigned LEB128 number that begins with these seven bits.
func (r *reader) more(n uint64) uint64 {
	at := r.at - 1
	for shift := 7; shift < 64; shift += 7 {
		b := r.byte()
		switch {
		case b == 0 && r.err == nil:
			r.fail(at, "a length is longer than it need be")
			return 0
		case shift == 63 && b > 1:
			r.fail(at, "a length is larger than 64 bits")
			return 0
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			break
		}
	}
	return n
}

func (r *reader) string() string {
	if at := r.at; at < len(r.text) { // the usual case, a short string, in line
		if end := at + 1 + int(r.text[at]); r.text[at] < 0x80 && end <= len(r.text) {
			r.at = end
			return r.text[at+1 : end]
		}
	}
	return r.take(r.count(1)) // of bytes
}
