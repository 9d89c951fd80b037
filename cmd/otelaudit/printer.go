package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/rj-gamer/go-activity-tracker/exporter/stdout"
	"github.com/rj-gamer/go-activity-tracker/integrity"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// printer writes records: as exporter/stdout's console does, or as JSON Lines.
type printer struct {
	unreadable int // how many were no records

	lines   *bufio.Writer // nil for the console, which writes to w itself: only so it knows whether that is a terminal
	line    bytes.Buffer  // the record that was exported last
	w       io.Writer
	export  trail.BatchExporter
	decoder integrity.Decoder
	decoded otelaudit.Record
}

func newPrinter(w io.Writer, asJSON bool) *printer {
	p := &printer{w: w}
	if asJSON {
		p.lines = bufio.NewWriterSize(w, 64<<10)
		p.export = trail.NewBatchExporter(stdout.New(&p.line))
	} else {
		p.export = trail.NewBatchExporter(stdout.NewConsole(w))
	}
	return p
}

// entry is a line of JSON: a record or what stands for one, with what is known about it.
type entry struct {
	Journal string          `json:"journal,omitempty"` // of a dead letter
	Sink    string          `json:"sink,omitempty"`    // of a dead letter
	Seq     uint64          `json:"seq"`
	Time    *time.Time      `json:"time,omitempty"`   // of a dead letter: when it was set aside
	Reason  string          `json:"reason,omitempty"` // of a dead letter
	Record  json.RawMessage `json:"record,omitempty"` // as exporter/stdout writes it
	Gap     *gapEntry       `json:"gap,omitempty"`
	Error   string          `json:"error,omitempty"` // why Data is no record
	Data    []byte          `json:"data,omitempty"`  // in base64
}

// gapEntry says that records were refused.
type gapEntry struct {
	Refused uint64    `json:"refused"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
}

// journalRecord writes what the journal has under a number.
func (p *printer) journalRecord(r *journal.Record) error {
	e := &entry{Seq: r.Seq}
	if r.Gap == nil {
		return p.data(e, r.Data)
	}
	e.Gap = &gapEntry{r.Gap.Refused, r.Gap.From.UTC(), r.Gap.To.UTC()}
	if p.lines != nil {
		return writeJSON(p.lines, e)
	}
	return p.note("%d: here %s refused, from %s to %s: their Track returned an error", r.Seq,
		plural(e.Gap.Refused, "record was", "records were"), moment(e.Gap.From), moment(e.Gap.To))
}

// deadLetter writes a record that was set aside, and why.
func (p *printer) deadLetter(d *trail.DeadLetter) error {
	e := &entry{Journal: d.Dir, Sink: d.Sink, Seq: d.Seq, Time: &d.Time, Reason: d.Reason}
	if p.lines == nil {
		of := ""
		if d.Dir != "" {
			of = " of " + printable(d.Dir)
		}
		if err := p.note("%d%s: not for %s since %s: %s", d.Seq, of, printable(d.Sink), moment(d.Time), printable(d.Reason)); err != nil {
			return err
		}
	}
	return p.data(e, d.Data)
}

// data writes the record whose canonical form data is.
func (p *printer) data(e *entry, data []byte) error {
	if err := p.decoder.Decode(data, &p.decoded); err != nil {
		p.unreadable++
		if p.lines == nil {
			return p.note("%d: no record: %s", e.Seq, printable(err.Error()))
		}
		e.Error, e.Data = err.Error(), data
		return writeJSON(p.lines, e)
	}
	p.line.Reset()
	if err := p.export.ExportBatch(context.Background(), &trail.Batch{Records: []*otelaudit.Record{&p.decoded}}); err != nil {
		return err
	}
	if p.lines == nil {
		return nil
	}
	e.Record = p.line.Bytes()
	return writeJSON(p.lines, e)
}

// begin says for people which number the next record has. In JSON each has it.
func (p *printer) begin(next uint64) error {
	if p.lines != nil {
		return nil
	}
	return p.note("from %d on", next)
}

// missing says for people that numbers are not there. A program sees it.
func (p *printer) missing(from, to uint64) error {
	if p.lines != nil {
		return nil
	}
	return p.note("%s: not in the journal: removed after delivery, or damaged (inspect knows)", numbers(from, to))
}

// note writes what is no record.
func (p *printer) note(format string, args ...any) error {
	_, err := fmt.Fprintf(p.w, "-- %s\n", fmt.Sprintf(format, args...))
	return err
}

// flush returns after all is written.
func (p *printer) flush() error {
	if p.lines == nil {
		return nil
	}
	return p.lines.Flush()
}

// moment is a time for people.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000 UTC") }
