package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Config says where the database is. Exactly one of DSN and Pool is mandatory.
type Config struct {
	// DSN names the database: a URL ("postgres://app@db/billing?sslmode=verify-full") or keywords and values, with the
	// parameters of pgx and of its pool (pool_max_conns). What it leaves out comes from the PG… environment variables.
	DSN string
	// Pool is a pool of the caller's, which [Exporter.Shutdown] leaves open. It needs a connection for each concurrent
	// call, with client_encoding UTF8, and must not hand them out within a transaction. One more makes a backlog leave
	// faster: a large batch from a journal is stored over two.
	Pool *pgxpool.Pool
	// Now is the clock by which partitions are made ahead. Defaults to time.Now.
	Now func() time.Time
}

// clientEncoding is what we write and read in. A role or a database may default to another, in which Postgres would take each
// byte of a name for a letter.
const clientEncoding = "UTF8"

// applicationName is what pg_stat_activity shows, unless the DSN or PGAPPNAME says otherwise.
const applicationName = "otelaudit"

// Open returns an Exporter for the database that dsn names, with a pool of its own. It is [New] with a [Config] of dsn.
func Open(ctx context.Context, dsn string) (*Exporter, error) {
	return New(ctx, Config{DSN: dsn})
}

// New returns an Exporter. It does not connect: a service starts also while its database is down. An error names the field
// of cfg that is wrong. Call [Exporter.Shutdown] when done; ctx means nothing to the Exporter once New has returned.
func New(ctx context.Context, cfg Config) (*Exporter, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	e := &Exporter{pool: cfg.Pool, done: make(chan struct{}), ahead: ahead{now: cfg.Now}}
	switch {
	case cfg.Pool == nil && cfg.DSN == "":
		return nil, errors.New("postgres: set Config.DSN or Config.Pool")
	case cfg.Pool != nil && cfg.DSN != "":
		return nil, errors.New("postgres: Config has a DSN and a Pool: set one of them")
	case cfg.Pool != nil:
		return e, nil
	}
	pc, err := pgxpool.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, fmt.Errorf("postgres: Config.DSN: %w", err)
	}
	params := pc.ConnConfig.RuntimeParams
	params["client_encoding"] = clientEncoding
	if params["application_name"] == "" {
		params["application_name"] = applicationName
	}
	if e.pool, err = pgxpool.NewWithConfig(ctx, pc); err != nil {
		return nil, fmt.Errorf("postgres: Config.DSN: %w", err)
	}
	e.ownsPool = true
	return e, nil
}
