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

// startPostgres gives a Postgres to write to. Its error wraps localpg.ErrNotInstalled where there is none to be had.
type startPostgres func(context.Context) (*postgresServer, error)

type postgresServer struct {
	url       string
	vanishes  bool   // at the end, with all that is in it
	howToLook string // for people; a URL may hold a password
	stop      func(context.Context) error
}

func localPostgres(ctx context.Context) (*postgresServer, error) {
	server, err := localpg.Start(ctx, localpg.Config{})
	if err != nil {
		return nil, err
	}
	s := &postgresServer{url: server.URL(), vanishes: !server.Named(), stop: server.Stop}
	if s.vanishes {
		s.howToLook = fmt.Sprintf(howToLook, "'"+server.URL()+"'")
	} else {
		s.howToLook = fmt.Sprintf(howToLook, `"$OTELAUDIT_POSTGRES_URL"`)
	}
	return s, nil
}

// database is the activity table, and the exporter that writes and reads it.
type database struct {
	*postgresServer
	pool     *pgxpool.Pool // a service has one already, for its own tables; the exporter may share it
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
	// Makes the schema and the table, or does nothing. In production a deployment step does this, with a role that may.
	if err := db.exporter.Migrate(ctx); err != nil {
		return nil, err
	}
	return db, nil
}

const stopTimeout = 15 * time.Second

// close comes after the trail's own, which shuts the exporter down.
func (db *database) close(ctx context.Context) error {
	if db.pool != nil {
		db.pool.Close()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return db.stop(ctx)
}

const countSQL = `SELECT count(*) FROM otelaudit.activity WHERE time >= $1 AND resource->>'service.instance.id' = $2`

// count is how many rows the process named instance has written since began.
func (db *database) count(ctx context.Context, instance string, began time.Time) (n uint64, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout) // also after Ctrl-C
	defer cancel()
	if err := db.pool.QueryRow(ctx, countSQL, began, instance).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the rows: %w", err)
	}
	return n, nil
}
