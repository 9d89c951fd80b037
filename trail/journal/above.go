package journal

import (
	"fmt"
	"time"
)

// framed is a frame's type and payload.
type framed struct {
	typ     frameType
	payload []byte
}

// above reads the frames of all records above mark, and when the first of them was written.
func (j *Journal) above(mark uint64) (frames []framed, at time.Time, err error) {
	at = j.config.now()
	for _, s := range j.segments {
		if s.last <= mark {
			continue
		}
		b, err := readFile(j.fs, s.path, 0)
		if err != nil {
			return nil, at, err
		}
		for _, e := range s.extents {
			if e.last <= mark {
				continue
			}
			if len(frames) == 0 {
				at = time.Unix(0, e.at)
			}
			for off := e.off; off < e.end; {
				f, ok := decodeFrame(b[off:], s.seed)
				p, intact := f.payload(b[off:])
				if !ok || !intact {
					return nil, at, fmt.Errorf("%w: %s changed while it was read", ErrFormat, s.path)
				}
				if f.hasNumber() && f.seq > mark && f.seq <= e.last {
					frames = append(frames, framed{f.typ, p})
				}
				off += int64(frameSize(f.length))
			}
		}
	}
	return frames, at, nil
}

// clip takes numbers above last out of the segment.
func (s *segment) clip(last uint64) {
	for n := len(s.extents); n > 0 && s.extents[n-1].first > last; n-- {
		s.extents = s.extents[:n-1]
	}
	if n := len(s.extents); n > 0 {
		s.extents[n-1].last = min(s.extents[n-1].last, last)
	}
	s.last = min(s.last, max(last, s.header.first-1))
}
