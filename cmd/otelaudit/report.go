package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// report is what inspect says of a journal.
type report struct {
	Dir           string          `json:"dir"`
	Segments      int             `json:"segments"`
	Bytes         int64           `json:"bytes"`
	First         uint64          `json:"first"` // above Last where there is no record
	Last          uint64          `json:"last"`
	Readers       []readerReport  `json:"readers"`
	DeadLetters   uint64          `json:"dead_letters"`
	Torn          []stretchReport `json:"torn"`
	Damage        []stretchReport `json:"damage"`
	DamagedBefore []string        `json:"damaged_before"` // quarantined bytes of segments that are gone
	Lost          uint64          `json:"lost"`           // records, to the damage that is there now
	Intact        bool            `json:"intact"`
}

// readerReport is a reader: a sink's cursor.
type readerReport struct {
	Name      string  `json:"name"`
	Required  bool    `json:"required"`
	Delivered uint64  `json:"delivered"` // up to this number
	Left      uint64  `json:"left"`
	Missed    uint64  `json:"missed"`         // gone before they were delivered
	Oldest    float64 `json:"oldest_seconds"` // the age of the oldest that is left
	Damaged   bool    `json:"damaged"`
}

// stretchReport is bytes that are damaged or torn. Torn ones have no numbers.
type stretchReport struct {
	Store      string `json:"store,omitempty"` // dead-letters, or the journal itself
	Segment    uint64 `json:"segment"`
	Offset     int64  `json:"offset"`
	Bytes      int64  `json:"bytes"`
	From       uint64 `json:"from,omitempty"` // what is lost, if anything
	To         uint64 `json:"to,omitempty"`
	Quarantine string `json:"quarantine,omitempty"`
}

// inspected reads the journal in dir, and the dead letters beside it.
func inspected(ctx context.Context, dir string) (*report, error) {
	_, status, err := newLooker(ctx, dir).lookTwice()
	if err != nil {
		return nil, err
	}
	r := &report{
		Dir: dir, Segments: status.Segments, Bytes: status.Bytes, First: status.First, Last: status.Last,
		Readers: []readerReport{}, Torn: []stretchReport{}, Damage: []stretchReport{}, DamagedBefore: []string{},
	}
	r.Intact = true
	for _, reader := range status.Readers {
		rr := readerReport{
			Name: reader.Name, Required: reader.Required, Delivered: reader.Seq, Damaged: reader.Damaged,
			Oldest: math.Round(reader.Oldest.Seconds()),
		}
		if reader.Lag > 0 {
			rr.Left = status.Last - max(reader.Seq, status.First-1)
			rr.Missed = reader.Lag - rr.Left
		}
		r.Readers = append(r.Readers, rr)
		r.Intact = r.Intact && !reader.Damaged
	}
	if err := r.faults(&status, ""); err != nil {
		return nil, err
	}
	return r, r.deadLetters(ctx)
}

// deadLetters counts the dead letters, and looks whether they are intact.
func (r *report) deadLetters(ctx context.Context) error {
	dir := filepath.Join(r.Dir, deadLettersName)
	if _, err := journal.OS().List(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, status, err := newLooker(ctx, dir).lookTwice()
	if err != nil {
		return err
	}
	r.DeadLetters = status.Last + 1 - status.First
	for _, d := range status.Damage {
		if d.From >= status.First { // else First is behind what is lost
			r.DeadLetters -= d.Lost()
		}
	}
	return r.faults(&status, deadLettersName)
}

// faults adds what is damaged and torn in a store of the journal.
func (r *report) faults(status *journal.Status, store string) error {
	known := map[string]bool{}
	stretch := func(kind string, number uint64, offset, bytes int64) stretchReport {
		name := fmt.Sprintf("%016x-%08x-%x.%s", number, offset, bytes, kind)
		known[name] = true
		path := filepath.Join(r.Dir, store, quarantineName, name)
		if _, err := os.Stat(path); err != nil { // nobody has opened the journal since
			path = ""
		}
		return stretchReport{Store: store, Segment: number, Offset: offset, Bytes: bytes, Quarantine: path}
	}
	for _, t := range status.Torn {
		r.Torn = append(r.Torn, stretch("torn", t.Segment, t.Offset, t.Bytes))
	}
	for _, d := range status.Damage {
		sr := stretch("damaged", d.Segment, d.Offset, d.Bytes)
		if d.Lost() > 0 {
			sr.From, sr.To = d.From, d.To
		}
		if d.Quarantine != "" { // a note of what has left no bytes
			sr.Quarantine = d.Quarantine
		}
		r.Damage = append(r.Damage, sr)
		r.Intact = false
	}
	r.Lost += status.Lost()
	dir := filepath.Join(r.Dir, store, quarantineName)
	names, err := journal.OS().List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".damaged") && !strings.Contains(name, "-lost-") && !known[name] { // a note is damage of its own
			r.DamagedBefore = append(r.DamagedBefore, filepath.Join(dir, name))
			r.Intact = false
		}
	}
	return nil
}
