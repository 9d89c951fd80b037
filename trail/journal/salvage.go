package journal

import (
	"errors"
	"fmt"
	"syscall"
)

const (
	salvageBlock = 4 << 10 // what a disk loses at once, and the kernel reads
	salvageLimit = 256     // so many of them, and the disk is gone rather than damaged; each may take it seconds
)

// span is a stretch of a file.
type span struct{ off, end int64 }

func (s span) overlaps(off, end int64) bool { return s.off < end && off < s.end }

// readSalvaging reads a file as far as the disk gives it, into room where that is large enough. Blocks that it cannot read are
// returned too; their bytes are no frame's, and not zero, so that recovery takes them for what they are: invalid.
func readSalvaging(room []byte, f FS, path string) (b []byte, unreadable []span, err error) {
	b, err = readFileInto(room, f, path, 0)
	if !errors.Is(err, syscall.EIO) {
		return b, nil, err
	}
	file, b, err := openSized(room, f, path, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }() // only read
	for off := 0; off < len(b); off += salvageBlock {
		block := b[off:min(off+salvageBlock, len(b))]
		n, err := file.ReadAt(block, int64(off))
		switch {
		case err == nil || n == len(block):
		case !errors.Is(err, syscall.EIO), len(unreadable) == salvageLimit:
			return nil, nil, fmt.Errorf("journal: read %s: %w", path, err)
		default:
			for i := range block {
				block[i] = 0xff
			}
			unreadable = append(unreadable, span{int64(off), int64(off + len(block))})
		}
	}
	return b, unreadable, nil
}
