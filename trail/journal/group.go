package journal

import (
	"slices"
	"time"
)

// groupState says who may change a group.
type groupState uint8

const (
	gathering groupState = iota // who gives up takes its records along
	inCall                      // the writer is in a system call with it, or it is on disk: it stays as it is
	decided                     // its answers are on their way
)

// group is what one commit brings to disk.
type group struct {
	buf       []byte // room for a gap record, then the frames, open: numbers come when it is written
	waiters   []waiter
	state     groupState
	withdrawn int    // bytes of waiters that have given up
	first     uint64 // the number of the first waiter's first record, once it is on disk
}

// waiter is an Append on its way. It is in its group's own memory: the writer, on another processor, reads one after the other.
// Journal.mu guards it until the group is decided; then nobody changes it.
type waiter struct {
	done     chan answer // of one
	off, end int         // its frames in the group's buffer
	count    int         // of its records
	deadline time.Duration
	gone     bool // it has given up; its answer is sent
	counted  bool // it is among the refused
}

// answer is what an Append returns.
type answer struct {
	first uint64
	err   error
}

func newGroup() *group { return &group{buf: make([]byte, gapSize, 4<<10)} }

// maxKept is the largest buffer that is kept for the next group.
const maxKept = 4 << 20

// reset makes the group empty.
func (g *group) reset() {
	clear(g.waiters)
	g.waiters = g.waiters[:0]
	if cap(g.buf) > maxKept {
		g.buf = make([]byte, gapSize, 4<<10)
	}
	g.buf = g.buf[:gapSize]
	g.state, g.withdrawn, g.first = gathering, 0, 0
}

// add appends a frame without its number. All appenders wait for it: the lock is held.
func (g *group) add(typ frameType, payload []byte, sum uint32) {
	n, size := len(g.buf), frameSize(len(payload))
	g.buf = slices.Grow(g.buf, size)[:n+size]
	frame := g.buf[n:]
	clear(frame[:frameHeaderSize]) // the buffer was used before
	openFrame(frame, typ, len(payload), sum)
	clear(frame[frameHeaderSize+copy(frame[frameHeaderSize:], payload):])
}

// bytes is what the group holds in memory.
func (g *group) bytes() int {
	if g == nil {
		return 0
	}
	return len(g.buf) - gapSize
}

// tidy takes out what was withdrawn, where that is most of a group that gathers: a disk that hangs for hours must not keep what
// nobody waits for.
func (g *group) tidy() {
	if g.state == gathering && g.withdrawn > g.bytes()/2 {
		g.compact()
	}
}

// compact takes out what was withdrawn.
func (g *group) compact() {
	if g.withdrawn == 0 {
		return
	}
	n, kept := gapSize, g.waiters[:0]
	for _, w := range g.waiters {
		if w.gone {
			continue
		}
		size := copy(g.buf[n:], g.buf[w.off:w.end])
		w.off, w.end = n, n+size
		n += size
		kept = append(kept, w)
	}
	clear(g.waiters[len(kept):])
	g.waiters, g.buf, g.withdrawn = kept, g.buf[:n], 0
}
