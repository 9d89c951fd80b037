package main

import (
	"runtime"
	"sync"
)

// groupCommit is the least that a group commit can be: whoever has a record puts it into the open group and waits, and one
// goroutine commits what has gathered since it began with the group before. There is no limit, no timeout, no context, no
// number, no check; two buffers take turns, and nothing is allocated.
//
// It gives way once before each group, as the journal's writer does: on two processors that nearly doubles what it does,
// because those whom the last group woke have something for this one.
type groupCommit struct {
	commit func(records []byte) error // they follow each other in it, each recordBytes long
	wake   chan struct{}              // of one
	done   sync.WaitGroup

	mu         sync.Mutex // guards the groups
	open, idle *group
}

type group struct {
	records []byte
	waiting []chan error
}

func newGroupCommit(commit func(records []byte) error) *groupCommit {
	c := &groupCommit{commit: commit, wake: make(chan struct{}, 1), open: new(group), idle: new(group)}
	c.done.Go(c.write)
	return c
}

// append returns after the record is committed. answer is a channel of one that belongs to the call.
func (c *groupCommit) append(record []byte, answer chan error) error {
	c.mu.Lock()
	g := c.open
	g.records = append(g.records, record...)
	g.waiting = append(g.waiting, answer)
	first := len(g.waiting) == 1
	c.mu.Unlock()
	if first {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	return <-answer
}

func (c *groupCommit) write() {
	for range c.wake {
		runtime.Gosched()
		for c.writeOne() {
			runtime.Gosched()
		}
	}
}

// writeOne commits the open group, and reports whether there was one.
func (c *groupCommit) writeOne() bool {
	c.mu.Lock()
	g := c.open
	if len(g.waiting) == 0 {
		c.mu.Unlock()
		return false
	}
	c.open, c.idle = c.idle, nil
	c.mu.Unlock()
	err := c.commit(g.records)
	for _, answer := range g.waiting {
		answer <- err
	}
	g.records, g.waiting = g.records[:0], g.waiting[:0]
	c.mu.Lock()
	c.idle = g
	c.mu.Unlock()
	return true
}

// close ends it. Nobody appends any more.
func (c *groupCommit) close() {
	close(c.wake)
	c.done.Wait()
}
