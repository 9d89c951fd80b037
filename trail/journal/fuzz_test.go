package journal

import (
	"bytes"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
)

// Recovery of any bytes does not panic, and delivers nothing that the file does not hold in an intact frame.
func FuzzRecovery(f *testing.F) {
	files, _ := written(f)
	paths := segmentsOf(files)
	seed := files[paths[0]]
	f.Add(seed, false)
	f.Add(seed[:len(seed)/2], true)
	f.Add([]byte{}, false)
	f.Add(files[paths[1]], true)
	f.Fuzz(func(t *testing.T, b []byte, headed bool) {
		damaged := map[string][]byte{}
		maps.Copy(damaged, files)
		if headed { // else most inputs would end at the header
			b = append(bytes.Clone(seed[:dataStart]), b...)
		}
		damaged[paths[0]] = b
		view, err := Look(diskOf(damaged), "/var/audit")
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			return
		}
		last := uint64(0)
		for r, err := range view.Records(0) {
			require.NoError(t, err)
			require.Greater(t, r.Seq, last)
			last = r.Seq
			if r.Gap == nil && len(r.Data) > 0 {
				require.True(t, bytes.Contains(b, r.Data) || bytes.Contains(files[paths[1]], r.Data) ||
					contains(files, r.Data), "a phantom")
			}
		}
	})
}

func contains(files map[string][]byte, p []byte) bool {
	for _, b := range files {
		if bytes.Contains(b, p) {
			return true
		}
	}
	return false
}

// A cursor's file of any bytes does not panic, and a slot that is not intact does not count.
func FuzzCursor(f *testing.F) {
	p := position{name: "postgres", required: true, seq: 7, turn: 3}
	f.Add(p.encode())
	f.Add([]byte(cursorMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePosition(b)
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			return
		}
		require.LessOrEqual(t, len(p.name), MaxNameBytes)
	})
}
