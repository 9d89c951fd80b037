package journal

import (
	"encoding/binary"
	"hash/crc32"
)

// frameType says what a frame holds. Zero is none: preallocated space reads as the end.
type frameType uint8

const (
	recordFrame frameType = 1 // a record, as its appender encoded it
	commitFrame frameType = 2 // ends a group
	gapFrame    frameType = 3 // records that were refused; it has a sequence number of its own
)

const (
	frameHeaderSize = 24
	frameSumAt      = 20 // where a header's own CRC is, over what is before it
	frameAlign      = 8  // each frame begins at a multiple of it, which is where recovery looks after damage
)

// frameHeader is the head of a frame. It has a CRC of its own, so that a damaged payload costs exactly one record: where the
// next frame begins is still known.
type frameHeader struct {
	length int // of the payload, without padding
	typ    frameType
	seq    uint64
	sum    uint32 // CRC-32C of the payload
}

// frameSize is what a payload of n bytes occupies.
func frameSize(n int) int { return frameHeaderSize + (n+frameAlign-1)&^(frameAlign-1) }

// hasNumber reports whether the frame is one that readers get.
func (h *frameHeader) hasNumber() bool { return h.typ == recordFrame || h.typ == gapFrame }

// open writes what is known before the number is: length, type and the payload's CRC. The rest of b's head must be zero.
func openFrame(b []byte, typ frameType, length int, sum uint32) {
	binary.LittleEndian.PutUint32(b, uint32(length)) //nolint:gosec // bounded by MaxWaitingBytes
	b[4] = byte(typ)
	binary.LittleEndian.PutUint32(b[16:], sum)
}

// closeFrame completes a header with its number and its CRC.
func closeFrame(b []byte, seq uint64, seed uint32) {
	binary.LittleEndian.PutUint64(b[8:], seq)
	binary.LittleEndian.PutUint32(b[frameSumAt:], crc32.Update(seed, castagnoli, b[:frameSumAt]))
}

// frameLength reads the length of a header that openFrame wrote.
func frameLength(b []byte) int { return int(binary.LittleEndian.Uint32(b)) }

// decodeFrame reads the header at the start of b. It reports false for one that this segment did not write.
func decodeFrame(b []byte, seed uint32) (h frameHeader, ok bool) {
	if len(b) < frameHeaderSize || b[4] < byte(recordFrame) || b[4] > byte(gapFrame) || b[5]|b[6]|b[7] != 0 {
		return h, false
	}
	if binary.LittleEndian.Uint32(b[frameSumAt:]) != crc32.Update(seed, castagnoli, b[:frameSumAt]) {
		return h, false
	}
	return frameHeader{
		length: frameLength(b),
		typ:    frameType(b[4]),
		seq:    binary.LittleEndian.Uint64(b[8:]),
		sum:    binary.LittleEndian.Uint32(b[16:]),
	}, true
}

// payload returns the payload of the frame at the start of b, or false where it is cut off or its CRC does not match.
func (h *frameHeader) payload(b []byte) ([]byte, bool) {
	if len(b)-frameHeaderSize < h.length {
		return nil, false
	}
	p := b[frameHeaderSize : frameHeaderSize+h.length]
	return p, crc32.Checksum(p, castagnoli) == h.sum
}

// checksum is the CRC of a payload.
func checksum(p []byte) uint32 { return crc32.Checksum(p, castagnoli) }
