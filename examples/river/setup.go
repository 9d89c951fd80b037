package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// The environment of both processes. A service gets its keys from where it gets its other secrets.
const (
	envDatabase = "RIVER_EXAMPLE_DATABASE"
	envKeys     = "RIVER_EXAMPLE_KEYS"
)

// The names of the services, by which tokens say who made them and for whom.
const (
	serviceAPI     = "invoices"
	servicePayment = "payments"
)

// config is what the one process tells the other.
type config struct {
	database string
	keys     propagation.KeyLoader
}

// service is what both processes have: a database, a trail to it, and the keys of their trust group.
type service struct {
	pool       *pgxpool.Pool
	exporter   *postgres.Exporter
	trail      *trail.Trail
	propagator *propagation.Propagator
	tracers    *sdktrace.TracerProvider
}

func newService(ctx context.Context, name string, c config) (_ *service, err error) {
	s := &service{tracers: sdktrace.NewTracerProvider()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	if s.pool, err = pgxpool.New(ctx, c.database); err != nil {
		return nil, err
	}
	if s.exporter, err = postgres.New(ctx, postgres.Config{Pool: s.pool}); err != nil {
		return nil, err
	}
	if err := s.exporter.Migrate(ctx); err != nil {
		return nil, err
	}
	if s.trail, err = trail.Open(ctx, trail.Config{
		NoJournal: true,
		Service:   name,
		Sinks:     []trail.Sink{{Name: "postgres", Exporter: s.exporter}},
		Policy:    otelaudit.Policy{RequireActor: true},
	}); err != nil {
		return nil, err
	}
	otelaudit.SetDefault(s.trail)

	keys, err := propagation.NewKeyring()
	if err != nil {
		return nil, err
	}
	if err := keys.Reload(ctx, c.keys); err != nil {
		return nil, err
	}
	s.propagator, err = propagation.New(propagation.Config{Service: name, Keys: keys})
	return s, err
}

func (s *service) tracer() trace.Tracer { return s.tracers.Tracer("examples/river") }

// close ends what records first, and then what stores.
func (s *service) close(ctx context.Context) error {
	var err error
	if s.trail != nil {
		err = s.trail.Close()
	}
	if s.pool != nil {
		s.pool.Close()
	}
	return errors.Join(err, s.tracers.Shutdown(context.WithoutCancel(ctx)))
}

// queue returns River's client. Its own log is of no use here.
func (s *service) queue(c river.Config) (*river.Client[pgx.Tx], error) {
	c.Logger = slog.New(slog.DiscardHandler)
	client, err := river.NewClient(riverpgxv5.New(s.pool), &c)
	if err != nil {
		return nil, fmt.Errorf("the queue: %w", err)
	}
	return client, nil
}
