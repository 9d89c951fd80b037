package journal

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// secureCursors brings the cursors to disk once more. After Open, because the file may show a write that is in the kernel's memory
// only, and segments go by what is on disk; after the directory was away, because the files went with it.
func (j *Journal) secureCursors() error {
	j.mu.Lock()
	cursors := slices.Collect(maps.Values(j.cursors))
	cursors = slices.DeleteFunc(cursors, func(c *cursor) bool { return c.damaged }) // that starts again when its reader is opened
	j.mu.Unlock()
	for _, c := range cursors {
		if err := j.move(c, func(*position) {}); err != nil {
			return err
		}
	}
	return nil
}

// secure brings the groups above every mark to disk once more, as the first group of a new segment. They are whole in the
// file, but it may be the kernel's memory that says so: after a failed fsync, or a kill between write and fsync. Only then may a
// reader see them. A disk that is full must not keep a journal from being delivered, which is what makes space: then they wait,
// in their old segments too, and the writer tries again.
func (j *Journal) secure() error {
	records, at, err := j.above(j.marked)
	if err != nil {
		return err
	}
	if len(records) == 0 && j.config.NoAppend {
		return nil
	}
	j.next, j.synced = j.marked+1, j.marked
	for _, s := range j.segments {
		s.needed = s.last > j.marked
		s.clip(j.marked)
	}
	g := newGroup()
	for _, r := range records {
		g.add(r.typ, r.payload, checksum(r.payload))
	}
	j.prepareSpare()
	if len(records) > 0 {
		j.unsecured, j.unsecuredAt, j.unsecuredCount = g, at, uint64(len(records))
		err = j.secureGroup()
	} else {
		err = j.begin(g, at)
	}
	if isFull(err) {
		j.note(err)
		return nil
	}
	return err
}

// secureGroup brings what Open has found above every mark to disk, if it is not there yet. Nothing else is written before.
func (j *Journal) secureGroup() error {
	if j.unsecured == nil {
		return nil
	}
	return j.begin(j.unsecured, j.unsecuredAt)
}

// secured notes that it is there. Called with mu held.
func (j *Journal) secured() {
	j.unsecured, j.unsecuredCount = nil, 0
	for _, s := range j.segments {
		s.needed = false
	}
}

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
		b, _, err := readSalvaging(nil, j.fs, s.path)
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
