package postgres

import "context"

// Shutdown lets no further call begin, waits for those that run, and then closes the pool, unless it is the caller's. It
// returns ctx's error if ctx is done before that; closing goes on. Calling it again does no more than wait.
func (e *Exporter) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	first := !e.shut
	e.shut = true
	e.mu.Unlock()
	if first {
		go func() {
			e.calls.Wait()
			if e.ownsPool {
				e.pool.Close()
			}
			close(e.done)
		}()
	}
	select {
	case <-e.done: // also where ctx is done as well
		return nil
	default:
	}
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ForceFlush returns nil: the Exporter holds no records.
func (e *Exporter) ForceFlush(context.Context) error { return nil }
