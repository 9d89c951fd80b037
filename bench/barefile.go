package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// defaultSegmentBytes is the default of journal.Config.SegmentBytes.
const defaultSegmentBytes = 32 << 20

// bareFiles is a file such as the journal makes for a segment: reserved, filled with zeros, synced. Where it rolls, the next
// one is made, step by step as the journal does it, while this one is written.
type bareFiles struct {
	dir   string
	size  int64
	rolls bool

	file journal.File
	end  int64
	made int
	next chan madeFile
}

type madeFile struct {
	journal.File
	err error
}

func (b *bareFiles) open() error {
	first := b.make()
	b.file = first.File
	if first.err == nil && b.rolls {
		b.next = make(chan madeFile, 1)
		b.next <- b.make()
	}
	return first.err
}

func (b *bareFiles) make() madeFile {
	b.made++
	f, err := journal.OS().OpenFile(filepath.Join(b.dir, "bare-"+strconv.Itoa(b.made)), os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return madeFile{err: err}
	}
	err = f.Allocate(b.size)
	zeros := make([]byte, 1<<20)
	for off := int64(0); off < b.size && err == nil; off += int64(len(zeros)) {
		if _, err = f.WriteAt(zeros[:min(int64(len(zeros)), b.size-off)], off); err == nil {
			err = f.Sync()
		}
	}
	if err != nil {
		return madeFile{err: errors.Join(err, f.Close())}
	}
	return madeFile{File: f}
}

// append returns after records are on disk, behind what was appended before.
func (b *bareFiles) append(records []byte) error {
	if b.end+int64(len(records)) > b.size {
		if err := b.roll(); err != nil {
			return err
		}
	}
	if _, err := b.file.WriteAt(records, b.end); err != nil {
		return err
	}
	b.end += int64(len(records))
	return b.file.Sync()
}

func (b *bareFiles) roll() error {
	if !b.rolls {
		return errors.New("the bare file is full")
	}
	if err := b.file.Close(); err != nil {
		return err
	}
	next := <-b.next
	if next.err != nil {
		return next.err
	}
	b.file, b.end = next.File, 0
	go func() { b.next <- b.make() }()
	return nil
}

func (b *bareFiles) close() error {
	err := b.file.Close()
	if b.rolls {
		if next := <-b.next; next.err == nil {
			err = errors.Join(err, next.Close())
		}
	}
	return err
}
