package journal

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// writer is what belongs to the goroutine that writes. It alone sits in system calls for appenders, so that a disk that hangs
// holds no appender.
type writer struct {
	active *active // nil before the first group, and after a failure
	next   uint64  // the number of the next record
	number uint64  // of the latest segment
	void   bool    // what the latest segment may hold from next on does not count: the next one says so
}

// active is the segment that is written to.
type active struct {
	segment *segment
	file    File
	end     int64 // where the next group goes
	limit   int64 // how long the file may become
}

// errGone says that the file which was written has no name any more: what it holds, the next Open will not find.
var errGone = errors.New("journal: the segment is gone: somebody removed or moved the directory")

// write brings groups to disk until the journal closes.
func (j *Journal) write() {
	for {
		<-j.wake
		runtime.Gosched() // whoever else can run may have something for the same group
		for j.writeOne() {
			runtime.Gosched()
		}
		j.mu.Lock()
		end := j.closing && len(j.open.waiters) == 0
		j.mu.Unlock()
		if end {
			j.writeGap()
			_ = j.writeMark() // a courtesy to the next Open
			return
		}
	}
}

// writeOne brings the open group to disk, or a mark that is due. It reports whether there was something to write.
func (j *Journal) writeOne() bool {
	j.mu.Lock()
	g := j.open
	if len(g.waiters) == 0 {
		due := j.markDue
		j.markDue = false
		j.mu.Unlock()
		if due {
			_ = j.writeMark() // the next group says what is wrong
		}
		return false
	}
	j.open, j.idle, j.writing = j.idle, nil, g
	j.mu.Unlock()

	err := j.commit(g)

	j.mu.Lock()
	j.writing, j.stalled, g.state = nil, nil, decided
	if err != nil {
		j.failed(err)
		for i := range g.waiters {
			j.refuseOnce(&g.waiters[i])
		}
	} else if !j.config.NoAppend {
		j.idling.Reset(j.config.IdleMark)
	}
	j.mu.Unlock()
	j.answer(g, err)
	j.mu.Lock()
	g.reset()
	j.idle = g
	j.mu.Unlock()
	return true
}

// answer tells who waits for g, which is decided, what became of it.
func (j *Journal) answer(g *group, err error) {
	a := answer{first: g.first, err: err}
	for i := range g.waiters {
		w := &g.waiters[i]
		if err != nil {
			a.first = 0
		}
		if !w.gone {
			w.done <- a
		}
		a.first += uint64(w.count) //nolint:gosec // a count
	}
}

// refuseGone counts the records of who has given up. Called with mu held.
func (j *Journal) refuseGone(g *group) {
	for i := range g.waiters {
		if w := &g.waiters[i]; w.gone {
			j.refuseOnce(w)
		}
	}
}

// refuseOnce counts w's records among the refused. Called with mu held.
func (j *Journal) refuseOnce(w *waiter) {
	if !w.counted {
		w.counted = true
		j.refuse(w.count)
	}
}

// commit brings a group to disk. What failed is not tried again on the same file, because the kernel may have dropped what
// it could not write and say that all is well: a new segment gets it, once. A disk that is full is waited for.
func (j *Journal) commit(g *group) error {
	for again := false; ; {
		if !j.prepare(g) {
			return nil // all have given up
		}
		err := j.put(g, j.config.now())
		if err == nil {
			return nil
		}
		j.mu.Lock()
		g.state = gathering // what is given up now is not written again
		j.refuseGone(g)
		j.mu.Unlock()
		switch {
		case isFull(err):
			if !j.awaitSpace(err) {
				return err
			}
		case again:
			return err
		default:
			again = true
		}
	}
}

// prepare takes out what was withdrawn, and gives the group to the system calls. It reports whether something is left.
func (j *Journal) prepare(g *group) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.refuseGone(g)
	g.compact()
	g.state = inCall
	return len(g.waiters) > 0
}

// put writes a group behind what the active segment holds, and syncs it. A gap goes with the first group that succeeds.
func (j *Journal) put(g *group, at time.Time) error {
	if err := j.secureGroup(); err != nil {
		return err
	}
	if j.active != nil && j.active.end+int64(len(g.buf)+commitSize) > j.active.limit {
		j.retire()
	}
	if j.active == nil {
		return j.begin(g, at)
	}
	e := j.encode(g, j.active.segment.seed, at, j.synced)
	if err := j.sync(e); err != nil {
		j.abandon()
		return fmt.Errorf("journal: write: %w", err)
	}
	j.done(g, e)
	return nil
}

// encoded is a group as it goes to disk.
type encoded struct {
	bytes []byte
	first uint64
	count int
	at    time.Time
	gap   Gap // the one in it; Refused is zero where there is none
}

// extent returns where readers find the group whose first byte is at off.
func (e *encoded) extent(off int64) extent {
	return extent{
		off: off, end: off + int64(len(e.bytes)), first: e.first,
		last: e.first + uint64(e.count) - 1, //nolint:gosec // a count
		at:   e.at.UnixNano(),
	}
}

// encode numbers the group's frames for a segment and adds the commit.
func (j *Journal) encode(g *group, seed uint32, at time.Time, mark uint64) encoded {
	j.mu.Lock()
	e := encoded{bytes: g.buf[gapSize:], first: j.next, at: at, gap: j.gap}
	j.mu.Unlock()
	if g == j.unsecured {
		e.gap = Gap{} // its records have their numbers already
	}
	if e.gap.Refused > 0 {
		clear(g.buf[:gapSize])
		e.gap.encode(g.buf[:gapSize])
		e.bytes = g.buf
	}
	seq, c := j.next, commit{mark: mark, at: at.UnixNano(), sum: seed, bytes: int64(len(e.bytes))}
	for rest := e.bytes; len(rest) > 0; rest = rest[frameSize(frameLength(rest)):] {
		closeFrame(rest, seq, seed)
		c.sum = groupSum(c.sum, rest)
		c.count++
		seq++
	}
	e.count, e.bytes = c.count, c.append(e.bytes, seq-1, seed)
	return e
}

// sync writes a group at the end of the active segment, and returns after it is on disk and can be found there.
func (j *Journal) sync(e encoded) error {
	a := j.active
	if _, err := a.file.WriteAt(e.bytes, a.end); err != nil {
		return err
	}
	if j.config.mutation == publishUnsynced && e.count > 0 {
		j.mu.Lock()
		j.publish(e.extent(a.end))
		j.mu.Unlock()
	}
	if err := a.file.Sync(); err != nil {
		return err
	}
	same, err := j.fs.Same(a.segment.path, a.file)
	if err == nil && !same {
		err = errGone
	}
	return err
}

// done makes a group that is on disk known: to readers, and to those who wait for it, by their numbers.
func (j *Journal) done(g *group, e encoded) {
	g.first = e.first
	if e.gap.Refused > 0 {
		g.first++
	}
	j.next = e.first + uint64(e.count) //nolint:gosec // a count
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.gap.Refused -= e.gap.Refused; j.gap.Refused > 0 {
		j.gap.From = e.gap.To
	}
	j.publish(e.extent(j.active.end))
	if g == j.unsecured {
		j.secured()
	}
	j.marked = e.first - 1
	j.active.end += int64(len(e.bytes))
}

// publish lets readers see a group. Called with mu held.
func (j *Journal) publish(e extent) {
	s := j.active.segment
	s.publish(e)
	s.size = max(s.size, e.end)
	j.synced = e.last
	for _, c := range j.cursors {
		if c.reader != nil {
			c.reader.signal()
		}
	}
}

// writeGap says what was refused, though no record follows it.
func (j *Journal) writeGap() {
	if j.refusing() {
		if err := j.put(newGroup(), j.config.now()); err != nil {
			j.note(err)
		}
	}
}

// refusing reports whether there are refused records that no gap record names.
func (j *Journal) refusing() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.gap.Refused > 0
}

// mark has the writer write a mark. A timer calls it.
func (j *Journal) mark() {
	j.mu.Lock()
	j.markDue = true
	j.mu.Unlock()
	notify(j.wake)
}

// writeMark says on disk that everything so far is on disk, so that damage of the last group is not taken for a torn write.
func (j *Journal) writeMark() error {
	if err := j.secureGroup(); err != nil {
		j.note(err)
		j.idling.Reset(j.config.IdleMark) // nobody else may try again
		return err
	}
	a := j.active
	if a == nil || j.marked == j.synced {
		return nil
	}
	if a.end+commitSize > a.limit {
		j.retire()
		err := j.begin(newGroup(), j.config.now()) // its header is a mark as well
		if err != nil {
			j.note(err)
		}
		return err
	}
	c := commit{mark: j.synced, at: j.config.now().UnixNano(), sum: a.segment.seed}
	if err := j.sync(encoded{bytes: c.append(nil, j.synced, a.segment.seed)}); err != nil {
		j.abandon()
		j.note(err)
		return err
	}
	a.end += commitSize
	j.mu.Lock()
	j.marked = j.synced
	if n := len(a.segment.extents); n > 0 && a.segment.extents[n-1].end == a.end-commitSize {
		a.segment.extents[n-1].end = a.end
	}
	j.mu.Unlock()
	return nil
}
