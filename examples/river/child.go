package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// child is the worker's process, as seen from the one that started it.
type child struct {
	command *exec.Cmd
	lines   *bufio.Scanner
	out     io.Writer
}

// startWorker starts this program once more, as the worker.
func startWorker(ctx context.Context, out io.Writer, env []string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, self) //nolint:gosec // this program
	command.Env = append(os.Environ(), env...)
	command.Stderr = os.Stderr
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = stopTimeout
	pipe, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	return &child{command: command, lines: bufio.NewScanner(pipe), out: out}, nil
}

// await passes on what the worker says until it has finished this many jobs. Then it stops the worker, and returns how many
// records that has tracked.
func (c *child) await(jobs int) (tracked uint64, err error) {
	for c.lines.Scan() {
		line := c.lines.Text()
		if _, err := fmt.Sscanf(line, trackedFormat, &tracked); err == nil {
			continue
		}
		fmt.Fprintln(c.out, "worker:", line)
		if strings.HasPrefix(line, "job ") {
			if jobs--; jobs == 0 {
				if err := c.command.Process.Signal(os.Interrupt); err != nil {
					return 0, err
				}
			}
		}
	}
	if err := errors.Join(c.lines.Err(), c.command.Wait()); err != nil {
		return 0, fmt.Errorf("the worker: %w", err)
	}
	return tracked, nil
}
