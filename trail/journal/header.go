package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"
)

// Every number in the files is little-endian; docs/journal-format.md has the whole format.
const (
	version    = 1
	headerSize = 512            // a sector, so that a header is never torn
	dataStart  = 2 * headerSize // the header is there twice: without its salt no frame of the segment could be checked
)

// segmentMagic tells a segment from a text file and from one that was transferred as text.
const segmentMagic = "\x89OAJ\r\n\x1a\n"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the head of a segment. It is on disk before the segment has its name.
type header struct {
	salt       [16]byte  // random: frames of another segment, in blocks used before, fail their CRC
	number     uint64    // of the segment, ascending
	first      uint64    // sequence number of its first record
	mark       uint64    // the highest number that was on disk when the segment was made
	supersedes uint64    // records of earlier segments from this number on are void; 0: none
	created    time.Time // in whole nanoseconds
}

// encode returns both copies.
func (h *header) encode() []byte {
	b := make([]byte, dataStart)
	copy(b, segmentMagic)
	le := binary.LittleEndian
	le.PutUint32(b[8:], version)
	copy(b[16:], h.salt[:])
	le.PutUint64(b[32:], h.number)
	le.PutUint64(b[40:], h.first)
	le.PutUint64(b[48:], h.mark)
	le.PutUint64(b[56:], h.supersedes)
	le.PutUint64(b[64:], uint64(h.created.UnixNano()))
	le.PutUint32(b[headerSize-4:], crc32.Checksum(b[:headerSize-4], castagnoli))
	copy(b[headerSize:], b[:headerSize])
	return b
}

// decodeHeader reads the first copy that is intact. damaged says that one is not.
func decodeHeader(b []byte) (h header, damaged bool, err error) {
	err = fmt.Errorf("%w: no intact header", ErrFormat)
	for i := range 2 {
		if len(b) < (i+1)*headerSize {
			return h, true, err
		}
		copyErr := h.decode(b[i*headerSize : (i+1)*headerSize])
		if copyErr != nil {
			damaged, err = true, copyErr
			continue
		}
		if i == 0 && (len(b) < dataStart || string(b[:headerSize]) != string(b[headerSize:dataStart])) {
			damaged = true
		}
		return h, damaged, nil
	}
	return h, true, err
}

func (h *header) decode(b []byte) error {
	le := binary.LittleEndian
	switch {
	case string(b[:8]) != segmentMagic:
		return fmt.Errorf("%w: not a segment", ErrFormat)
	case le.Uint32(b[headerSize-4:]) != crc32.Checksum(b[:headerSize-4], castagnoli):
		return fmt.Errorf("%w: the header's CRC does not match", ErrFormat)
	case le.Uint32(b[8:]) != version:
		return fmt.Errorf("%w: version %d", errVersion, le.Uint32(b[8:]))
	}
	copy(h.salt[:], b[16:])
	h.number = le.Uint64(b[32:])
	h.first = le.Uint64(b[40:])
	h.mark = le.Uint64(b[48:])
	h.supersedes = le.Uint64(b[56:])
	h.created = time.Unix(0, int64(le.Uint64(b[64:]))) //nolint:gosec // the sign is a bit like others
	return nil
}

// errVersion is an intact header of a version that this package does not read: no damage, and not to be touched.
var errVersion = fmt.Errorf("%w: of another version", ErrFormat)

// seed is where the CRC of each frame header starts: the frame belongs to this segment and to no other.
func (h *header) seed() uint32 {
	var b [24]byte
	copy(b[:], h.salt[:])
	binary.LittleEndian.PutUint64(b[16:], h.number)
	return crc32.Checksum(b[:], castagnoli)
}
