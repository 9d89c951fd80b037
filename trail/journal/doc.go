// Package journal keeps records on disk until every reader that needs them has them.
//
//	j, err := journal.Open(journal.Config{Dir: "var/audit"})
//	first, err := j.Append(ctx, record) // returns after the record is on disk (fsync)
//
//	r, err := j.Reader("postgres", journal.Required)
//	records, err := r.Next(ctx, 2048, 4<<20)
//	err = r.Commit(records[len(records)-1].Seq) // delivered: the next start goes on behind it
//
// A journal is a directory of segments, to which one process appends and from which any number of readers in that process
// read, each from a cursor of its own. docs/journal-format.md gives every byte of it.
//
// # What it guarantees
//
// When Append returns nil the records survive the death of the process and of the machine, as long as the disk keeps what
// fsync put there. Open finds everything up to the last group that is whole, and nothing after it: a group is there with all
// of its records or not at all. Numbers ascend without gaps and are not used twice. A reader never gets what a crash could
// still take back, and gets everything that was appended, at least once. A segment goes only when the cursors on disk of all
// required readers have passed it. No appender waits longer than AppendTimeout, whatever the disk does. Memory does not grow
// with what waits for readers, and is bounded by MaxWaitingBytes for what waits for the disk.
//
// # What it does not
//
// A lost disk, a file that somebody removes, and a disk that confirms what it has not written take records with them; what was
// once on disk and cannot be read is reported in Status by its numbers, and everything else delivered. That the last group
// was damaged after it was on disk cannot be told from a crash while it was written, until a mark follows it: another group,
// a cursor behind it, or the mark that an idle journal writes after a second. File systems on a network are not supported.
package journal
