package main

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// openLoopRate is how many requests a second an open loop plans.
const openLoopRate = 2000

// sendPlanned sends requests at their planned times, each on the next connection that is free, and returns how long after its
// planned time each was answered. What waits for a connection is sent as soon as there is one, and is as late as it is.
func (c *client) sendPlanned(duration time.Duration) ([]time.Duration, error) {
	n := int64(duration.Seconds() * openLoopRate)
	latencies := make([]time.Duration, n)
	errs := make([]error, len(c.conns))
	var next atomic.Int64
	var all sync.WaitGroup
	started := time.Now()
	for i, conn := range c.conns {
		all.Go(func() { errs[i] = c.sendNext(conn, started, &next, latencies) })
	}
	all.Wait()
	return latencies, errors.Join(errs...)
}

// sendNext sends on conn what comes next, until all is sent.
func (c *client) sendNext(conn net.Conn, started time.Time, next *atomic.Int64, latencies []time.Duration) error {
	for i := next.Add(1) - 1; i < int64(len(latencies)); i = next.Add(1) - 1 {
		planned := started.Add(time.Duration(i) * (time.Second / openLoopRate))
		time.Sleep(time.Until(planned))
		if err := c.sendOn(conn, 1); err != nil {
			return err
		}
		latencies[i] = time.Since(planned)
	}
	return nil
}
