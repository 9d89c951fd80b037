package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/rj-gamer/go-activity-tracker/contrib/auditgrpc"
	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/exporter/stdout"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// The services: the names under which they record, and by which they address each other's tokens.
const (
	edge    = "edge"
	orders  = "orders"
	billing = "billing"
)

// server answers requests until it is stopped; then it waits for those under way.
type server struct {
	serve func(net.Listener) error
	stop  func(context.Context) error
}

// makeServer has the service behind each name. next is where the service is that it asks.
var makeServer = map[string]func(next string) (server, error){
	edge:    newEdge,
	orders:  newOrders,
	billing: newBilling,
}

// runService is the service name: it writes the address where it listens to out, and ends when ctx or in does.
func runService(ctx context.Context, name string, in io.Reader, out io.Writer) (err error) {
	if makeServer[name] == nil {
		return fmt.Errorf("%s=%s is no service", envService, name)
	}
	// A trace for each request. Nobody exports it here; the records have its ids.
	tracers := sdktrace.NewTracerProvider()
	otel.SetTracerProvider(tracers)
	defer func() { err = errors.Join(err, tracers.Shutdown(context.WithoutCancel(ctx))) }()

	if err := setPropagator(ctx, name); err != nil {
		return err
	}
	t, err := openTrail(ctx, name)
	if err != nil {
		return err
	}
	otelaudit.SetDefault(t)
	defer func() { err = errors.Join(err, t.Close()) }()

	server, err := makeServer[name](os.Getenv(envNext))
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, listener.Addr())

	failed := make(chan error, 1)
	go func() { failed <- server.serve(listener) }()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, in) // whatever ends it, there is nobody left to serve
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	case <-ended:
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	return server.stop(ctx)
}

const drainTimeout = 5 * time.Second

// setPropagator makes the actor travel: OpenTelemetry's instrumentation, which carries the trace, carries the token, too.
func setPropagator(ctx context.Context, name string) error {
	keys, err := propagation.NewKeyring()
	if err != nil {
		return err
	}
	if err := keys.Reload(ctx, propagation.KeysFromEnv(envKeys)); err != nil {
		return err
	}
	actors, err := propagation.New(propagation.Config{Service: name, Keys: keys})
	if err != nil {
		return err
	}
	otel.SetTextMapPropagator(otelpropagation.NewCompositeTextMapPropagator(otelpropagation.TraceContext{}, actors))
	return nil
}

// openTrail returns the service's own trail. All trails have the same table for their sink.
func openTrail(ctx context.Context, name string) (*trail.Trail, error) {
	sink := trail.Sink{Name: "console", Exporter: stdout.NewConsole(os.Stderr)}
	if url := os.Getenv(envPostgres); url != "" {
		pg, err := postgres.Open(ctx, url)
		if err != nil {
			return nil, err
		}
		sink = trail.Sink{Name: "postgres", Exporter: pg}
	}
	process, err := resource.New(ctx, resource.WithProcessPID())
	if err != nil {
		return nil, err
	}
	return trail.Open(ctx, trail.Config{
		NoJournal: true,
		Service:   name,
		Resource:  process,
		Sinks:     []trail.Sink{sink},
		// Who started us may have been killed, and Postgres with it: then there is nothing to wait for.
		CloseTimeout: 2 * time.Second,
		Policy: otelaudit.Policy{
			RequireActor: true,               // with the middleware in front of every handler, none is a bug
			Classify:     auditgrpc.Classify, // what billing denied, orders was denied
		},
	})
}

// httpServer is a server of h.
func httpServer(h http.Handler) server {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	return server{
		serve: func(l net.Listener) error {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
		stop: s.Shutdown,
	}
}
