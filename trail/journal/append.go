package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	var few [4]uint32
	sums := few[:0]
	for _, r := range records { // outside of the lock: this is most of the work
		sums = append(sums, checksum(r))
	}
	done := j.pool.Get().(chan answer)
	g, err := j.join(done, time.Since(j.epoch)+j.config.AppendTimeout, size, records, sums)
	if err != nil {
		j.pool.Put(done)
		return 0, err
	}
	var a answer
	if ended := ctx.Done(); ended == nil { // to wait for one channel is cheaper than for two
		a = <-done
	} else {
		select {
		case a = <-done:
		case <-ended:
			a = j.giveUp(g, done, context.Cause(ctx))
		}
	}
	if a.err == nil || !errors.Is(a.err, ErrTimeout) { // else the group still has the channel
		j.pool.Put(done)
	}
	return a.first, a.err
}

// join puts the records into the open group, and returns it.
func (j *Journal) join(done chan answer, deadline time.Duration, size int, records [][]byte, sums []uint32) (*group, error) {
	j.mu.Lock()
	if j.closing || j.config.NoAppend {
		j.mu.Unlock()
		return nil, ErrClosed
	}
	if j.open.bytes()+j.writing.bytes()+size > j.config.MaxWaitingBytes {
		j.refuse(len(records))
		j.mu.Unlock()
		return nil, ErrFull
	}
	g := j.open
	begins := len(g.waiters) == 0
	w := waiter{done: done, off: len(g.buf), count: len(records), deadline: deadline}
	for i, r := range records {
		g.add(recordFrame, r, sums[i])
	}
	w.end = len(g.buf)
	g.waiters = append(g.waiters, w)
	if !j.expiring {
		j.expiring = true
		j.expiry.Reset(j.config.AppendTimeout)
	}
	j.mu.Unlock()
	if begins {
		notify(j.wake)
	}
	return g, nil
}

// giveUp ends the wait of who joined g, unless its answer is there or on its way.
func (j *Journal) giveUp(g *group, done chan answer, cause error) answer {
	j.mu.Lock()
	// A group is used again, but not before all its answers are sent.
	if len(done) > 0 || g.state == decided {
		j.mu.Unlock()
		return <-done
	}
	i := slices.IndexFunc(g.waiters, func(w waiter) bool { return w.done == done })
	j.leave(g, &g.waiters[i])
	g.tidy()
	j.mu.Unlock()
	return answer{err: fmt.Errorf("%w: %w", ErrTimeout, cause)}
}

// leave takes back what w would have appended to g, unless it is on its way. Called with mu held.
func (j *Journal) leave(g *group, w *waiter) {
	w.gone = true
	g.withdrawn += w.end - w.off
	if g.state == gathering {
		w.counted = true
		j.refuse(w.count)
	}
}

// refuse counts records whose appender gets an error. Called with mu held.
func (j *Journal) refuse(n int) {
	j.refused += uint64(n) //nolint:gosec // a count
	j.gap.add(n, j.config.now())
}

// expire ends the waits whose time is over. A timer calls it.
func (j *Journal) expire() {
	j.mu.Lock()
	defer j.mu.Unlock()
	now, next := time.Since(j.epoch), time.Duration(-1)
	for _, g := range []*group{j.writing, j.open} {
		if g == nil {
			continue
		}
		for i := range g.waiters {
			switch w := &g.waiters[i]; {
			case w.gone:
			case w.deadline <= now:
				j.leave(g, w)
				w.done <- answer{err: j.late()}
			case next < 0 || w.deadline < next:
				next = w.deadline
			}
		}
		g.tidy()
	}
	if j.expiring = next >= 0; j.expiring {
		j.expiry.Reset(next - now)
	}
}

// late is the error of a wait whose time is over. Called with mu held.
func (j *Journal) late() error {
	if j.stalled != nil {
		return fmt.Errorf("%w: %w", ErrTimeout, j.stalled)
	}
	return ErrTimeout
}
