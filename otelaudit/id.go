package otelaudit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// ID names a record for ever. It is a UUID (RFC 9562), version 7 unless the caller brought another.
type ID [16]byte

// String returns the canonical form, "0190a5f8-…", 36 characters.
func (id ID) String() string {
	var b [36]byte
	id.encode(&b)
	return string(b[:])
}

// AppendText appends the canonical form to b. It implements [encoding.TextAppender].
func (id ID) AppendText(b []byte) ([]byte, error) {
	var text [36]byte
	id.encode(&text)
	return append(b, text[:]...), nil
}

// MarshalText returns the canonical form.
func (id ID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText reads what [ParseID] reads.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err == nil {
		*id = parsed
	}
	return err
}

func (id ID) encode(dst *[36]byte) {
	hex.Encode(dst[0:8], id[0:4])
	dst[8] = '-'
	hex.Encode(dst[9:13], id[4:6])
	dst[13] = '-'
	hex.Encode(dst[14:18], id[6:8])
	dst[18] = '-'
	hex.Encode(dst[19:23], id[8:10])
	dst[23] = '-'
	hex.Encode(dst[24:36], id[10:16])
}

// IsZero reports whether id is the nil UUID, which no record has.
func (id ID) IsZero() bool { return id == ID{} }

// Time returns the time a UUIDv7 carries, in whole milliseconds, and whether id is one.
func (id ID) Time() (time.Time, bool) {
	if id[6]>>4 != 7 || id[8]>>6 != 0b10 {
		return time.Time{}, false
	}
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms).UTC(), true
}

// ParseID reads the canonical form of a UUID of any version, in either case.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, fmt.Errorf("otelaudit: %.40q is not a UUID: want 8-4-4-4-12 hexadecimal digits", s)
	}
	hexed := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	if _, err := hex.Decode(id[:], []byte(hexed)); err != nil {
		return ID{}, fmt.Errorf("otelaudit: %.40q is not a UUID: want 8-4-4-4-12 hexadecimal digits", s)
	}
	return id, nil
}

// DeriveID returns the id that belongs to key within namespace: always the same for the same two. It is for imports and
// for retries from outside ("this message, this step"). Put the tenant into the namespace, and never let a client choose
// both: who can choose an id can occupy it.
//
// It is a UUIDv8 made of the SHA-256 of both, so an [Activity] that has one needs a Time.
func DeriveID(namespace, key string) ID {
	h := sha256.New()
	fmt.Fprintf(h, "otelaudit:%d:%s:%s", len(namespace), namespace, key)
	var id ID
	copy(id[:], h.Sum(nil))
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// ids makes UUIDv7s that ascend within one process, also over a clock that was set back: then they run ahead of it.
type ids struct {
	last atomic.Uint64 // milliseconds << 12 | sequence
}

// at returns an id that carries the milliseconds of t, and is not part of the ascending sequence.
func (*ids) at(t time.Time) ID {
	return uuidv7(uint64(t.UnixMilli())<<12 | rand.Uint64N(1<<12)) //nolint:gosec // times before 1970 are refused
}

// next returns the next id of the sequence, at t or, where the sequence has already passed t, just behind its end.
func (g *ids) next(t time.Time) ID {
	// The sequence begins each millisecond in the lower half of its 4,096 numbers: at least 2,048 are left before it runs ahead.
	fresh := uint64(t.UnixMilli())<<12 | rand.Uint64N(1<<11) //nolint:gosec // times before 1970 are refused
	for {
		last := g.last.Load()
		next := max(fresh, last+1)
		if g.last.CompareAndSwap(last, next) {
			return uuidv7(next)
		}
	}
}

func uuidv7(stamp uint64) ID {
	ms, seq, random := stamp>>12, stamp&0xfff, rand.Uint64() //nolint:gosec // an id is unique, and no secret
	var id ID
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i)) //nolint:gosec // one byte of it is meant, as below
	}
	id[6] = 0x70 | byte(seq>>8)
	id[7] = byte(seq) //nolint:gosec // see above
	for i := range 8 {
		id[8+i] = byte(random >> (56 - 8*i)) //nolint:gosec // see above
	}
	id[8] = id[8]&0x3f | 0x80
	return id
}
