package integrity

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// requireOneForm requires that data are refused, or are what the record that they give is written as.
func requireOneForm(t require.TestingT, d *Decoder, r *otelaudit.Record, data []byte) bool {
	err := d.Decode(data, r)
	if err != nil {
		require.ErrorIs(t, err, ErrFormat)
		require.True(t, bytes.Equal(zeroForm, AppendCanonical(nil, r)), "an error leaves it empty")
		return false
	}
	require.True(t, bytes.Equal(data, AppendCanonical(nil, r)), "%x", data)
	return true
}

var zeroForm = AppendCanonical(nil, &otelaudit.Record{})

// Offsets in the form of the zero Record, which has no texts and no lists.
const (
	atOutcome   = 58
	atAction    = 59
	atActors    = 65
	atActorType = 66
	atTrust     = 67
	atRoles     = 73
	atRelated   = 77
	atChanges   = 78
	atMetadata  = 79
	atSanitized = 88
	atResource  = 89
	atEnd       = 90
)

// refusal is the form of the zero Record with one byte, the one at offset at, replaced: no record, for this reason.
type refusal struct {
	name   string
	at     int
	with   []byte
	reason string
}

func (f refusal) data() []byte {
	return slices.Concat(zeroForm[:f.at], f.with, zeroForm[min(f.at+1, len(zeroForm)):])
}

var refusals = []refusal{
	{"version 0", 0, []byte{0}, "version 0 is not known, at offset 0"},
	{"version 2", 0, []byte{2}, "version 2 is not known, at offset 0"},
	{"unknown outcome", atOutcome, []byte{5}, "outcome 5 is not known, at offset 58"},
	{"length beyond the data", atAction, []byte{0x20}, "32 items of at least 1 bytes are due, and 30 bytes left, at offset 59"},
	{"length in too many bytes", atAction, []byte{0x80, 0}, "a length is longer than it need be, at offset 59"},
	{"another", atAction, []byte{0x81, 0, 'x'}, "a length is longer than it need be, at offset 59"},
	{"another, of ten", atAction, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0}, "a length is longer than it need be, at offset 59"},
	{"length of 2^64-1", atAction, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, "18446744073709551615 items of at least 1 bytes are due, and 30 bytes left, at offset 59"},
	{"length of 2^64", atAction, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2}, "a length is larger than 64 bits, at offset 59"},
	{"length without end", atAction, bytes.Repeat([]byte{0xff}, 12), "a length is larger than 64 bits, at offset 59"},
	{"no actor", atActors, []byte{0}, "0 actors: 1 to 64 are possible, at offset 65"},
	{"too many actors", atActors, append([]byte{65}, make([]byte, 8*64)...), "65 actors: 1 to 64 are possible, at offset 65"},
	{"unknown type of actor", atActorType, []byte{6}, "type of actor 6 is not known, at offset 66"},
	{"unknown trust", atTrust, []byte{3}, "trust 3 is not known, at offset 67"},
	{"more roles than data", atRoles, []byte{17}, "17 items of at least 1 bytes are due, and 16 bytes left, at offset 73"},
	{"more related targets than data", atRelated, []byte{5}, "5 items of at least 3 bytes are due, and 12 bytes left, at offset 77"},
	{"changes out of turn", atChanges, []byte{2, 1, 'b', 0, 0, 1, 'a', 0, 0}, `field "a" is not behind "b", at offset 83`},
	{"a field twice", atChanges, []byte{2, 1, 'a', 0, 0, 1, 'a', 0, 0}, `field "a" is not behind "a", at offset 83`},
	{"metadata out of turn", atMetadata, []byte{2, 1, 'b', 0, 1, 'a', 0}, `key "a" is not behind "b", at offset 83`},
	{"metadata twice", atMetadata, []byte{2, 1, 'a', 0, 1, 'a', 0}, `key "a" is not behind "a", at offset 83`},
	{"an empty key twice", atMetadata, []byte{2, 0, 0, 0, 0}, `key "" is not behind "", at offset 82`},
	{"unknown type of value", atMetadata, []byte{1, 0, typeMap + 1}, "type 12 is not known, at offset 81"},
	{"value that cannot be written", atMetadata, []byte{1, 0, typeUnknown}, "type 255 is not known, at offset 81"},
	{"boolean of 2", atMetadata, []byte{1, 0, typeBool, 2}, "boolean 2 is not known, at offset 82"},
	{"boolean of 2 in a list", atMetadata, []byte{1, 0, typeBools, 2, 1, 2}, "boolean 2 is not known, at offset 84"},
	{"more numbers than data", atMetadata, []byte{1, 0, typeInt64s, 2}, "2 items of at least 8 bytes are due, and 10 bytes left, at offset 82"},
	{"more values than data", atMetadata, []byte{1, 0, typeSlice, 11}, "11 items of at least 1 bytes are due, and 10 bytes left, at offset 82"},
	{"a map out of turn", atMetadata, []byte{1, 0, typeMap, 2, 1, 'b', 0, 1, 'a', 0}, `key "a" is not behind "b", at offset 86`},
	{"a map with a key twice", atMetadata, []byte{1, 0, typeMap, 2, 1, 'a', 0, 1, 'a', 0}, `key "a" is not behind "a", at offset 86`},
	{"nested too deep", atMetadata, append([]byte{1, 0}, nested(maxDepth+1)...), "values are nested more than 64 deep, at offset 209"},
	{"sanitized short of data", atSanitized, append([]byte{1}, make([]byte, 10)...), "1 items of at least 42 bytes are due, and 11 bytes left, at offset 88"},
	{"resource out of turn", atResource, []byte{2, 1, 'b', 0, 1, 'a', 0}, `key "a" is not behind "b", at offset 93`},
	{"resource twice", atResource, []byte{2, 1, 'a', 0, 1, 'a', 0}, `key "a" is not behind "a", at offset 93`},
	{"more behind it", atEnd, []byte{0}, "1 bytes follow the record, at offset 90"},
}

// nested is a slice in a slice and so on, levels deep.
func nested(levels int) []byte {
	return append(bytes.Repeat([]byte{typeSlice, 1}, levels-1), typeSlice, 0)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	require.Len(t, zeroForm, atEnd)
	var d Decoder
	for _, f := range refusals {
		var r otelaudit.Record
		require.False(t, requireOneForm(t, &d, &r, f.data()), f.name)
		require.EqualError(t, d.Decode(f.data(), &r), ErrFormat.Error()+": "+f.reason, f.name)
	}
	_, err := ParseCanonical(nil)
	require.EqualError(t, err, ErrFormat.Error()+": 1 bytes are due, and 0 left, at offset 0")
}

// Data that nest without end, or promise what they do not have, cost no more than their length allows.
func TestHostileData(t *testing.T) { //nolint:paralleltest // it measures allocations
	const size = 1 << 20
	most := func(perItem int) []byte { return binary.AppendUvarint(nil, uint64((size-100)/perItem)) }
	junk := bytes.Repeat([]byte{0xfe}, size)
	for name, f := range map[string]refusal{
		"slices in slices":       {at: atMetadata, with: append([]byte{1, 0}, nested(size/2)...)},
		"maps in maps":           {at: atMetadata, with: append([]byte{1, 0}, bytes.Repeat([]byte{typeMap, 1, 0}, size/3)...)},
		"in a resource":          {at: atResource, with: append([]byte{1, 0}, bytes.Repeat([]byte{typeMap, 1, 0}, size/3)...)},
		"a claim in each":        {at: atMetadata, with: append([]byte{1, 0}, bytes.Repeat([]byte{typeSlice, 0x80, 0x80, 0x20}, size/4)...)},
		"roles":                  {at: atRoles, with: append(most(1), junk...)},
		"related":                {at: atRelated, with: append(most(3), junk...)},
		"changes":                {at: atChanges, with: append(most(3), junk...)},
		"metadata":               {at: atMetadata, with: append(most(2), junk...)},
		"sanitized":              {at: atSanitized, with: append(most(42), junk...)},
		"resource":               {at: atResource, with: append(most(2), junk...)},
		"values":                 {at: atMetadata, with: slices.Concat([]byte{1, 0, typeSlice}, most(1), junk)},
		"strings":                {at: atMetadata, with: slices.Concat([]byte{1, 0, typeStrings}, most(1), junk)},
		"numbers, times 8 are 0": {at: atMetadata, with: append([]byte{1, 0, typeInt64s, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20}, junk...)},
	} {
		data := f.data()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ParseCanonical(data)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, ErrFormat, name)
		// An EMPTY value takes 1 byte, and 48 in memory; slices.Grow takes twice as much under the race detector.
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2*64*len(data)), name)
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	t.Parallel()
	for _, r := range []*otelaudit.Record{{}, typical(t), full()} {
		data := AppendCanonical(nil, r)
		var fresh, warm Decoder // warm knows the resource
		var into otelaudit.Record
		require.NoError(t, warm.Decode(data, &into))
		for n := range data {
			require.False(t, requireOneForm(t, &fresh, &into, data[:n]), n)
			require.False(t, requireOneForm(t, &warm, &into, data[:n]), n)
		}
	}
}

func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	for i, r := range []*otelaudit.Record{{}, typical(t), full()} {
		data := AppendCanonical(nil, r)
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			var d Decoder
			var into otelaudit.Record
			accepted := 0
			for at := range data {
				for _, flip := range flips {
					data[at] ^= flip
					if requireOneForm(t, &d, &into, data) {
						accepted++
					}
					data[at] ^= flip
				}
			}
			require.Positive(t, accepted)
		})
	}
}

// flips are what a byte is changed by: each bit, some that make one type or count of another, and all of it.
var flips = []byte{1, 2, 4, 8, 16, 32, 64, 128, 3, 5, 6, 7, 12, 15, 255}
