package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
)

// database is an activity table in a database of its own. A private server syncs as in production (fsync, full_page_writes,
// synchronous_commit). Its checkpoints and autovacuum are kept from running in the middle of somebody's turn.
type database struct {
	server  *localpg.Server
	url     string
	drop    func(context.Context) error
	version string
	admin   *pgconn.PgConn
	table   *postgres.Exporter // for what is not measured
}

// startDatabase starts a server where none is named. One that is private is always our own.
func startDatabase(ctx context.Context, private bool) (_ *database, err error) {
	d := new(database)
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	d.server, err = localpg.Start(ctx, localpg.Config{Durable: true, Private: private, Settings: map[string]string{
		"autovacuum":         "off",
		"checkpoint_timeout": "30min",
		"max_wal_size":       "8GB",
	}})
	if err != nil {
		return nil, err
	}
	if d.url, d.drop, err = d.server.CreateDatabase(ctx); err != nil {
		return nil, err
	}
	if d.admin, err = pgconn.Connect(ctx, d.url); err != nil {
		return nil, err
	}
	d.version = "PostgreSQL " + d.admin.ParameterStatus("server_version")
	if d.table, err = postgres.Open(ctx, d.url); err != nil {
		return nil, err
	}
	return d, d.table.Migrate(ctx)
}

func (d *database) close() error {
	ctx := context.Background() // also when it was interrupted
	var errs []error
	if d.table != nil {
		errs = append(errs, d.table.Shutdown(ctx))
	}
	if d.admin != nil {
		errs = append(errs, d.admin.Close(ctx))
	}
	if d.drop != nil {
		errs = append(errs, d.drop(ctx))
	}
	if d.server != nil {
		errs = append(errs, d.server.Stop(ctx))
	}
	return errors.Join(errs...)
}

// prepare makes the partition for a time, and gives each run the same distance to the next checkpoint.
func (d *database) prepare(ctx context.Context, at time.Time) error {
	if err := d.table.MakePartitions(ctx, at, at); err != nil {
		return err
	}
	_, err := d.value(ctx, `CHECKPOINT`)
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == "42501" {
		return nil // a named server may not let us; then there is none for either
	}
	return err
}

func (d *database) empty(ctx context.Context) error {
	_, err := d.value(ctx, `TRUNCATE otelaudit.activity`)
	return err
}

// checkCount compares how many rows are there with how many should be.
func (d *database) checkCount(ctx context.Context, want int) error {
	stored, err := d.value(ctx, `SELECT count(*) FROM otelaudit.activity`)
	if err == nil && stored != strconv.Itoa(want) {
		err = fmt.Errorf("%s of %d rows are there", stored, want)
	}
	return err
}

// value runs a statement, and returns the first column of its last row.
func (d *database) value(ctx context.Context, sql string) (string, error) {
	results, err := d.admin.Exec(ctx, sql).ReadAll()
	if err != nil {
		return "", err
	}
	for _, r := range results {
		for _, row := range r.Rows {
			return string(row[0]), nil
		}
	}
	return "", nil
}
