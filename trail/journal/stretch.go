package journal

import (
	"fmt"
	"os"
	"slices"
)

// stretch reads records by their numbers, extent by extent. It holds the open file of one segment, and what it read ahead.
type stretch struct {
	next    uint64 // the number to read next
	segment *segment
	file    File
	off     int64  // in the file: where the frame of next, or one before it, begins
	buf     []byte // what was read from off on
	whole   []byte // buf with the room behind it
	misread uint64 // a number whose frame was invalid; the second time that is an error
	missed  uint64 // how many numbers were gone
}

// What one read asks for: as much as the caller wants, within these limits, and no more than there is.
const (
	leastRead = 64 << 10
	mostRead  = 4 << 20
)

// read returns records from next on, none where there are no more. What lies in front of what is left is skipped.
func (s *stretch) read(j *Journal, maxRecords, maxBytes int) ([]Record, error) {
	want := int64(min(max(maxBytes, 0), mostRead) + leastRead)
	for {
		seg, e, skipped, ok := j.locate(s.next, want+extentBytes) // from where the stretch is in the first extent
		if !ok {
			return nil, nil
		}
		s.missed += skipped
		s.next += skipped
		if err := s.seek(j, seg, &e); err != nil {
			if j.gone(seg) {
				continue
			}
			return nil, err
		}
		records, err := s.collect(&e, want, maxRecords, maxBytes)
		switch {
		case err != nil:
			return nil, err
		case len(records) > 0:
			return records, nil
		case s.misread == s.next:
			return nil, fmt.Errorf("journal: record %d: %w: its frame is invalid", s.next, ErrFormat)
		}
		s.misread = s.next
		s.close()
		if err := j.rescan(seg); err != nil {
			return nil, err
		}
	}
}

// seek opens the segment, and goes to the extent's beginning unless the stretch is within it.
func (s *stretch) seek(j *Journal, seg *segment, e *extent) error {
	if s.segment != seg {
		s.close()
		f, err := j.fs.OpenFile(seg.path, os.O_RDONLY)
		if err != nil {
			return fmt.Errorf("journal: read: %w", err)
		}
		s.segment, s.file, s.off = seg, f, e.off
	}
	if s.off < e.off || s.off >= e.end {
		s.off, s.buf = e.off, nil
	}
	return nil
}

// collect returns records of one extent. None means that the frame of next is not where it should be.
func (s *stretch) collect(e *extent, want int64, maxRecords, maxBytes int) ([]Record, error) {
	if int64(len(s.buf)) < min(want/2, e.end-s.off) { // what is left of the last read would make a small batch
		if err := s.load(min(want, e.end-s.off)); err != nil {
			return nil, err
		}
	}
	most := min(uint64(maxRecords), uint64(len(s.buf)/frameHeaderSize), e.last-s.next+1) //nolint:gosec // positive
	records := make([]Record, 0, most)
	for size := 0; s.off < e.end && s.next <= e.last && len(records) < maxRecords; {
		f, ok := decodeFrame(s.buf, s.segment.seed)
		if !ok && len(s.buf) >= frameHeaderSize {
			return records, nil
		}
		if n := frameSize(f.length); !ok || n > len(s.buf) {
			if len(records) > 0 {
				return records, nil // what was given out stays where it is
			}
			missing := int64(max(n, frameHeaderSize))
			if missing > e.end-s.off {
				return nil, nil
			}
			if err := s.load(max(missing, min(want, e.end-s.off))); err != nil {
				return nil, err
			}
			continue
		}
		if f.hasNumber() && f.seq >= s.next {
			if len(records) > 0 && size+f.length > maxBytes {
				return records, nil
			}
			p, intact := f.payload(s.buf)
			if !intact || f.seq != s.next {
				return records, nil
			}
			records = append(records, record(f, p))
			size += f.length
			s.next++
		}
		s.skip(frameSize(f.length))
	}
	return records, nil
}

func record(f frameHeader, p []byte) Record {
	if f.typ == gapFrame {
		if g, ok := decodeGap(p); ok {
			return Record{Seq: f.seq, Gap: g}
		}
	}
	return Record{Seq: f.seq, Data: p}
}

// skip goes on by n bytes.
func (s *stretch) skip(n int) {
	s.off += int64(n)
	s.buf = s.buf[n:]
}

// load reads n bytes from off on.
func (s *stretch) load(n int64) error {
	if int64(cap(s.whole)) < n {
		s.whole = make([]byte, n)
	}
	s.buf = s.whole[:n]
	if got, err := s.file.ReadAt(s.buf, s.off); int64(got) < n {
		s.buf = nil
		return fmt.Errorf("journal: read: %w", err)
	}
	return nil
}

// close lets go of the file.
func (s *stretch) close() {
	if s.file != nil {
		_ = s.file.Close() // only read
	}
	s.segment, s.file, s.buf = nil, nil, nil
}

// locate returns the extent that holds seq or, where that is gone, the first number behind it, and what follows it until there
// are want bytes; skipped says how many numbers are gone.
func (j *Journal) locate(seq uint64, want int64) (seg *segment, e extent, skipped uint64, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.from(seq) {
		if e, ok := s.find(seq, want); ok {
			return s, e, max(e.first, seq) - seq, true
		}
	}
	return nil, extent{}, 0, false
}

// from returns the segments that may hold numbers from seq on. It looks from the newest on, which is where most readers are, so
// that a sink that is far behind does not slow the others. Called with mu held.
func (j *Journal) from(seq uint64) []*segment {
	i := len(j.segments)
	for ; i > 0; i-- {
		if s := j.segments[i-1]; s.last < seq && len(s.extents) > 0 {
			break
		}
	}
	return j.segments[i:]
}

// gone reports whether the journal has removed a segment.
func (j *Journal) gone(seg *segment) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return !slices.Contains(j.segments, seg)
}
