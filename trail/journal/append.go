package journal

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Append returns after the records are on disk (fsync), all of them or none, with consecutive sequence numbers from first on.
// It waits for no more than the fsync under way, the next one and the roll of a segment; what others append meanwhile
// shares that fsync. It returns within Config.AppendTimeout, also when the disk hangs, and earlier when ctx ends.
//
// An error other than ErrFull, ErrClosed and ErrTooLarge means that the records are not confirmed: they may still be found
// by the next Open. Append copies the records: they are the caller's again when it returns, whatever it returns.
func (j *Journal) Append(ctx context.Context, records ...[]byte) (first uint64, err error) {
	size := 0
	for _, r := range records {
		size += frameSize(len(r))
	}
	if len(records) == 0 || size > j.config.MaxWaitingBytes {
		return 0, ErrTooLarge
	}
	w := j.pool.Get().(*waiter)
	w.sums = w.sums[:0]
	for _, r := range records { // outside of the lock: this is most of the work
		w.sums = append(w.sums, checksum(r))
	}
	w.count, w.gone, w.counted = len(records), false, false
	if err := j.join(w, size, records); err != nil {
		j.pool.Put(w)
		return 0, err
	}
	if done := ctx.Done(); done == nil { // to wait for one channel is cheaper than for two
		err = <-w.done
	} else {
		select {
		case err = <-w.done:
		case <-done:
			err = j.giveUp(w, context.Cause(ctx))
		}
	}
	if errors.Is(err, ErrTimeout) {
		return 0, err // the group still has the waiter
	}
	if err == nil {
		first = w.first
	}
	j.pool.Put(w)
	return first, err
}

// join puts the records into the open group.
func (j *Journal) join(w *waiter, size int, records [][]byte) error {
	j.mu.Lock()
	if j.closing || j.config.NoAppend {
		j.mu.Unlock()
		return ErrClosed
	}
	if j.open.bytes()+j.writing.bytes()+size > j.config.MaxWaitingBytes {
		j.refuse(w.count)
		j.mu.Unlock()
		return ErrFull
	}
	g := j.open
	w.group, w.off = g, len(g.buf)
	for i, r := range records {
		g.add(recordFrame, r, w.sums[i])
	}
	w.end = len(g.buf)
	begins := len(g.waiters) == 0
	if begins {
		j.clock = time.Since(j.epoch)
	}
	w.deadline = j.clock + j.config.AppendTimeout
	g.waiters = append(g.waiters, w)
	if !j.expiring {
		j.expiring = true
		j.expiry.Reset(j.tick())
	}
	j.mu.Unlock()
	if begins {
		notify(j.wake)
	}
	return nil
}

// giveUp ends a wait, unless its answer is there.
func (j *Journal) giveUp(w *waiter, cause error) error {
	j.mu.Lock()
	if w.group == nil || w.gone {
		j.mu.Unlock()
		return <-w.done
	}
	j.leave(w)
	j.mu.Unlock()
	return fmt.Errorf("%w: %w", ErrTimeout, cause)
}

// leave takes back what w would have appended, unless it is on its way. Called with mu held.
func (j *Journal) leave(w *waiter) {
	w.gone = true
	g := w.group
	g.withdrawn += w.end - w.off
	if g.state != gathering {
		return
	}
	w.counted = true
	j.refuse(w.count)
	if g.withdrawn > g.bytes()/2 { // a disk that hangs for hours must not keep what nobody waits for
		g.compact()
	}
}

// refuse counts records whose appender gets an error. Called with mu held.
func (j *Journal) refuse(n int) {
	j.refused += uint64(n) //nolint:gosec // a count
	j.gap.add(n, j.config.now())
}

// tick is how old the clock may be by which deadlines are set: so much earlier a wait may end. To look at the real one for each
// record costs a fifth of what the journal adds to it.
func (j *Journal) tick() time.Duration { return max(j.config.AppendTimeout/32, 1) }

// expire ends the waits whose time is over, and sets the clock. A timer calls it, every tick while somebody waits.
func (j *Journal) expire() {
	j.mu.Lock()
	defer j.mu.Unlock()
	now, next := time.Since(j.epoch), time.Duration(-1)
	j.clock = now
	for _, g := range []*group{j.writing, j.open} {
		if g == nil {
			continue
		}
		var late []*waiter
		for _, w := range g.waiters {
			switch {
			case w.gone:
			case w.deadline <= now:
				late = append(late, w)
			case next < 0 || w.deadline < next:
				next = w.deadline
			}
		}
		for _, w := range late {
			j.leave(w)
			w.done <- j.late()
		}
	}
	if j.expiring = next >= 0; j.expiring {
		j.expiry.Reset(min(next-now, j.tick()))
	}
}

// late is the error of a wait whose time is over. Called with mu held.
func (j *Journal) late() error {
	if j.stalled != nil {
		return fmt.Errorf("%w: %w", ErrTimeout, j.stalled)
	}
	return ErrTimeout
}
