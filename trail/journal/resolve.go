package journal

import (
	"fmt"
	"math"
	"path/filepath"
	"syscall"
)

// Damage is a stretch of a segment that cannot be read any more though it was on disk once, or a segment that is gone.
type Damage struct {
	Segment    uint64 // its number; of a segment that is gone, that of the next one
	Offset     int64  // where the invalid bytes begin
	Bytes      int64  // how many there are; zero where the file ends too early, or is gone
	From, To   uint64 // the sequence numbers that are lost; From > To when none is
	Quarantine string // the file that has the bytes now, or says what is lost where there are none; empty when it could not be made
}

// Lost returns how many records are lost.
func (d Damage) Lost() uint64 {
	if d.From > d.To {
		return 0
	}
	return d.To + 1 - d.From
}

// Beyond returns the parts of d that have lost what none of others has.
func (d Damage) Beyond(others []Damage) (parts []Damage) {
	if d.Lost() == 0 {
		return nil
	}
	var known []numbers
	for _, o := range others {
		if o.Lost() > 0 {
			known = append(known, numbers{o.From, o.To})
		}
	}
	for _, left := range (numbers{d.From, d.To}).without(known) {
		d.From, d.To = left.from, left.to
		parts = append(parts, d)
	}
	return parts
}

// same reports whether other is the same damage, wherever its bytes are now.
func (d Damage) same(other Damage) bool {
	d.Quarantine, other.Quarantine = "", ""
	return d == other
}

// Torn is what a crash left of a group that was never confirmed to anybody.
type Torn struct {
	Segment    uint64 // its number
	Offset     int64  // where it begins
	Bytes      int64  // up to the last byte that is not zero
	Quarantine string // the file that has the bytes too
}

// found is a segment's file as it was read.
type found struct {
	segment    *segment
	headless   bool   // neither copy of the header is intact: nothing in it can be checked
	oneHeader  bool   // one copy is not intact
	unreadable []span // what the disk does not give
	contents
}

// resolver decides what of the segments counts.
type resolver struct {
	files    []found // in the order of their numbers
	mark     uint64  // the highest number that is known to have been on disk
	floor    uint64  // what every required reader has: its loss is none
	from     uint64  // the lowest number that a required reader still wants; 0 where nobody can say
	mutation mutation

	next   uint64 // the number that is expected next
	damage []Damage
	torn   []Torn
	err    error // why nobody can say where the journal ends
}

// resolve gives each segment its extents, and says what is damaged and what is torn. Everything up to the last whole group
// is there, nothing after it. What does not fit lies either at or below the mark: then it was on disk, and is damage, and what
// follows it counts; or above: then it was never confirmed, and is the torn tail.
func (r *resolver) resolve() {
	for i := range r.files {
		f := &r.files[i]
		r.mark = max(r.mark, f.mark)
		if !f.headless {
			r.mark = max(r.mark, f.segment.header.mark)
		}
	}
	for i := range r.files {
		f := &r.files[i]
		if f.headless {
			r.headless(i)
			continue
		}
		if r.next == 0 {
			r.next = f.segment.header.first
			if r.from > 0 { // what was before it and is gone, a required reader does not have
				r.next = min(r.next, r.from)
			}
		}
		r.lose(Damage{Segment: f.segment.header.number, From: r.next, To: f.segment.header.first - 1}, i > 0)
		if f.oneHeader {
			r.lose(Damage{Segment: f.segment.header.number, Bytes: dataStart, From: r.next, To: r.next - 1}, true)
		}
		r.segment(i)
	}
	if r.next == 0 {
		r.next = max(r.from, 1)
	}
	last := uint64(0)
	if n := len(r.files); n > 0 {
		last = r.files[n-1].segment.header.number
	}
	r.lose(Damage{Segment: last, From: r.next, To: r.mark}, false) // a reader has what the journal has lost since
}

// before returns the highest number that segment i can hold, by the headers of later ones.
func (r *resolver) before(i int) uint64 {
	bound := uint64(math.MaxUint64)
	for _, later := range r.files[i+1:] {
		if !later.headless {
			bound = min(bound, later.segment.header.first-1)
		}
	}
	return bound
}

// valid returns the highest number of segment i that a later one does not supersede.
func (r *resolver) valid(i int) uint64 {
	bound := uint64(math.MaxUint64)
	for _, later := range r.files[i+1:] {
		if h := later.segment.header; !later.headless && h.supersedes != 0 && r.mutation != ignoreSupersede {
			bound = min(bound, h.supersedes-1)
		}
	}
	return bound
}

// lose notes damage and goes on behind what is lost by it. Where all that is gone was delivered to every required reader, its removal
// was under way, unless what was before it is still there.
func (r *resolver) lose(d Damage, between bool) {
	if d.Bytes > 0 || d.From <= d.To && (between || d.To > r.floor) {
		r.damage = append(r.damage, d)
	}
	r.next = max(r.next, d.To+1)
}

// headless reports a segment of which nothing can be checked.
func (r *resolver) headless(i int) {
	s := r.files[i].segment
	if r.next == 0 {
		r.next = r.floor + 1
	}
	r.check(i, 0, s.size)
	d := Damage{Segment: s.header.number, Bytes: s.size, From: r.next, To: min(r.before(i), r.mark)}
	if s.size == 0 && d.Lost() == 0 { // nobody can say what it held; but it had its name only once it was on disk
		r.damage = append(r.damage, d)
	}
	r.lose(d, true)
}

// segment goes through the pieces of one.
func (r *resolver) segment(i int) {
	f, s, bound := &r.files[i], r.files[i].segment, r.valid(i)
	bad := piece{off: -1} // invalid bytes, of which the next piece says what they are
	for _, p := range f.pieces {
		if p.kind == committed && p.first > bound {
			break // void
		}
		if p.kind == invalid || p.last > bound && p.kind == loose || p.last > r.mark && p.kind == loose {
			bad.extend(p)
			continue
		}
		if p.last = min(p.last, bound); p.last < r.next {
			continue
		}
		if bad.off >= 0 || p.first > r.next {
			r.lose(bad.damage(s, p.off, r.next, p.first-1), true)
			bad = piece{off: -1}
		}
		s.extents = append(s.extents, p)
		s.last = p.last
		r.next = p.last + 1
	}
	r.end(i, bad)
}

// end says what the bytes behind a segment's last record are.
func (r *resolver) end(i int, bad piece) {
	f, later := &r.files[i], r.files[i+1:]
	last := min(r.before(i), r.mark)
	r.check(i, bad.off, bad.end)
	switch {
	case r.next <= last && bad.off < 0 && len(later) > 0 && later[0].headless: // the loss is that one's
	case r.next <= last:
		r.lose(bad.damage(f.segment, f.end, r.next, last), len(later) > 0)
	case bad.off < 0:
	case len(later) > 0 && !later[0].headless && later[0].segment.header.supersedes == 0: // its successor found it whole
		r.lose(bad.damage(f.segment, f.end, r.next, r.next-1), true)
	default:
		r.torn = append(r.torn, Torn{Segment: f.segment.header.number, Offset: bad.off, Bytes: bad.end - bad.off})
	}
}

// check refuses what cannot be read at the end of the journal: it may hold records that were confirmed, whose numbers nobody
// knows. Elsewhere it is damage, because what follows says which numbers it had.
func (r *resolver) check(i int, off, end int64) {
	if r.before(i) != math.MaxUint64 {
		return
	}
	for _, u := range r.files[i].unreadable {
		if u.overlaps(off, end) {
			r.err = fmt.Errorf("segment %s: the disk cannot read its end, at %d: %w", filepath.Base(r.files[i].segment.path), u.off, syscall.EIO)
		}
	}
}

// extend makes p include next.
func (p *piece) extend(next piece) {
	if p.off < 0 {
		p.off = next.off
	}
	p.end = next.end
}

// damage is p as damage, or what ends at off without any invalid bytes.
func (p *piece) damage(s *segment, off int64, from, to uint64) Damage {
	if p.off < 0 {
		return Damage{Segment: s.header.number, Offset: off, From: from, To: to}
	}
	return Damage{Segment: s.header.number, Offset: p.off, Bytes: p.end - p.off, From: from, To: to}
}
