package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	cursorMagic  = "\x89OAC\r\n\x1a\n"
	cursorSuffix = ".cursor"
	slotSize     = 512 // a sector, so that writing one slot cannot tear the other

	// MaxNameBytes is the most bytes that a reader's name may have.
	MaxNameBytes = 64
)

// position is what a slot of a cursor's file holds.
type position struct {
	name     string
	required bool
	seq      uint64 // everything up to it was delivered
	turn     uint64 // counts the writes: the intact slot with the higher one counts
	at       time.Time
}

func (p *position) encode() []byte {
	b := make([]byte, slotSize)
	copy(b, cursorMagic)
	le := binary.LittleEndian
	le.PutUint32(b[8:], version)
	if p.required {
		b[12] = 1
	}
	le.PutUint64(b[16:], p.turn)
	le.PutUint64(b[24:], p.seq)
	le.PutUint64(b[32:], uint64(p.at.UnixNano()))
	b[40] = byte(len(p.name)) //nolint:gosec // at most MaxNameBytes
	copy(b[41:], p.name)
	le.PutUint32(b[slotSize-4:], crc32.Checksum(b[:slotSize-4], castagnoli))
	return b
}

func decodePosition(b []byte) (p position, err error) {
	le := binary.LittleEndian
	switch {
	case len(b) < slotSize || string(b[:8]) != cursorMagic || le.Uint32(b[slotSize-4:]) != crc32.Checksum(b[:slotSize-4], castagnoli):
		return p, fmt.Errorf("%w: a cursor's slot is not intact", ErrFormat)
	case le.Uint32(b[8:]) != version:
		return p, fmt.Errorf("%w: version %d of a cursor", errVersion, le.Uint32(b[8:]))
	case b[40] > MaxNameBytes:
		return p, fmt.Errorf("%w: a cursor's name is too long", ErrFormat)
	}
	return position{
		name:     string(b[41 : 41+int(b[40])]),
		required: b[12] == 1,
		turn:     le.Uint64(b[16:]),
		seq:      le.Uint64(b[24:]),
		at:       time.Unix(0, int64(le.Uint64(b[32:]))), //nolint:gosec // the sign is a bit like others
	}, nil
}

// cursorPath escapes what a file system may not take or not tell apart, upper case included.
func cursorPath(dir, name string) string {
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return filepath.Join(dir, b.String()+cursorSuffix)
}

// cursorName is the inverse of cursorPath, for a file of which no slot is intact.
func cursorName(file string) (string, bool) {
	escaped, ok := strings.CutSuffix(file, cursorSuffix)
	if !ok {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(escaped); i++ {
		if escaped[i] != '%' {
			b.WriteByte(escaped[i])
			continue
		}
		if i+3 > len(escaped) {
			return "", false
		}
		c, err := strconv.ParseUint(escaped[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), true
}

// cursor is a reader's place on disk. Journal.mu guards position and the flags.
type cursor struct {
	position         // as it is on disk
	path     string  //
	reader   *Reader // nil while no reader of that name is open
	damaged  bool    // no slot was intact: it was put back to the oldest record

	writing sync.Mutex // guards the file; held in system calls, and never waited for with Journal.mu held
	file    File       // nil until it is written, and after a failure: the next write makes a new file
	failed  bool       // the file that has the name has not taken a write: nobody knows what of it is on disk
}

// move brings a cursor to a new position, as change makes it. It returns after that is on disk; after an error the old one
// counts.
func (j *Journal) move(c *cursor, change func(p *position)) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := j.owns(); err != nil {
		return err
	}
	j.mu.Lock()
	p := c.position
	j.mu.Unlock()
	p.turn, p.at = p.turn+1, j.config.now()
	change(&p)
	if err := c.write(j, p); err != nil {
		return err
	}
	j.mu.Lock()
	c.position, c.damaged = p, false
	j.mu.Unlock()
	return nil
}

// readCursor reads a cursor's file. One that is damaged pins everything.
func readCursor(fs FS, dir, file string) (*cursor, error) {
	name, ok := cursorName(file)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrFormat, file)
	}
	c := &cursor{path: filepath.Join(dir, file)}
	b, err := readFile(fs, c.path, 2*slotSize)
	if err != nil && !errors.Is(err, syscall.EIO) { // what the disk cannot read is damaged
		return nil, err
	}
	intact := 0
	for i := range 2 {
		p, err := decodePosition(b[min(i*slotSize, len(b)):])
		if errors.Is(err, errVersion) {
			return nil, err
		}
		if err != nil || p.name != name {
			continue
		}
		if intact++; intact == 1 || p.turn > c.turn {
			c.position = p
		}
	}
	if intact == 0 {
		c.damaged, c.position = true, position{name: name, required: true}
	}
	return c, nil
}

// write brings p to disk. A cursor whose write failed keeps its old place; the file is not used again, because the kernel may
// have dropped what it could not write. Called with writing held.
func (c *cursor) write(j *Journal, p position) (err error) {
	if c.file != nil {
		if same, err := j.fs.Same(c.path, c.file); err != nil || !same {
			c.drop() // somebody removed it: a new one may do
		}
	}
	if c.file == nil {
		err = c.create(j, p)
		if isFull(err) && c.reopen(j) {
			err = c.overwrite(p)
		}
	} else {
		err = c.overwrite(p)
	}
	if err != nil {
		c.drop()
		return fmt.Errorf("journal: cursor %q: %w", c.name, err)
	}
	return nil
}

// overwrite writes the slot whose turn it is.
func (c *cursor) overwrite(p position) error {
	_, err := c.file.WriteAt(p.encode(), int64(p.turn%2)*slotSize)
	if err == nil {
		err = c.file.Sync()
	}
	c.failed = err != nil
	return err
}

// reopen takes the file that is there. A disk that has no room for a new one takes a slot of that, and must: it is the readers'
// progress that makes space. One that has failed is not used again all the same.
func (c *cursor) reopen(j *Journal) bool {
	c.drop()
	j.removeTemporary(c.path + temporarySuffix)
	if c.failed {
		return false
	}
	f, err := j.fs.OpenFile(c.path, os.O_RDWR)
	if err != nil {
		return false
	}
	c.file = f
	return true
}

// create makes a new file with p in both slots. It gets its name once it is on disk, so a crash leaves the old one or this.
func (c *cursor) create(j *Journal, p position) error {
	temporary := c.path + temporarySuffix
	f, err := j.fs.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	c.file = f
	slot := p.encode()
	if _, err := f.WriteAt(append(slot, slot...), 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := j.owns(); err != nil {
		return err
	}
	if err := j.fs.Rename(temporary, c.path); err != nil {
		return err
	}
	c.failed = false
	return j.fs.SyncDir(j.dir)
}

func (c *cursor) close() {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.drop()
}

// drop closes the file: all of it is synced, or has failed.
func (c *cursor) drop() {
	if c.file != nil {
		_ = c.file.Close()
		c.file = nil
	}
}

// temporarySuffix marks what is being made. Open removes what a crash left of it.
const temporarySuffix = ".tmp"

// isTemporary reports whether a name in a journal's directory is of something that is being made.
func isTemporary(name string) bool {
	stem, ok := strings.CutSuffix(name, temporarySuffix)
	_, isSegment := segmentNumber(stem + segmentSuffix)
	return ok && (isSegment || strings.HasPrefix(stem, sparePrefix) || strings.HasSuffix(stem, cursorSuffix))
}

// readFile reads a file, at most limit bytes of it where limit is not zero.
func readFile(fs FS, path string, limit int64) ([]byte, error) {
	return readFileInto(nil, fs, path, limit)
}

// readFileInto is readFile, into room where that is large enough.
func readFileInto(room []byte, fs FS, path string, limit int64) ([]byte, error) {
	f, b, err := openSized(room, fs, path, limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	if n, err := f.ReadAt(b, 0); err != nil && n < len(b) {
		return nil, fmt.Errorf("journal: read %s: %w", path, err)
	}
	return b, nil
}

// openSized opens a file to read it, with room for its bytes: the one given where that is large enough.
func openSized(room []byte, fs FS, path string, limit int64) (File, []byte, error) {
	f, err := fs.OpenFile(path, os.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	if limit > 0 {
		size = min(size, limit)
	}
	if int64(cap(room)) < size {
		room = make([]byte, size)
	}
	return f, room[:size], nil
}
