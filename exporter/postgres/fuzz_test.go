package postgres

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzDecodeRow reads rows that anybody may have written into the table: whatever is in them, they are refused, or are a
// record that is the same after another round.
func FuzzDecodeRow(f *testing.F) {
	for i := range 4 {
		r := typical(f, i, time.Unix(1_700_000_000, 0))
		if i == 1 {
			r = record(f, textual("x", "Größe\n\"✓\""))
		}
		f.Add(new(encoder).appendRow(nil, r))
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		var d decoder
		r, err := d.record(fieldsOf(row))
		if err != nil {
			return
		}
		again, err := d.record(fieldsOf(new(encoder).appendRow(nil, r)))
		require.NoError(t, err)
		require.Empty(t, difference(r, again))
	})
}

// fieldsOf takes a row of COPY … BINARY apart, as far as it is one.
func fieldsOf(row []byte) [][]byte {
	if len(row) < 2 {
		return nil
	}
	var fields [][]byte
	for row = row[2:]; len(row) >= 4; {
		n := binary.BigEndian.Uint32(row)
		row = row[4:]
		if n == 0xffffffff {
			fields = append(fields, nil)
			continue
		}
		n = min(n, uint32(len(row)))
		fields = append(fields, row[:n])
		row = row[n:]
	}
	return fields
}
