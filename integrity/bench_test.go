package integrity

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

func TestBenchmarkedRecord(t *testing.T) {
	t.Parallel()
	r := typical(t)
	require.Len(t, r.AppendAttributes(nil), 25)
	require.Len(t, AppendCanonical(nil, r), 585)
}

// Track encodes into a buffer that it keeps, and deliverers decode into a record that they keep.
func TestAllocations(t *testing.T) { //nolint:paralleltest // it counts allocations
	r := typical(t)
	data := AppendCanonical(nil, r)
	require.Zero(t, testing.AllocsPerRun(10, func() { data = AppendCanonical(data[:0], r) }))

	var d Decoder
	var again otelaudit.Record
	require.NoError(t, d.Decode(data, &again))
	allocs := testing.AllocsPerRun(10, func() { _ = d.Decode(data, &again) })
	require.LessOrEqual(t, allocs, 2.0, "the text and the roles")
}

func BenchmarkAppendCanonical(b *testing.B) {
	r := typical(b)
	buf := AppendCanonical(nil, r)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendCanonical(buf[:0], r)
	}
}

func BenchmarkDecode(b *testing.B) {
	data := AppendCanonical(nil, typical(b))
	var d Decoder
	var r otelaudit.Record
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Decode(data, &r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseCanonical(b *testing.B) {
	data := AppendCanonical(nil, typical(b))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseCanonical(data); err != nil {
			b.Fatal(err)
		}
	}
}
