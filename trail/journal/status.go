package journal

import (
	"slices"
	"strings"
	"time"
)

// Status is how a journal is doing.
type Status struct {
	Dir         string
	Segments    int
	Bytes       int64  // of the segments' files
	First       uint64 // the number of the oldest record that is left; above Last where none is
	Last        uint64 // the highest number on disk; where the end is damaged, no reader comes so far
	Unsecured   uint64 // how many up to Last no reader gets before the disk has room for them once more
	Readers     []ReaderStatus
	Damage      []Damage
	Torn        []Torn
	Waiting     int       // bytes that wait for the disk
	Refused     uint64    // records whose Append returned an error and that the journal does not have, since Open
	LastError   error     // the latest failure, also when it has passed
	LastErrorAt time.Time //
}

// ReaderStatus is how far a reader has come.
type ReaderStatus struct {
	Name     string
	Required bool
	Open     bool          // false: a cursor on disk that nobody reads for; it pins all the same if it is required
	Damaged  bool          // its file was not readable: it starts again at the oldest record
	Seq      uint64        // everything up to it is delivered
	Lag      uint64        // how many are not, up to the last one that can be read
	Oldest   time.Duration // how long ago the oldest of those was written, to within ten seconds; zero where there is none
	Missed   uint64        // what a best-effort reader came too late for
}

// Lost returns how many records damage has cost. Where two stretches have lost the same, that counts once.
func (s *Status) Lost() uint64 {
	n := uint64(0)
	for i, d := range s.Damage {
		for _, part := range d.Beyond(s.Damage[:i]) {
			n += part.Lost()
		}
	}
	return n
}

// Status returns how the journal is doing. It does not wait for the disk.
func (j *Journal) Status() Status {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Status{
		Dir: j.dir, Segments: len(j.segments), First: j.oldest(), Last: j.synced + j.unsecuredCount, Unsecured: j.unsecuredCount,
		Damage: slices.Clone(j.damage), Torn: slices.Clone(j.torn),
		Waiting: j.open.bytes() + j.writing.bytes(), Refused: j.refused,
		LastError: j.lastErr, LastErrorAt: j.lastAt,
	}
	for _, segment := range j.segments {
		s.Bytes += segment.size
	}
	now, newest := j.config.now(), j.newest()
	for _, c := range j.cursors {
		r := ReaderStatus{Name: c.name, Required: c.required, Open: c.reader != nil, Damaged: c.damaged, Seq: c.seq}
		if c.reader != nil {
			r.Missed = c.reader.missed
		}
		if c.seq < newest {
			r.Lag = newest - c.seq
			r.Oldest = j.written(c.seq+1, now)
			if c.seq >= j.synced {
				r.Oldest = max(0, now.Sub(j.unsecuredAt))
			}
		}
		s.Readers = append(s.Readers, r)
	}
	slices.SortFunc(s.Readers, func(a, b ReaderStatus) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// newest returns the highest number that can be read, now or once the disk has room, or zero. It is below the highest number on
// disk where the end is damaged: no reader comes so far. Called with mu held.
func (j *Journal) newest() uint64 {
	if j.unsecured != nil {
		return j.synced + j.unsecuredCount
	}
	for _, s := range slices.Backward(j.segments) {
		if n := len(s.extents); n > 0 {
			return s.extents[n-1].last
		}
	}
	return 0
}

// written returns how long ago the record seq, or the first behind it, was written. Called with mu held.
func (j *Journal) written(seq uint64, now time.Time) time.Duration {
	for _, s := range j.from(seq) {
		if e, ok := s.find(seq, 0); ok {
			return max(0, now.Sub(time.Unix(0, e.at)))
		}
	}
	return 0
}
