package trail

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/integrity"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// DeadLetter is a record that a sink does not get: its exporter will never take it, or somebody has said to skip it.
type DeadLetter struct {
	Sink   string    // who does not get it
	Dir    string    // the name of the journal's directory
	Seq    uint64    // its number there
	Time   time.Time // when it was set aside
	Reason string    // why
	Data   []byte    // the record in canonical form: see docs/record-format.md
}

// Record reads the record.
func (d DeadLetter) Record() (*otelaudit.Record, error) { return integrity.ParseCanonical(d.Data) }

// DeadLetters yields what was set aside of the journal in dir, in the order in which it was. A crash between that and the
// cursor has it set aside once more: it is yielded once. It may be called beside a process that has the journal open. A letter's
// Data is valid until the next one.
func DeadLetters(dir string) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		view, err := journal.Look(nil, filepath.Join(dir, deadLettersName))
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(DeadLetter{}, err)
			return
		}
		seen := map[letterKey]bool{}
		for record, err := range view.Records(0) {
			if err == nil && record.Gap != nil {
				continue // what could not be set aside was not passed over
			}
			var letter DeadLetter
			if err == nil {
				letter, err = parseLetter(record.Data)
			}
			if err == nil {
				key := letterKey{letter.Sink, letter.Dir, letter.Seq, sha256.Sum256(letter.Data)}
				if seen[key] {
					continue
				}
				seen[key] = true
			}
			if !yield(letter, err) {
				return
			}
		}
	}
}

// letterKey tells dead letters apart. A journal that was made anew begins with 1 again, so a number is not enough.
type letterKey struct {
	sink, dir string
	seq       uint64
	data      [sha256.Size]byte
}

// Skip sets the next n undelivered records of a sink aside as dead letters, and moves its cursor behind them: the way past what
// an exporter will never take and cannot name. Nobody may have the journal in dir open. It returns what was set aside, which
// is less than n where there is less.
func Skip(dir, sink string, n int) (skipped []DeadLetter, err error) {
	j, err := openExisting(dir, nil, math.MaxInt64) // how long its owner wants to keep what is there is not known here
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	status := j.Status()
	known, ok := reader(&status, sink)
	if !ok {
		return nil, fmt.Errorf("%w: %q; there are: %s", journal.ErrUnknown, sink, readerNames(&status))
	}
	kind := journal.BestEffort
	if known.Required {
		kind = journal.Required
	}
	r, err := j.Reader(sink, kind)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	letters := newDeadLetters(j, nil)
	defer func() { err = errors.Join(err, letters.close()) }()
	for len(skipped) < n {
		records, err := r.Next(ended(), n-len(skipped), maxBatchBytes) // which returns what is there, and does not wait
		if errors.Is(err, context.Canceled) {
			if status := j.Status(); status.Unsecured > 0 {
				return skipped, fmt.Errorf("trail: the last %d records wait until the disk has room: %w", status.Unsecured, status.LastError)
			}
			break
		}
		if err != nil {
			return skipped, err
		}
		var batch []DeadLetter
		for i := range records {
			batch = append(batch, DeadLetter{
				Sink: sink, Dir: nameOf(dir), Seq: records[i].Seq, Time: time.Now().UTC(), Reason: "skipped on demand",
				Data: canonical(dir, &records[i]),
			})
		}
		if err := letters.add(batch); err != nil {
			return skipped, err
		}
		if err := r.Commit(records[len(records)-1].Seq); err != nil {
			return skipped, err
		}
		skipped = append(skipped, batch...)
	}
	return skipped, nil
}

// nameOf returns the name of a journal's directory, also where it is given as ".".
func nameOf(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Base(dir)
}

// canonical returns the bytes of the record that the journal in dir has under jr.
func canonical(dir string, jr *journal.Record) []byte {
	if jr.Gap == nil {
		return bytes.Clone(jr.Data)
	}
	return integrity.AppendCanonical(nil, gapRecord(dir, jr, attribute.Set{}))
}

// openExisting opens a journal for what is in it, and keeps that for retention even where nobody needs it.
func openExisting(dir string, f journal.FS, retention time.Duration) (*journal.Journal, error) {
	if _, err := journal.Look(f, dir); err != nil { // Open would make it
		return nil, err
	}
	return journal.Open(journal.Config{Dir: dir, FS: f, NoAppend: true, Retention: retention})
}

func readerNames(s *journal.Status) string {
	var names []string
	for _, r := range s.Readers {
		names = append(names, r.Name)
	}
	return strings.Join(names, ", ")
}

// deadLettersName is the directory, within a journal's, of the journal of its dead letters. It has no reader, so nothing of it
// ever goes.
const deadLettersName = "dead-letters"

// deadLetters is that journal, opened when it is needed.
type deadLetters struct {
	of  *journal.Journal // whose directory it is in
	dir string
	fs  journal.FS

	mu      sync.Mutex // guards all below
	journal *journal.Journal
	closed  bool
}

func newDeadLetters(of *journal.Journal, f journal.FS) *deadLetters {
	return &deadLetters{of: of, dir: filepath.Join(of.Dir(), deadLettersName), fs: f}
}

// add returns once letters are on disk (fsync), all of them or none.
func (l *deadLetters) add(letters []DeadLetter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return journal.ErrClosed
	}
	if l.journal == nil {
		if err := l.of.Owns(); err != nil { // else Open would make the directory that somebody has moved away
			return err
		}
		j, err := journal.Open(journal.Config{Dir: l.dir, SegmentBytes: 1 << 20, CloseTimeout: time.Second, FS: l.fs})
		if err != nil {
			return err
		}
		l.journal = j
	}
	entries := make([][]byte, len(letters))
	for i, letter := range letters {
		entries[i] = letter.encode()
	}
	_, err := l.journal.Append(context.Background(), entries...)
	if err != nil { // the next one finds it where it is by then: the directory may be gone, and come back
		_ = l.journal.Close() // all that was confirmed is on disk
		l.journal = nil
	}
	return err
}

func (l *deadLetters) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.journal == nil {
		return nil
	}
	return l.journal.Close()
}

// letterHead is what stands before the record: a line of JSON.
type letterHead struct {
	Sink   string    `json:"sink"`
	Dir    string    `json:"dir"`
	Seq    uint64    `json:"seq"`
	Time   time.Time `json:"time"`
	Reason string    `json:"reason"`
}

func (d *DeadLetter) encode() []byte {
	head, err := json.Marshal(letterHead{d.Sink, d.Dir, d.Seq, d.Time, d.Reason})
	if err != nil {
		head = []byte("{}") // a time beyond year 9999: not of a clock
	}
	return append(append(head, '\n'), d.Data...)
}

func parseLetter(entry []byte) (DeadLetter, error) {
	line, data, ok := bytes.Cut(entry, []byte{'\n'})
	var head letterHead
	if !ok || json.Unmarshal(line, &head) != nil {
		return DeadLetter{}, errors.New("trail: a dead letter without a head")
	}
	return DeadLetter{head.Sink, head.Dir, head.Seq, head.Time, head.Reason, data}, nil
}

// maxReasonBytes bounds the reason of a dead letter: some errors quote what they are about.
const maxReasonBytes = 4096

func clip(reason string) string {
	if len(reason) <= maxReasonBytes {
		return reason
	}
	n := maxReasonBytes
	for n > 0 && !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n] + "…"
}
