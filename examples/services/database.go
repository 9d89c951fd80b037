package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
)

// startPostgres gives a Postgres for all processes. Its error wraps localpg.ErrNotInstalled where there is none to be had.
type startPostgres func(context.Context) (*postgresServer, error)

type postgresServer struct {
	url   string
	where string // for people; a URL may hold a password
	stop  func(context.Context) error
}

func localPostgres(ctx context.Context) (*postgresServer, error) {
	server, err := localpg.Start(ctx, localpg.Config{})
	if err != nil {
		return nil, err
	}
	s := &postgresServer{url: server.URL(), stop: server.Stop}
	if server.Named() {
		s.where = "the Postgres that OTELAUDIT_POSTGRES_URL names, schema otelaudit"
	} else {
		s.where = "a private Postgres, which vanishes at the end (set OTELAUDIT_POSTGRES_URL to keep it)"
	}
	return s, nil
}

// database is the activity table, and what reads it.
type database struct {
	*postgresServer
	pool     *pgxpool.Pool
	exporter *postgres.Exporter
}

func openDatabase(ctx context.Context, start startPostgres) (_ *database, err error) {
	server, err := start(ctx)
	if err != nil {
		return nil, err
	}
	db := &database{postgresServer: server}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.close(ctx))
		}
	}()
	if db.pool, err = pgxpool.New(ctx, server.url); err != nil {
		return nil, err
	}
	if db.exporter, err = postgres.New(ctx, postgres.Config{Pool: db.pool}); err != nil {
		return nil, err
	}
	if err := db.exporter.Migrate(ctx); err != nil {
		return nil, err
	}
	return db, nil
}

const stopTimeout = 15 * time.Second

func (db *database) close(ctx context.Context) error {
	if db.pool != nil {
		db.pool.Close()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return db.stop(ctx)
}

// counts are what the table has of one run.
type counts struct{ processes, operations, activities, forged int }

func (c counts) String() string {
	return fmt.Sprintf("processes=%d operations=%d activities=%d forged=%d", c.processes, c.operations, c.activities, c.forged)
}

// countSQL leaves out what trails record of themselves. A row is forged where somebody whom only the forger named acts, has
// somebody act for them, or sent the request.
const countSQL = `
	SELECT count(DISTINCT resource->>'process.pid'), count(DISTINCT operation_id), count(*),
		count(*) FILTER (WHERE actor_id = $3 OR on_behalf_of @> jsonb_build_array(jsonb_build_object('id', $3::text)) OR client_address = $4)
	FROM otelaudit.activity
	WHERE time >= $1 AND resource->>'service.namespace' = $2 AND action NOT LIKE 'otelaudit.trail.%'`

// count counts what the processes of namespace have recorded since began.
func (db *database) count(ctx context.Context, namespace string, began time.Time) (c counts, err error) {
	row := db.pool.QueryRow(ctx, countSQL, began, namespace, forgedUser, forgedAddress)
	if err := row.Scan(&c.processes, &c.operations, &c.activities, &c.forged); err != nil {
		return counts{}, fmt.Errorf("count the rows: %w", err)
	}
	return c, nil
}
