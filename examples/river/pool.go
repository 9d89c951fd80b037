package main

import "sync"

// pool does work that outlives the requests that asked for it, in this process.
type pool struct {
	work chan func()
	done sync.WaitGroup
}

func newPool(workers int) *pool {
	p := &pool{work: make(chan func())}
	for range workers {
		p.done.Go(func() {
			for f := range p.work {
				f()
			}
		})
	}
	return p
}

// do waits for a worker to be free.
func (p *pool) do(f func()) { p.work <- f }

// close waits for the work to be done.
func (p *pool) close() {
	close(p.work)
	p.done.Wait()
}
