package trail

import (
	"context"
	"sync"
)

// progress is how far a sink has come, for who waits for that.
type progress struct {
	hurry chan struct{} // one signal: somebody waits

	mu      sync.Mutex // guards all below
	seq     uint64
	waiters map[chan struct{}]uint64
}

func newProgress() *progress {
	return &progress{hurry: make(chan struct{}, 1), waiters: map[chan struct{}]uint64{}}
}

func (p *progress) at() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seq
}

func (p *progress) reach(seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seq = max(p.seq, seq)
	for done, wanted := range p.waiters {
		if wanted <= p.seq {
			close(done)
			delete(p.waiters, done)
		}
	}
}

// await returns once the sink has all up to seq, or ctx ends.
func (p *progress) await(ctx context.Context, seq uint64) error {
	p.mu.Lock()
	if p.seq >= seq {
		p.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	p.waiters[done] = seq
	p.mu.Unlock()
	p.hasten()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiters, done)
	if p.seq >= seq {
		return nil
	}
	return ctx.Err()
}

// awaited reports whether somebody is in await.
func (p *progress) awaited() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiters) > 0
}

// hasten tells the deliverer not to let anybody wait longer than it must.
func (p *progress) hasten() { notify(p.hurry) }
