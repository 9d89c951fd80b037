package journal

import (
	"bytes"
	"slices"
)

// pieceKind says what recovery found in a stretch of a segment.
type pieceKind uint8

const (
	committed pieceKind = iota // one or more whole groups
	loose                      // one intact frame whose group is not whole
	invalid                    // bytes that are no frame of this segment
)

// piece is a stretch of a segment. first and last are its numbers; an invalid one has none.
type piece struct {
	kind        pieceKind
	off, end    int64
	first, last uint64
	at          int64 // the time of the first commit, Unix nanoseconds
}

// contents is what scan found in a segment.
type contents struct {
	pieces []piece
	mark   uint64 // the highest mark of its commit frames
	end    int64  // behind the last byte that is not zero, or behind the last frame
}

// mutation takes one of recovery's or the writer's precautions out, so that a test can show that the proofs notice.
type mutation uint8

const (
	noMutation      mutation = iota
	trustCommits             // take a commit frame's word, whatever became of its group
	ignoreSupersede          // let what a failed fsync left behind count
	publishUnsynced          // let readers see what is written but not on disk
	trustMemory              // take what Open reads for what is on disk
)

// An extent of a segment is at most so long, unless a single group is longer, and spans at most so much time: readers start
// at its beginning, and the age of a record is known as exactly.
const (
	extentBytes = 256 << 10
	extentNanos = int64(10e9)
)

// scan reads the segment whose bytes are b. It never fails: what it cannot read is invalid.
func scan(b []byte, h header, m mutation) contents {
	s := scanner{b: b, seed: h.seed(), lastSeq: h.first - 1, mutation: m}
	off := dataStart
	for off+frameHeaderSize <= len(b) {
		f, ok := decodeFrame(b[off:], s.seed)
		size := frameSize(f.length)
		if !ok || off+size > len(b) {
			next := s.resync(off)
			if next < 0 {
				s.tail(off)
				return s.contents
			}
			s.invalid(off, next)
			off = next
			continue
		}
		p, intact := f.payload(b[off:])
		switch {
		case !intact || f.hasNumber() && f.seq <= s.lastSeq:
			s.invalid(off, off+size)
		case f.hasNumber():
			s.run = append(s.run, frameRef{off, off + size, f.seq})
			s.lastSeq = f.seq
		default:
			c, ok := decodeCommit(p)
			if !ok {
				s.invalid(off, off+size)
				break
			}
			s.commit(c, f.seq, off)
		}
		off += size
	}
	s.tail(off)
	return s.contents
}

// scanner is the state of a scan.
type scanner struct {
	b        []byte
	seed     uint32
	run      []frameRef // intact frames since the last commit or invalid bytes
	lastSeq  uint64     // of the last intact frame; numbers ascend
	mutation mutation
	contents
}

type frameRef struct {
	off, end int
	seq      uint64
}

// resync returns the offset of the next intact header behind off, or -1.
func (s *scanner) resync(off int) int {
	for off += frameAlign; off+frameHeaderSize <= len(s.b); off += frameAlign {
		if f, ok := decodeFrame(s.b[off:], s.seed); ok && off+frameSize(f.length) <= len(s.b) && f.seq >= s.lastSeq {
			return off
		}
	}
	return -1
}

// tail ends the scan: what lies behind off is zero, or invalid up to its last byte that is not.
func (s *scanner) tail(off int) {
	s.flush(len(s.run))
	used := len(bytes.TrimRight(s.b[min(off, len(s.b)):], "\x00"))
	if used > 0 {
		s.invalid(off, off+used)
	}
	s.end = int64(min(off+used, len(s.b)))
}

func (s *scanner) invalid(off, end int) {
	s.flush(len(s.run))
	if n := len(s.pieces); n > 0 && s.pieces[n-1].kind == invalid && s.pieces[n-1].end == int64(off) {
		s.pieces[n-1].end = int64(end)
		return
	}
	s.pieces = append(s.pieces, piece{kind: invalid, off: int64(off), end: int64(end)})
}

// flush gives up hope of a commit for the first n frames of the run.
func (s *scanner) flush(n int) {
	for _, f := range s.run[:n] {
		s.pieces = append(s.pieces, piece{kind: loose, off: int64(f.off), end: int64(f.end), first: f.seq, last: f.seq})
	}
	s.run = append(s.run[:0], s.run[n:]...)
}

// commit takes the commit frame at off, whose number is last.
func (s *scanner) commit(c commit, last uint64, off int) {
	s.mark = max(s.mark, c.mark)
	group := len(s.run) - c.count
	switch {
	case group >= 0 && s.whole(s.run[group:], c, last, off):
	case s.mutation == trustCommits && len(s.run) > 0:
		group = 0
	default:
		s.flush(len(s.run))
		return
	}
	s.flush(group)
	if c.count > 0 {
		s.committed(piece{
			off: int64(s.run[0].off), end: int64(off + commitSize), first: s.run[0].seq, last: last, at: c.at,
		}, c.mark)
	} else if n := len(s.pieces); n > 0 && s.pieces[n-1].end == int64(off) && s.pieces[n-1].kind == committed {
		s.pieces[n-1].end += commitSize
	}
	s.run = s.run[:0]
}

// whole reports whether run is exactly the group that c ends.
func (s *scanner) whole(run []frameRef, c commit, last uint64, off int) bool {
	start, seq, sum := off, last+1, s.seed
	for _, f := range slices.Backward(run) {
		seq--
		if f.end != start || f.seq != seq {
			return false
		}
		start = f.off
	}
	for _, f := range run {
		sum = groupSum(sum, s.b[f.off:])
	}
	return int64(off-start) == c.bytes && sum == c.sum
}

// committed adds a whole group. Its mark says that what is before it was on disk, so that may be joined to one extent; the
// group itself stays apart until the next one comes.
func (s *scanner) committed(g piece, mark uint64) {
	if n := len(s.pieces); n > 1 && s.pieces[n-1].last <= mark && s.pieces[n-2].join(s.pieces[n-1]) {
		s.pieces = s.pieces[:n-1]
	}
	s.pieces = append(s.pieces, g)
}

// join appends next to p where the two are adjacent and small enough.
func (p *piece) join(next piece) bool {
	if p.kind != committed || next.kind != committed || p.end != next.off || p.last+1 != next.first ||
		next.end-p.off > extentBytes || next.at < p.at || next.at-p.at > extentNanos {
		return false
	}
	p.end, p.last = next.end, next.last
	return true
}
