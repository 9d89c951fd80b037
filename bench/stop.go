package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	stopFor   = 200 * time.Millisecond
	stopEvery = time.Second
)

// whileStopping calls f, and stops all processes of our own Postgres for a while in every second until it returns.
func (d *database) whileStopping(ctx context.Context, f func() error) error {
	if d.server.Named() {
		return errors.New("this Postgres is not ours to stop")
	}
	ctx, cancel := context.WithCancel(ctx)
	stopping := make(chan error, 1)
	go func() { stopping <- d.keepStopping(ctx) }()
	err := f()
	cancel()
	return errors.Join(err, <-stopping)
}

// keepStopping stops Postgres in the middle of each second, until ctx ends. It leaves it running.
func (d *database) keepStopping(ctx context.Context) error {
	every := time.NewTicker(stopEvery)
	defer every.Stop()
	first := time.NewTimer(stopEvery / 5)
	defer first.Stop()
	for {
		select {
		case <-first.C:
		case <-every.C:
		case <-ctx.Done():
			return nil
		}
		if err := d.stopOnce(ctx); err != nil {
			return err
		}
	}
}

func (d *database) stopOnce(ctx context.Context) (err error) {
	pids, err := d.processes(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	release, err := continueWhenGone(pids)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, signalAll(pids, syscall.SIGCONT), release()) }()
	if err := signalAll(pids, syscall.SIGSTOP); err != nil {
		return err
	}
	over := time.NewTimer(stopFor)
	defer over.Stop()
	select {
	case <-over.C:
	case <-ctx.Done():
	}
	return nil
}

// processes returns the server's processes, the one first that would start others.
func (d *database) processes(ctx context.Context) ([]int, error) {
	const sql = `SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1) || ' ' ||
		(SELECT string_agg(pid::text, ' ') FROM pg_stat_activity)`
	list, err := d.value(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("ask Postgres for its processes: %w", err)
	}
	var pids []int
	for field := range strings.FieldsSeq(list) {
		pid, err := strconv.Atoi(field)
		if err != nil || pid <= 1 {
			return nil, fmt.Errorf("ask Postgres for its processes: %q", list)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// signalAll leaves out who has ended.
func signalAll(pids []int, s syscall.Signal) error {
	var errs []error
	for _, pid := range pids {
		if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("%v to process %d: %w", s, pid, err))
		}
	}
	return errors.Join(errs...)
}

// continueWhenGone has the processes continue also if this one is killed, when nothing here could do that any more: what is
// stopped cannot be ended by a signal either, and would stay for ever.
func continueWhenGone(pids []int) (release func() error, err error) {
	args := []string{"-c", `read -r _; kill -CONT "$@" 2>/dev/null; :`, "sh"}
	for _, pid := range pids {
		args = append(args, strconv.Itoa(pid))
	}
	cmd := exec.Command("/bin/sh", args...) //nolint:noctx // it ends with this process
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() error { return errors.Join(in.Close(), cmd.Wait()) }, nil
}
