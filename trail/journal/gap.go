package journal

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

const (
	gapPayload = 24
	gapSize    = frameHeaderSize + gapPayload
)

// Gap says that records were refused: their appenders got an error, and the journal does not have them. It is written with the
// first records that the disk takes again.
type Gap struct {
	Refused  uint64    // how many records
	From, To time.Time // when the first and the last of them were refused
}

// add counts n refused records.
func (g *Gap) add(n int, now time.Time) {
	if g.Refused == 0 {
		g.From = now
	}
	g.Refused += uint64(n) //nolint:gosec // a count
	g.To = now
}

// encode writes an open frame to b, which is zero and has gapSize bytes.
func (g *Gap) encode(b []byte) {
	p := b[frameHeaderSize:gapSize]
	le := binary.LittleEndian
	le.PutUint64(p, g.Refused)
	le.PutUint64(p[8:], uint64(g.From.UnixNano()))
	le.PutUint64(p[16:], uint64(g.To.UnixNano()))
	openFrame(b, gapFrame, gapPayload, crc32.Checksum(p, castagnoli))
}

func decodeGap(p []byte) (*Gap, bool) {
	if len(p) != gapPayload {
		return nil, false
	}
	le := binary.LittleEndian
	return &Gap{
		Refused: le.Uint64(p),
		From:    time.Unix(0, int64(le.Uint64(p[8:]))),  //nolint:gosec // the sign is a bit like others
		To:      time.Unix(0, int64(le.Uint64(p[16:]))), //nolint:gosec // the sign is a bit like others
	}, true
}
