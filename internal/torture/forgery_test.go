//go:build unix

package torture

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// A commit vouches for the records of its group, not for whatever stands in their place: a record that is intact by itself,
// with the number and the length of one that was written, is none. The frames are made by docs/journal-format.md, not by the
// code under test.
func TestACommitVouchesForItsRecords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		forge func(segment []byte)
		there int
	}{
		"as it was written": {func([]byte) {}, 3},
		"another record":    {func(s []byte) { forge(s, "second", "SECOND") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			segment := unmarked(t, []byte("first"), []byte("second"), []byte("third"))
			c.forge(segment)
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, segmentName), segment, 0o600))
			j, err := journal.Open(journal.Config{Dir: dir})
			require.NoError(t, err)
			defer j.Close()
			there := 0
			for r, err := range j.Records(0) {
				require.NoError(t, err)
				require.NotEqual(t, "SECOND", string(r.Data), "a phantom")
				there++
			}
			require.Equal(t, c.there, there)
			require.Equal(t, c.there == 0, len(j.Status().Torn) == 1, "what does not count is reported")
		})
	}
}

const segmentName = "0000000000000001.segment"

// unmarked is a segment with one group, behind which no mark says that it was on disk.
func unmarked(t *testing.T, records ...[]byte) []byte {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(journal.Config{Dir: dir, SegmentBytes: 64 << 10, IdleMark: time.Hour})
	require.NoError(t, err)
	defer j.Close()
	_, err = j.Append(t.Context(), records...)
	require.NoError(t, err)
	segment, err := os.ReadFile(filepath.Join(dir, segmentName))
	require.NoError(t, err)
	return segment
}

// forge puts an intact frame with another payload of the same length in the place of a record.
func forge(segment []byte, was, is string) {
	const frameHead = 24
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	frame := segment[bytes.Index(segment, []byte(was))-frameHead:]
	copy(frame[frameHead:], is)
	binary.LittleEndian.PutUint32(frame[16:], crc32.Checksum([]byte(is), castagnoli))
	salted := crc32.Checksum(segment[16:40], castagnoli) // the salt, and the segment's number
	binary.LittleEndian.PutUint32(frame[20:], crc32.Update(salted, castagnoli, frame[:20]))
}
