package stdout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	sdklog "go.opentelemetry.io/otel/sdk/log"
)

// Exporter writes log records to an [io.Writer]. Make one with [New] or [NewConsole].
//
// Its methods are safe for concurrent use, and serialise the calls of Write. It keeps nothing of a record beyond Export.
type Exporter struct {
	w       io.Writer
	stopped atomic.Bool

	// lock has room for the one Export that writes: a mutex that a context can cut short. It guards what follows.
	lock chan struct{}
	form form
	buf  []byte
	torn bool // the last byte that w took was not the end of a line
}

var _ sdklog.Exporter = (*Exporter)(nil)

// form is how a record looks.
type form interface {
	// append appends r as whole lines to dst.
	append(dst []byte, r *sdklog.Record) []byte
	// restart forgets what earlier lines said: they may not have been written.
	restart()
}

// New returns an exporter that writes JSON Lines to w, one object for each record. It does not close w.
func New(w io.Writer) *Exporter { return newExporter(w, new(lines)) }

// NewConsole returns an exporter that writes lines for people to w, in colour where w is a terminal, NO_COLOR is not set and
// TERM names one that has colours. It does not close w.
func NewConsole(w io.Writer) *Exporter {
	return newExporter(w, newConsole(hasColour(w)))
}

func newExporter(w io.Writer, f form) *Exporter {
	return &Exporter{w: w, form: f, lock: make(chan struct{}, 1)}
}

// A batch is one Write, until it is larger than writeSize: then it is several, each ending with a line.
const writeSize = 1 << 20

var errNoWriter = errors.New("stdout: no writer: use New or NewConsole with one")

// Export writes records and returns once the writer has taken them all. It returns ctx's error where ctx ends before it
// writes, and [sdklog.ErrExporterShutdown] after Shutdown. Of other errors, the writer's is wrapped; a writer that takes less
// than it was given is [io.ErrShortWrite].
func (e *Exporter) Export(ctx context.Context, records []sdklog.Record) error {
	if e.stopped.Load() {
		return sdklog.ErrExporterShutdown
	}
	if e.w == nil {
		return errNoWriter
	}
	if err := e.acquire(ctx); err != nil {
		return err
	}
	defer e.release()
	if e.stopped.Load() {
		return sdklog.ErrExporterShutdown
	}
	buf := e.buf[:0]
	if e.torn && len(records) > 0 {
		buf = append(buf, '\n')
	}
	for i := range records {
		buf = e.form.append(buf, &records[i])
		if len(buf) < writeSize && i < len(records)-1 {
			continue
		}
		if err := e.write(ctx, buf); err != nil {
			return err
		}
		buf = buf[:0]
	}
	if cap(buf) > 2*writeSize { // one record of unusual size
		buf = nil
	}
	e.buf = buf
	return nil
}

func (e *Exporter) write(ctx context.Context, p []byte) error {
	err := ctx.Err()
	if err == nil {
		var n int
		n, err = e.w.Write(p)
		if n = min(n, len(p)); n > 0 {
			e.torn = p[n-1] != '\n'
		}
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		if err != nil {
			err = fmt.Errorf("stdout: %w", err)
		}
	}
	if err != nil {
		e.form.restart()
	}
	return err
}

// acquire takes the lock, or returns ctx's error. A context that has ended never gets it.
func (e *Exporter) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case e.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Exporter) release() { <-e.lock }

// Shutdown makes further Exports return [sdklog.ErrExporterShutdown], and waits for one that is writing: after nil nothing
// more is written. It returns ctx's error where ctx ends before that. It may be called more than once.
func (e *Exporter) Shutdown(ctx context.Context) error {
	e.stopped.Store(true)
	if e.lock == nil {
		return nil
	}
	select {
	case e.lock <- struct{}{}: // also with a context that has ended, where there is nothing to wait for
		e.release()
		return nil
	default:
	}
	if err := e.acquire(ctx); err != nil {
		return err
	}
	e.release()
	return nil
}

// ForceFlush does nothing: what Export returned nil for is written.
func (*Exporter) ForceFlush(context.Context) error { return nil }
