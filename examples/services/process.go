package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// What a process is told in its environment, where no list of processes shows it.
const (
	envService  = "SERVICES_SERVICE"      // which service it is
	envKeys     = "SERVICES_KEYS"         // the keys of the group, a JWK Set
	envPostgres = "SERVICES_POSTGRES_URL" // where to record; empty: print
	envNext     = "SERVICES_NEXT"         // where the service is that it asks
)

// process is a service that runs. It ends when its standard input does, which happens at the latest when this process ends,
// however that happens.
type process struct {
	name string
	addr string // where it listens
	cmd  *exec.Cmd
	end  context.CancelFunc
}

const endTimeout = 20 * time.Second // for a process to answer what it was asked, and to close its trail

// start runs this program as another process, and returns when that listens. What it prints goes to out: a file, so that it
// needs nobody here to pass it on.
func start(ctx context.Context, out *os.File, name string, env ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(ctx)
	p := &process{name: name, cmd: exec.CommandContext(ctx, self), end: end} //nolint:gosec // itself
	p.cmd.Env = append(append(os.Environ(), env...), envService+"="+name)
	p.cmd.Stderr = out
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		end()
		return nil, err
	}
	p.cmd.Cancel = func() error {
		_ = stdin.Close() // fails only where Wait has closed it
		return os.ErrProcessDone
	}
	p.cmd.WaitDelay = endTimeout
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		end()
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		end()
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("%s did not come up: %w", name, errors.Join(err, p.stop()))
	}
	p.addr = strings.TrimSuffix(line, "\n")
	return p, nil
}

// stop returns when the process has ended, and how.
func (p *process) stop() error {
	p.end()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}
