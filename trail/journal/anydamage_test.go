package journal

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// spoil does one random thing to a journal's files; the first segment stays a segment, or nobody could say what was before.
func spoil(random *rand.Rand, files map[string][]byte) string {
	paths := segmentsOf(files)
	n := random.IntN(len(paths))
	path := paths[n]
	b := bytes.Clone(files[path])
	files[path] = b
	off := random.IntN(len(b) + 1)
	end := min(off+1+random.IntN(300), len(b))
	what := fmt.Sprintf("segment %d of %d, %d to %d: ", n+1, len(paths), off, end)
	switch kind := random.IntN(6); {
	case kind == 0:
		files[path] = b[:off]
		return what + "cut off"
	case kind == 1:
		clear(b[off:end])
		return what + "zero"
	case kind == 2:
		from := files[paths[random.IntN(len(paths))]]
		copy(b[off:end], from[random.IntN(len(from)+1):])
		return what + "another's"
	case kind == 3 && n > 0:
		delete(files, path)
		return what + "gone"
	case kind == 4 && n > 0:
		files[path] = bytes.Clone(files[paths[random.IntN(len(paths))]])
		return what + "another segment"
	default:
		for i := off; i < end; i++ {
			b[i] ^= byte(random.Uint32())
		}
		return what + "random"
	}
}

// Whatever is spoilt in whatever places: no phantom, no silent loss, and Open finds what Look does, and it stays.
func TestAnyDamage(t *testing.T) {
	t.Parallel()
	good, records := written(t)
	rounds := 500
	if long() {
		rounds = 30_000
	}
	for round := range uint64(rounds) {
		random := newRandom(round)
		files := maps.Clone(good)
		var what []string
		for range 1 + random.IntN(4) {
			what = append(what, spoil(random, files))
		}
		v, err := judge(files, records)
		require.NoError(t, err, "round %d: %v", round, what)

		s := diskOf(files)
		j, err := Open(small(s))
		require.NoError(t, err, "round %d: %v", round, what)
		require.Equal(t, v.status.Damage, withoutCopies(j.Status().Damage), "round %d: %v", round, what)
		numbers, texts := contentsOf(t, j)
		require.Len(t, numbers, len(records)-v.lost, "round %d: %v", round, what)
		next, err := j.Append(context.Background(), []byte("behind it"))
		require.NoError(t, err)
		require.Greater(t, next, v.status.Last)
		require.NoError(t, j.Close())

		view, err := Look(s, "/var/audit")
		require.NoError(t, err)
		i := 0
		for r, err := range view.Records(0) {
			require.NoError(t, err)
			if i < len(texts) {
				require.Equal(t, numbers[i], r.Seq, "round %d: %v", round, what)
				require.Equal(t, texts[i], string(r.Data), "round %d: %v", round, what)
			}
			i++
		}
		require.Equal(t, len(texts)+1, i, "round %d: %v", round, what)
	}
}

func withoutCopies(damage []Damage) []Damage {
	for i := range damage {
		damage[i].Quarantine = ""
	}
	return damage
}
