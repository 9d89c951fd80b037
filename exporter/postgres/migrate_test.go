package postgres

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
)

// Processes that start at once each end up with a table that works. Those that have asked for it before, too: their sessions
// remember that it was not there.
func TestConcurrentStarters(t *testing.T) {
	t.Parallel()
	dsn := localpg.Database(t)
	const starters = 8
	exporters := make([]*Exporter, starters)
	for i := range exporters {
		config, err := pgxpool.ParseConfig(dsn)
		require.NoError(t, err)
		config.MaxConns = 1
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		exporters[i], err = New(t.Context(), Config{Pool: pool})
		require.NoError(t, err)
		if i%2 == 0 {
			require.Equal(t, stop, verdictOf(exporters[i].ExportBatch(t.Context(), batch())))
			require.Error(t, exporters[i].MakePartitions(t.Context(), time.Now(), time.Now()))
		}
	}
	var wg sync.WaitGroup
	errs := make([]error, starters)
	for i, e := range exporters {
		r := typical(t, i, time.Now())
		wg.Go(func() { errs[i] = errors.Join(e.Migrate(t.Context()), e.ExportBatch(t.Context(), batch(r))) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, starters, rows(t, dsn))
	require.Equal(t, 1, scalar[int](t, dsn, "SELECT count(*) FROM otelaudit.migration"))
	require.Len(t, partitions(t, dsn), 2)
}

func TestMigrateRemembersWhatItDid(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	migrations, err := loadMigrations()
	require.NoError(t, err)
	m := migrations[0]
	require.Equal(t, "1 0001_activity.sql "+m.checksum, scalar[string](t, dsn, "SELECT version || ' ' || name || ' ' || checksum FROM otelaudit.migration"))
	require.Len(t, m.checksum, 64)
	applied := scalar[time.Time](t, dsn, "SELECT applied_at FROM otelaudit.migration")
	require.NoError(t, e.Migrate(t.Context()))
	require.Equal(t, applied, scalar[time.Time](t, dsn, "SELECT applied_at FROM otelaudit.migration"), "and does it once")
}

func TestMigrateRefusesAForeignSchema(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ change, message string }{
		"newer":   {"INSERT INTO otelaudit.migration VALUES (2, '0002_later.sql', 'x')", "it has had migration 2 (0002_later.sql), and this program knows 1: use the newer otelaudit"},
		"changed": {"UPDATE otelaudit.migration SET checksum = 'deadbeefdeadbeef'", "its migration 1 (0001_activity.sql, SHA-256 deadbeefdead…) is not 0001_activity.sql"},
		"gap":     {"UPDATE otelaudit.migration SET version = 2", "its migration 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, dsn := freshDatabase(t)
			run(t, dsn, c.change)
			err := e.Migrate(t.Context())
			require.ErrorIs(t, err, errForeignSchema)
			require.ErrorContains(t, err, c.message)
		})
	}
}

func TestMigrateRefusesAnotherEncoding(t *testing.T) {
	t.Parallel()
	dsn := localpg.Database(t)
	run(t, dsn, "CREATE DATABASE "+scalar[string](t, dsn, "SELECT current_database()")+"_latin1 ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
	name := scalar[string](t, dsn, "SELECT current_database()")
	t.Cleanup(func() { runDetached(t, dsn, "DROP DATABASE "+name+"_latin1 WITH (FORCE)") })
	e := opened(t, strings.Replace(dsn, "/"+name, "/"+name+"_latin1", 1))
	require.ErrorContains(t, e.Migrate(t.Context()), "the encoding of the database is LATIN1")
}

// A migration that fails leaves nothing behind.
func TestAFailedMigrationIsRolledBack(t *testing.T) {
	t.Parallel()
	dsn := localpg.Database(t)
	run(t, dsn, "CREATE SCHEMA otelaudit; CREATE VIEW otelaudit.activity AS SELECT 1")
	e := opened(t, dsn)
	require.ErrorContains(t, e.Migrate(t.Context()), "0001_activity.sql: ")
	require.False(t, scalar[bool](t, dsn, "SELECT to_regclass('otelaudit.migration') IS NOT NULL"))
	run(t, dsn, "DROP VIEW otelaudit.activity")
	require.NoError(t, e.Migrate(t.Context()), "into the schema that is there")
}

// What the role was given for its queries is not for a migration that waits for its turn, nor for a partition that takes long.
func TestMigrateOutlivesTheRolesTimeouts(t *testing.T) {
	t.Parallel()
	dsn := localpg.Database(t)
	name := scalar[string](t, dsn, "SELECT current_database()")
	run(t, dsn, "ALTER DATABASE "+name+" SET lock_timeout = '1ms'; ALTER DATABASE "+name+" SET statement_timeout = '500ms'")
	first, err := connected(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	_, err = first.Exec(t.Context(), lockSQL, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	e := opened(t, dsn)
	migrated := make(chan error, 1)
	go func() { migrated <- e.Migrate(t.Context()) }()
	until(t, dsn, "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory' AND clock_timestamp() - query_start > '600ms'")
	require.NoError(t, first.Rollback(t.Context()))
	require.NoError(t, <-migrated)
	run(t, dsn, "CREATE OR REPLACE FUNCTION otelaudit.ensure_partitions(days date[]) RETURNS integer LANGUAGE sql AS $$ SELECT 0 FROM pg_sleep(0.6) $$")
	require.NoError(t, e.MakePartitions(t.Context(), time.Now(), time.Now()))
}
