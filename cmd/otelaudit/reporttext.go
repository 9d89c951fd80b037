package main

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

// write says for people what r is.
func (r *report) write(w io.Writer) error {
	var b bytes.Buffer
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-14s %s\n", label, fmt.Sprintf(format, args...))
	}
	b.WriteString(printable(r.Dir) + "\n")
	in := fmt.Sprintf("in %s, %s", plural(r.Segments, "segment", "segments"), size(r.Bytes))
	switch {
	case r.First <= r.Last:
		line("records", "%s, %s", numbers(r.First, r.Last), in)
	case r.Last > 0:
		line("records", "none, the last one was %d, %s", r.Last, in)
	default:
		line("records", "none yet, %s", in)
	}
	if len(r.Readers) == 0 {
		line("reader", "none: all records are kept")
	}
	for i := range r.Readers {
		line("reader", "%s", &r.Readers[i])
	}
	line("dead letters", "%d", r.DeadLetters)
	for i := range r.Torn {
		line("torn", "%s, which a crash or a write under way left", &r.Torn[i])
	}
	for i := range r.Damage {
		d := &r.Damage[i]
		lost := "no record is lost by it"
		if d.To > 0 {
			lost = fmt.Sprintf("%s: lost", numbers(d.From, d.To))
		}
		line("damage", "%s; %s", d, lost)
	}
	for _, file := range r.DamagedBefore {
		line("damaged before", "%s", printable(file))
	}
	switch {
	case r.Intact:
		b.WriteString("  intact\n")
	case r.Lost > 0:
		fmt.Fprintf(&b, "  DAMAGED: %s lost\n", plural(r.Lost, "record is", "records are"))
	default:
		b.WriteString("  DAMAGED: see above\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

// String says where a reader is.
func (r *readerReport) String() string {
	kind := "best effort"
	if r.Required {
		kind = "required"
	}
	s := fmt.Sprintf("%s, %s: has all up to %d, ", printable(r.Name), kind, r.Delivered)
	if r.Left == 0 {
		s += "nothing left"
	} else {
		s += fmt.Sprintf("%d left, the oldest for %v", r.Left, time.Duration(r.Oldest)*time.Second)
	}
	if r.Missed > 0 {
		s += fmt.Sprintf(", missed %d", r.Missed)
	}
	if r.Damaged {
		s += "; DAMAGED: its cursor cannot be read, so it begins again at the oldest record"
	}
	return s
}

// String says where a stretch is, and where its copy.
func (s *stretchReport) String() string {
	where := fmt.Sprintf("segment %x, byte %d, %s", s.Segment, s.Offset, plural(s.Bytes, "byte", "bytes"))
	switch {
	case s.Bytes == 0 && s.Quarantine != "":
		where = fmt.Sprintf("segment %x, byte %d, gone (noted in %s)", s.Segment, s.Offset, printable(s.Quarantine))
	case s.Bytes == 0:
		where = fmt.Sprintf("segment %x, byte %d, the rest is gone", s.Segment, s.Offset)
	case s.Quarantine != "":
		where += " (kept in " + printable(s.Quarantine) + ")"
	}
	if s.Store != "" {
		where = s.Store + ": " + where
	}
	return where
}

// numbers is a range of sequence numbers.
func numbers(from, to uint64) string {
	if from == to {
		return fmt.Sprint(from)
	}
	return fmt.Sprintf("%d..%d", from, to)
}

// plural is n and a noun.
func plural[N int | int64 | uint64](n N, one, more string) string {
	if n == 1 {
		more = one
	}
	return fmt.Sprint(n) + " " + more
}

// size is a number of bytes for people.
func size(n int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.bytes {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(unit.bytes), unit.name)
		}
	}
	return plural(n, "byte", "bytes")
}
