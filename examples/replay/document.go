package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// documents reads what one line has of documents, record by record, so that a line of any length takes little memory. With
// several, the first document goes on for as many lines as it takes.
type documents struct {
	r       *bufio.Reader
	number  int // of the line that is being read
	records int // that were read
	several bool
	ended   bool  // that line has been read
	err     error // of r
}

// Read takes the end of the line for the end of everything.
func (d *documents) Read(p []byte) (int, error) {
	if d.ended && !d.several {
		return 0, io.EOF
	}
	if _, d.err = d.r.Peek(1); d.err != nil {
		return 0, d.err
	}
	if d.ended {
		d.number++
	}
	part, _ := d.r.Peek(min(len(p), d.r.Buffered()))
	end := bytes.IndexByte(part, '\n') + 1
	if d.ended = end > 0; d.ended {
		part = part[:end]
	}
	return d.r.Discard(copy(p, part))
}

var errEnough = errors.New("no more is wanted")

// entries yields the records, and reports whether the next line is wanted. Where the JSON is broken there is no telling where
// the next record begins, but the next line does: only of a document over several lines the rest is not read.
func (d *documents) entries(yield func(entry, error) bool) (bool, error) {
	first, dec := d.number, json.NewDecoder(d)
	var err error
	for err == nil && dec.More() {
		err = d.document(dec, yield)
		d.several = false
	}
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return true, nil
		}
	}
	switch {
	case errors.Is(err, errEnough):
		return false, nil
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	broken := entry{line: d.number, record: d.records + 1, err: err}
	if d.number > first || d.err != nil && !errors.Is(d.err, io.EOF) {
		return false, fmt.Errorf("%s: %w", broken.where(), err)
	}
	_, _ = io.Copy(io.Discard, d) // what it cannot read, the next line will say
	return yield(broken, nil), nil
}

func (d *documents) document(dec *json.Decoder, yield func(entry, error) bool) error {
	err := open(dec)
	for found := true; found && err == nil; found, err = toRecords(dec) {
		for dec.More() {
			var raw json.RawMessage
			if err := dec.Decode(&raw); err != nil {
				return err
			}
			d.records++
			if !yield(entry{line: d.number, record: d.records, json: raw}, nil) {
				return errEnough
			}
		}
		if err := expect(dec, json.Delim(']')); err != nil {
			return err
		}
	}
	return err
}

// beginsDocument reports whether b, or its first line unless several may be taken together, begins with a document.
func beginsDocument(b []byte, several bool) bool {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	if len(bytes.TrimSpace(line)) == 0 {
		return false
	}
	if !several {
		b = line
	}
	return bytes.Contains(b, []byte(`"Records"`)) && open(json.NewDecoder(bytes.NewReader(b))) == nil
}

// open reads a document up to its records.
func open(dec *json.Decoder) error {
	if err := expect(dec, json.Delim('{')); err != nil {
		return err
	}
	found, err := toRecords(dec)
	if err == nil && !found {
		err = errors.New("no document of CloudTrail: it has no Records")
	}
	return err
}

// toRecords skips what else a document has, up to its records or its end.
func toRecords(dec *json.Decoder) (found bool, err error) {
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return false, err
		}
		if key == "Records" {
			return true, expect(dec, json.Delim('['))
		}
		if err := dec.Decode(new(json.RawMessage)); err != nil {
			return false, err
		}
	}
	return false, expect(dec, json.Delim('}'))
}

func expect(dec *json.Decoder, want json.Token) error {
	token, err := dec.Token()
	if err == nil && token != want {
		err = fmt.Errorf("no document of CloudTrail: found %v where %v should be", token, want)
	}
	return err
}
