package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/rj-gamer/go-activity-tracker/trail"
)

// console writes results to out and everything else to errs. On a terminal it shows how far the replay has come, in a line that
// each other line replaces.
type console struct {
	live bool // errs is a terminal

	mu    sync.Mutex // guards what follows
	out   io.Writer
	errs  io.Writer
	shown bool // there is a line of progress
}

func newConsole(out, errs io.Writer) *console {
	f, ok := errs.(*os.File)
	return &console{live: ok && term.IsTerminal(int(f.Fd())), out: out, errs: errs}
}

func (c *console) result(format string, args ...any)  { c.line(c.out, format, args) }
func (c *console) problem(format string, args ...any) { c.line(c.errs, format, args) }

// Handle makes c OpenTelemetry's error handler, which learns how the trail's sinks are doing. Of records that a sink refused
// it hears, too; who tracked them has said so.
func (c *console) Handle(err error) {
	if _, refused := errors.AsType[*trail.BadRecordsError](err); !refused {
		c.problem("%v", err)
	}
}

func (c *console) line(w io.Writer, format string, args []any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	fmt.Fprintf(w, format+"\n", args...)
}

func (c *console) progress(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	fmt.Fprintf(c.errs, format, args...)
	c.shown = true
}

// clear is called with mu held.
func (c *console) clear() {
	if c.shown {
		fmt.Fprint(c.errs, "\r\x1b[K") // to the beginning of the line, and erase it
		c.shown = false
	}
}
