package journal

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	commitPayload = 32
	commitSize    = frameHeaderSize + commitPayload
)

// commit is the payload of the frame that ends a group: without it nothing of the group counts. A commit of no records is a
// mark: the idle writer's word that everything before it is on disk.
type commit struct {
	mark  uint64 // the highest number whose fsync had returned when this was written
	at    int64  // when the group was written: Unix time in nanoseconds
	count int    // of the group's records and gaps
	sum   uint32 // groupSum of the group's frames
	bytes int64  // what the group's frames occupy, right before this frame
}

// groupSum is the CRC over the headers of a group's frames. Each of them holds the CRC of its payload, so it covers
// everything but the padding. A header's own CRC stays out: the CRC of bytes and of their CRC is the same for all bytes.
func groupSum(sum uint32, frameHead []byte) uint32 {
	return crc32.Update(sum, castagnoli, frameHead[:frameSumAt])
}

// append adds the frame to b.
func (c *commit) append(b []byte, last uint64, seed uint32) []byte {
	off := len(b)
	b = append(b, make([]byte, commitSize)...)
	f, p := b[off:], b[off+frameHeaderSize:]
	le := binary.LittleEndian
	le.PutUint64(p, c.mark)
	le.PutUint64(p[8:], uint64(c.at))     //nolint:gosec // the sign is a bit like others
	le.PutUint32(p[16:], uint32(c.count)) //nolint:gosec // bounded by MaxWaitingBytes
	le.PutUint32(p[20:], c.sum)
	le.PutUint64(p[24:], uint64(c.bytes)) //nolint:gosec // a length
	openFrame(f, commitFrame, commitPayload, crc32.Checksum(p, castagnoli))
	closeFrame(f, last, seed)
	return b
}

func decodeCommit(p []byte) (c commit, ok bool) {
	if len(p) != commitPayload {
		return c, false
	}
	le := binary.LittleEndian
	return commit{
		mark:  le.Uint64(p),
		at:    int64(le.Uint64(p[8:])), //nolint:gosec // the sign is a bit like others
		count: int(le.Uint32(p[16:])),
		sum:   le.Uint32(p[20:]),
		bytes: int64(le.Uint64(p[24:])), //nolint:gosec // scan compares it with what is there
	}, true
}
