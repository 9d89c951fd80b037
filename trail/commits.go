package trail

import (
	"context"
	"fmt"
	"time"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// commits moves the cursor behind a deliverer, at most every commitEvery: each time costs an fsync. Not safe for concurrent use.
type commits struct {
	reader *journal.Reader
	seq    uint64    // up to which is delivered
	done   uint64    // up to which is committed
	by     time.Time // when what is delivered has to be committed
	failed bool      // the last one

	waiting context.Context //nolint:containedctx // ends at by
	cancel  context.CancelFunc
}

// add says that everything up to seq is delivered.
func (c *commits) add(seq uint64) {
	if c.seq == c.done {
		c.by = time.Now().Add(commitEvery)
	}
	c.seq = max(c.seq, seq)
}

// until returns a context that ends when a commit is due, or with ctx.
func (c *commits) until(ctx context.Context) context.Context {
	if c.seq == c.done {
		return ctx
	}
	if c.waiting == nil {
		c.waiting, c.cancel = context.WithDeadline(ctx, c.by)
	}
	return c.waiting
}

// due commits if it is time.
func (c *commits) due(o *outlet) {
	if c.seq != c.done && time.Now().After(c.by) {
		c.now(o)
	}
}

// now commits what is delivered. Where that fails it is tried again later: a cursor that lags costs no more than another
// delivery after a crash.
func (c *commits) now(o *outlet) {
	if c.cancel != nil {
		c.cancel()
		c.waiting, c.cancel = nil, nil
	}
	if c.seq == c.done {
		return
	}
	err := c.reader.Commit(c.seq)
	if err != nil {
		c.by = time.Now().Add(time.Second)
		if !c.failed {
			report(fmt.Errorf("otelaudit: sink %q: its cursor: %w", o.name, err))
		}
	} else {
		c.done = c.seq
	}
	c.failed = err != nil
}

// end commits what is left to be.
func (c *commits) end(o *outlet) { c.now(o) }
