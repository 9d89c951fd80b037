package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Kind says whether a reader pins what it has not committed.
type Kind uint8

const (
	// Required readers keep every segment that they have not committed, also while they are not open.
	Required Kind = iota
	// BestEffort readers keep none: when the required ones have passed a segment it goes, and who lags misses it.
	BestEffort
)

// Record is what a reader gets.
type Record struct {
	Seq  uint64 // its number; numbers ascend, and follow each other but for what was lost or missed
	Data []byte // as it was appended; valid until the next call of Next. Nil for a gap
	Gap  *Gap   // nil for a record
}

// Reader reads the journal in order, from its cursor on. It gets only what a returned fsync covers. It is for one goroutine;
// Commit may be called from another one than Next.
type Reader struct {
	journal *Journal
	cursor  *cursor
	wake    chan struct{}

	stretch stretch
	given   uint64 // Journal.mu guards it: the last number that Next has returned
	missed  uint64 // Journal.mu guards it
	closed  bool   // Journal.mu guards it
}

// Reader opens the reader of that name. One that the journal does not know starts at the oldest record that is left, and has a
// cursor on disk when Reader returns. Two readers of one name cannot be open: ErrInUse.
func (j *Journal) Reader(name string, kind Kind) (*Reader, error) {
	if name == "" || len(name) > MaxNameBytes {
		return nil, fmt.Errorf("%w: %q", ErrName, name)
	}
	r := &Reader{journal: j, wake: make(chan struct{}, 1)}
	j.mu.Lock()
	c, known := j.cursors[name]
	if known && c.reader != nil {
		j.mu.Unlock()
		return nil, fmt.Errorf("%w: %q", ErrInUse, name)
	}
	if !j.enter() {
		j.mu.Unlock()
		return nil, ErrClosed
	}
	defer j.busy.Done()
	if !known {
		// It pins from here on, before it is on disk, so that no segment goes meanwhile.
		c = &cursor{path: cursorPath(j.dir, name), position: position{name: name, seq: j.oldest() - 1, required: kind == Required}}
		j.cursors[name] = c
	} else if c.damaged {
		c.seq = j.oldest() - 1
	}
	was, write := c.required, !known || c.damaged || c.required != (kind == Required)
	if kind == Required && !was { // what a best-effort reader has missed is no loss of the required one
		oldest := j.oldest() - 1
		r.missed = oldest - min(c.seq, oldest)
		c.required, c.seq = true, max(c.seq, oldest)
	}
	c.reader, r.cursor = r, c
	r.given, r.stretch.next = c.seq, c.seq+1
	j.mu.Unlock()
	if !write {
		return r, nil
	}
	if err := j.move(c, func(p *position) { p.required = kind == Required }); err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		c.reader, c.required = nil, was
		if !known {
			delete(j.cursors, name)
		}
		return nil, err
	}
	return r, nil
}

// oldest returns the number of the oldest record that is left, or that of the next one. Called with mu held.
func (j *Journal) oldest() uint64 {
	for _, s := range j.segments {
		if e, ok := s.find(0, 0); ok {
			return e.first
		}
	}
	return j.synced + 1
}

// Next returns what follows, at least one record and at most maxRecords; their data is at most maxBytes, but for a single
// record that is longer. It waits while there is none, until ctx ends; then nothing is lost, and the next call goes on. Fewer
// records than there are may come at once. ErrClosed: the reader or the journal is closed.
//
// An error of the file system may pass: Next can be called again, and goes on where it was. A block that the disk cannot read stops
// the reader with such an error, until it can, or until the next Open, which reports it as damage and goes on behind it. ctx ends
// the waiting, and no system call: on a disk that hangs, Next returns when the read does.
func (r *Reader) Next(ctx context.Context, maxRecords, maxBytes int) ([]Record, error) {
	j := r.journal
	for {
		j.mu.Lock()
		closed := r.closed || j.closing
		j.mu.Unlock()
		if closed {
			return nil, ErrClosed
		}
		records, err := r.stretch.read(j, max(maxRecords, 1), maxBytes)
		if err != nil {
			return nil, err
		}
		j.mu.Lock()
		r.missed += r.stretch.missed
		r.stretch.missed = 0
		if n := len(records); n > 0 {
			r.given = records[n-1].Seq
		}
		j.mu.Unlock()
		if len(records) > 0 {
			return records, nil
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Commit says that everything up to seq is delivered. It returns after the cursor is on disk (fsync); then the segments that
// every required reader has passed may go. A number that is committed already is no error. After an error the cursor is
// where it was: it may lag, and never leads; Commit can be called again. On a disk that hangs it returns when the disk answers, as
// no system call can be taken back: whoever must not wait calls it from a goroutine of its own. Until it has returned the journal
// stays locked, also behind Close. After that it is ErrClosed.
func (r *Reader) Commit(seq uint64) error {
	j, c := r.journal, r.cursor
	j.mu.Lock()
	given, behind := r.given, seq <= c.seq
	if r.closed || !j.enter() {
		j.mu.Unlock()
		return ErrClosed
	}
	j.mu.Unlock()
	defer j.busy.Done()
	switch {
	case seq > given:
		return fmt.Errorf("%w: %q was given %d, not %d", ErrAhead, c.name, given, seq)
	case behind:
		return nil
	}
	if err := j.move(c, func(p *position) { p.seq = max(p.seq, seq) }); err != nil {
		return err
	}
	j.mu.Lock()
	may := len(j.leaving) > 0 || len(j.segments) > 1 && j.segments[0].last <= seq
	j.mu.Unlock()
	if may {
		notify(j.kick)
	}
	return nil
}

// Behind returns how many numbers are on disk that Next has not come to.
func (r *Reader) Behind() uint64 {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	return r.journal.synced - min(r.given, r.journal.synced)
}

// Missed returns how many records a best-effort reader missed because they were gone when it came to them.
func (r *Reader) Missed() uint64 {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	return r.missed
}

// Close ends the reader; Next returns ErrClosed. Its cursor stays, and pins what it pinned. Call it after Next and Commit have
// returned, or let Next return by its context.
func (r *Reader) Close() {
	r.journal.mu.Lock()
	if r.closed {
		r.journal.mu.Unlock()
		return
	}
	r.closed = true
	r.journal.mu.Unlock()
	r.stretch.close()
	r.cursor.close()
	r.journal.mu.Lock()
	r.cursor.reader = nil
	r.journal.mu.Unlock()
	r.signal()
}

func (r *Reader) signal() { notify(r.wake) }

// Forget removes a cursor that is not wanted any more, and with it what it pins. ErrUnknown, ErrInUse.
func (j *Journal) Forget(name string) error {
	j.mu.Lock()
	c, ok := j.cursors[name]
	if !ok || c.reader != nil {
		j.mu.Unlock()
		if ok {
			return fmt.Errorf("%w: %q", ErrInUse, name)
		}
		return fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	if !j.enter() {
		j.mu.Unlock()
		return ErrClosed
	}
	defer j.busy.Done()
	defer notify(j.kick)
	c.reader = &Reader{journal: j, wake: make(chan struct{}, 1)} // nobody opens it meanwhile
	j.mu.Unlock()
	err := j.owns()
	if err == nil {
		err = j.fs.Remove(c.path)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = j.fs.SyncDir(j.dir)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	c.reader = nil
	if err != nil {
		return fmt.Errorf("journal: forget %q: %w", name, err)
	}
	delete(j.cursors, name)
	return nil
}
