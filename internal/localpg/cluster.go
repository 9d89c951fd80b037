package localpg

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

//go:embed localpg.sh
var supervisor string

// cluster is a private cluster and the supervisor process that runs it. The supervisor lives as long as a pipe that
// this process holds: the kernel closes it, however this process ends.
type cluster struct {
	dir  string
	pipe *os.File

	ended  chan struct{} // closed when the supervisor is gone, and the directory with it
	err    error         // why it ended without being asked to; read it after ended
	report bytes.Buffer  // the end of its log, or why there is none; read it after ended
}

// startCluster returns as soon as the supervisor runs, long before Postgres takes connections.
func startCluster(dir, binaries string, cfg Config) (*cluster, error) {
	stdin, pipe, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("localpg: open a pipe to the supervisor: %w", err)
	}
	c := &cluster{dir: dir, pipe: pipe, ended: make(chan struct{})}

	//nolint:noctx // it outlives the context, which bounds only the start
	cmd := exec.Command("/bin/sh", "-c", supervisor, "localpg", dir, binaries, cfg.conf())
	cmd.Dir = "/" // ours may be closed to the user that Postgres runs as
	cmd.Env = supervisorEnv(os.Environ())
	cmd.Stdin, cmd.Stderr = stdin, &c.report
	err = detach(cmd)
	if err == nil {
		err = cmd.Start()
	}
	_ = stdin.Close() // the supervisor has its own
	if err != nil {
		_ = pipe.Close()
		return nil, fmt.Errorf("localpg: start the supervisor of Postgres: %w", err)
	}

	go func() {
		c.err = cmd.Wait()
		_ = pipe.Close() // and no earlier: this also keeps the pipe open for a Server that its caller has dropped
		close(c.ended)
	}()
	return c, nil
}

// supervisorEnv is environ without what would make this cluster unlike another.
func supervisorEnv(environ []string) []string {
	env := make([]string, 0, len(environ)+2)
	for _, variable := range environ {
		switch name, _, _ := strings.Cut(variable, "="); {
		case strings.HasPrefix(name, "PG"), strings.HasPrefix(name, "LC_"), name == "LANG", name == "LANGUAGE", name == "TZ":
		default:
			env = append(env, variable)
		}
	}
	return append(env,
		"LC_ALL=C", // Postgres on macOS does not start without a locale
		"TZ=UTC",   // for postgresql.conf; without it initdb searches all the zones there are
	)
}

// stop ends the supervisor and waits until it is gone, or until ctx is done.
func (c *cluster) stop(ctx context.Context) error {
	_ = c.pipe.Close() // fails the second time, which is as good
	select {
	case <-c.ended:
		if c.err != nil {
			return c.failure(c.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("localpg: Postgres in %s is still stopping: %w", c.dir, ctx.Err())
	}
}

// failure is why with the end of the log, once the cluster has ended.
func (c *cluster) failure(why error) error {
	return fmt.Errorf("localpg: Postgres in %s failed: %w; the end of its log:\n%s", c.dir, why, bytes.TrimSpace(c.report.Bytes()))
}

// crash makes Postgres lose everything but its files, and the supervisor start it again.
func (c *cluster) crash() error {
	lines, err := os.ReadFile(filepath.Join(c.dir, "data", "postmaster.pid"))
	if err != nil {
		return fmt.Errorf("localpg: find the process to restart: %w", err)
	}
	first, _, _ := strings.Cut(string(lines), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return fmt.Errorf("localpg: find the process to restart: %w", err)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return fmt.Errorf("localpg: find the process to restart: %w", err)
	}
	defer func() { _ = process.Release() }()

	// Before the signal: without this file the supervisor takes the end of Postgres for a failure.
	if err := os.WriteFile(c.restartFile(), nil, 0o600); err != nil {
		return fmt.Errorf("localpg: ask for the restart: %w", err)
	}
	if err := process.Signal(syscall.SIGQUIT); err != nil {
		return fmt.Errorf("localpg: stop Postgres for the restart: %w", err)
	}
	return nil
}

// crashing reports whether the Postgres that takes connections may still be the one that crash stopped.
func (c *cluster) crashing() bool {
	_, err := os.Stat(c.restartFile())
	return err == nil
}

func (c *cluster) restartFile() string { return filepath.Join(c.dir, "restart") }
