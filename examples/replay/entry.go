package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
)

// entry is one event as it stands in a file.
type entry struct {
	line   int    // where it ends, counted from 1
	record int    // counted from 1, if the line is of a document
	json   []byte // valid until the next entry
	err    error  // why this entry cannot be read, although the next may
}

func (e entry) where() string {
	if e.record == 0 {
		return fmt.Sprintf("line %d", e.line)
	}
	return fmt.Sprintf("line %d, record %d", e.line, e.record)
}

const (
	bufferSize = 64 << 10
	maxLine    = 4 << 20 // an event has at most 1 MB; a document may have any length

	byteOrderMark = "\ufeff"
)

// entries yields what r holds, one after the other, so that a file of any size takes little memory. An error is the last thing
// it yields: the rest of r cannot be read.
func entries(r io.Reader) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		b, err := uncompressed(r)
		if err != nil {
			yield(entry{}, err)
			return
		}
		if begin, _ := b.Peek(len(byteOrderMark)); string(begin) == byteOrderMark {
			_, _ = b.Discard(len(byteOrderMark))
		}
		if err := lines(b, yield); err != nil {
			yield(entry{}, err)
		}
	}
}

// uncompressed looks for gzip's first two bytes, whatever the file is called.
func uncompressed(r io.Reader) (*bufio.Reader, error) {
	b := bufio.NewReaderSize(r, bufferSize)
	if magic, _ := b.Peek(2); string(magic) != "\x1f\x8b" {
		return b, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, err
	}
	return bufio.NewReaderSize(z, bufferSize), nil
}

// lines yields the events, of which a line holds one, or documents. Until a line stands for itself, a document may go on over
// several. It returns nil at the end, or when yield wants no more.
func lines(r *bufio.Reader, yield func(entry, error) bool) error {
	var line []byte
	several := true
	for number := 1; ; number++ {
		// What Peek cannot read, reading will say.
		if begin, _ := r.Peek(bufferSize); beginsDocument(begin, several) {
			d := documents{r: r, number: number, several: several}
			if more, err := d.entries(yield); err != nil || !more {
				return err
			}
			several, number = d.number > number, d.number
			continue
		}
		var err error
		line, err = readLine(r, line[:0])
		last := errors.Is(err, io.EOF)
		e := entry{line: number, json: line}
		if err != nil && !last {
			return fmt.Errorf("%s: %w", e.where(), err)
		}
		if len(line) > maxLine {
			e.err = fmt.Errorf("longer than %d bytes", maxLine)
		}
		if len(line) > 0 && !yield(e, nil) || last {
			return nil
		}
		several = several && len(line) == 0
	}
}

// readLine appends the next line to line, without the spaces around it. Of one that is too long it keeps enough to tell.
func readLine(r *bufio.Reader, line []byte) ([]byte, error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line) <= maxLine {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSpace(line), err
		}
	}
}
