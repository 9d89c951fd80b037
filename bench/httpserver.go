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

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
)

// kind is what a server has around its handler.
type kind string

const (
	unaudited kind = "otelhttp"
	audited   kind = "otelhttp+audit"
)

// The environment variables that make this program a server.
const (
	serverEnv        = "OTELAUDIT_BENCH_SERVER"         // a kind
	serverProfileEnv = "OTELAUDIT_BENCH_SERVER_PROFILE" // where its CPU profile goes; "" for none
)

func isServer() bool { return os.Getenv(serverEnv) != "" }

// usage is what a server tells of itself.
type usage struct {
	CPU      time.Duration // used so far
	Requests int64         // answered
	Records  int64         // that reached the sink
}

// server is a process that serves. It tells its address on its standard output, and then its usage for each line that it
// reads. It ends with its standard input, and so with this process, however that ends.
type server struct {
	address string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
}

func startServer(ctx context.Context, k kind, profile string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self) //nolint:gosec // ourselves
	cmd.Env = append(os.Environ(), serverEnv+"="+string(k), serverProfileEnv+"="+profile)
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
	sink := new(discard)
	t, err := openTrail(ctx, sink)
	if err != nil {
		return err
	}
	otelaudit.SetDefault(t)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, t.Close())
	}
	var answered atomic.Int64
	srv := &http.Server{Handler: handler(kind(os.Getenv(serverEnv)), &answered), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()

	replies := json.NewEncoder(out)
	err = replies.Encode(listener.Addr().String())
	for lines := bufio.NewScanner(in); err == nil && lines.Scan(); {
		var cpu time.Duration
		if cpu, err = cpuTime(); err == nil {
			err = replies.Encode(usage{cpu, answered.Load(), sink.records.Load()})
		}
	}
	err = errors.Join(err, srv.Close())
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return errors.Join(err, t.Close())
}

// A stub of authentication: what a service with sessions in memory does.
const (
	sessionHeader = "X-Session"
	sessionID     = "3f1c6f0e8d7b4a5c"
)

// handler is a service behind otelhttp that only answers, and that tracks what it did where k says so.
func handler(k kind, answered *atomic.Int64) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter) {
		answered.Add(1)
		_, _ = io.WriteString(w, "ok") // a client that is gone is missing in the count
	}
	var inner http.Handler = mux
	if k == audited {
		mux.HandleFunc("POST /invoices/{id}/approve", func(w http.ResponseWriter, r *http.Request) {
			err := otelaudit.Track(r.Context(), otelaudit.Activity{
				Action: "invoice.approve",
				Target: otelaudit.Target{Type: "invoice", ID: r.PathValue("id")},
				Reason: "within the approver's limit",
			})
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			answer(w)
		})
		sessions := map[string]otelaudit.Actor{sessionID: {
			Type: otelaudit.ActorUser, ID: "usr_000042", Name: "Ada Lovelace", Roles: []string{"accounting", "approver"},
			Tenant: "customer-7", AuthMethod: "oidc", Trust: otelaudit.TrustVerified,
		}}
		inner = audithttp.NewMiddleware(func(r *http.Request) (otelaudit.Actor, error) {
			return sessions[r.Header.Get(sessionHeader)], nil
		})(mux)
	} else {
		mux.HandleFunc("POST /invoices/{id}/approve", func(w http.ResponseWriter, _ *http.Request) { answer(w) })
	}
	spans := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithSpanProcessor(noSpans{}))
	return otelhttp.NewHandler(inner, "api", otelhttp.WithTracerProvider(spans))
}
