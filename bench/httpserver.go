package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync/atomic"
	"time"
)

// The environment variables that make this program a server.
const (
	serverEnv        = "OTELAUDIT_BENCH_SERVER"         // a kind
	serverURLEnv     = "OTELAUDIT_BENCH_SERVER_URL"     // of its Postgres, if it has one
	serverDirEnv     = "OTELAUDIT_BENCH_SERVER_DIR"     // of its journal, if it has one
	serverProfileEnv = "OTELAUDIT_BENCH_SERVER_PROFILE" // where its CPU profile goes; "" for none
)

func isServer() bool { return os.Getenv(serverEnv) != "" }

// usage is what a server tells of itself.
type usage struct {
	CPU      time.Duration // used so far
	Requests int64         // answered
	Records  int64         // that are where the answer says they are
}

// server is a process that serves. It tells its address on its standard output, and then its usage for each line that it
// reads. It ends with its standard input, and so with this process, however that ends.
type server struct {
	address string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
}

// serverConfig says what a server is like. Empty is what it does not have.
type serverConfig struct {
	kind              kind
	url, dir, profile string
}

func startServer(ctx context.Context, c serverConfig) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self) //nolint:gosec // ourselves
	cmd.Env = append(os.Environ(), serverEnv+"="+string(c.kind), serverURLEnv+"="+c.url, serverDirEnv+"="+c.dir,
		serverProfileEnv+"="+c.profile)
	cmd.Stderr = os.Stderr
	s := &server{cmd: cmd}
	if s.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = json.NewDecoder(out)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := s.out.Decode(&s.address); err != nil {
		return nil, errors.Join(fmt.Errorf("the server did not say where it is: %w", err), s.stop())
	}
	return s, nil
}

func (s *server) usage() (usage, error) {
	var u usage
	if _, err := io.WriteString(s.in, "\n"); err != nil {
		return u, fmt.Errorf("ask the server for its usage: %w", err)
	}
	if err := s.out.Decode(&u); err != nil {
		return u, fmt.Errorf("read the server's usage: %w", err)
	}
	return u, nil
}

func (s *server) stop() error {
	return errors.Join(s.in.Close(), s.cmd.Wait())
}

// serve is the server's side, until in ends.
func serve(in io.Reader, out io.Writer) (err error) {
	if profile := os.Getenv(serverProfileEnv); profile != "" {
		stop, err := startProfile(profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	ctx := context.Background()
	svc, err := newService(ctx, kind(os.Getenv(serverEnv)), os.Getenv(serverURLEnv), os.Getenv(serverDirEnv))
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, svc.close())
	}
	var answered atomic.Int64
	srv := &http.Server{Handler: handler(svc, &answered), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()

	replies := json.NewEncoder(out)
	err = replies.Encode(listener.Addr().String())
	for lines := bufio.NewScanner(in); err == nil && lines.Scan(); {
		var cpu time.Duration
		if cpu, err = cpuTime(); err == nil {
			err = replies.Encode(usage{cpu, answered.Load(), svc.records()})
		}
	}
	err = errors.Join(err, srv.Close())
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return errors.Join(err, svc.close())
}
