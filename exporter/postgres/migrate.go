package postgres

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// minServerVersion is the oldest Postgres that otelaudit works with: 13.
const minServerVersion = 130000

const (
	// The number is 'otelaudt' in ASCII, and otelaudit.ensure_partitions has it too: whoever changes tables takes turns. How
	// long that takes is for ctx to bound, and not for what the role may have been given for its queries.
	lockSQL = `SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; SELECT pg_catalog.pg_advisory_xact_lock(8031155551674393716)`

	// A migration that waits for a report holds up everybody behind it: better to fail, and to be tried again.
	patienceSQL = `SET LOCAL lock_timeout = '10s'`

	// It asks pg_class, and not to_regclass, which may remember from before the lock that there was nothing.
	serverSQL = `SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.current_setting('server_encoding'), ` +
		`EXISTS (SELECT FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = 'otelaudit' AND relname = 'migration')`

	appliedSQL = `SELECT version, name, checksum FROM otelaudit.migration ORDER BY version`
	applySQL   = `INSERT INTO otelaudit.migration (version, name, checksum) VALUES ($1, $2, $3)`
)

// migration is one file of migrations.
type migration struct {
	version  int
	name     string
	checksum string // SHA-256 of sql, in hexadecimal
	sql      string
}

// Migrate makes the schema otelaudit, or brings it up to this program's version, and makes the partitions of this month and
// the next. Where all is there it changes nothing, and then needs no more than SELECT on otelaudit.migration and EXECUTE on
// otelaudit.ensure_partitions. Any number of processes may call it at once: all that must be done is done in one
// transaction, under a lock.
//
// It refuses a Postgres older than 13, a database whose encoding is not UTF8, one that a newer otelaudit has migrated, and one
// whose migrations were other than this program's.
func (e *Exporter) Migrate(ctx context.Context) error {
	migrations, err := loadMigrations()
	if err != nil {
		return fmt.Errorf("postgres: migrate: %w", err)
	}
	err = e.withConn(ctx, func(pc *pgconn.PgConn) error {
		return inTransaction(ctx, pc, func() error { return migrate(ctx, pc, migrations) })
	})
	if err != nil {
		return fmt.Errorf("postgres: migrate: %w", classify(err).err)
	}
	now := e.ahead.now()
	return e.MakePartitions(ctx, now, monthOf(now).AddDate(0, 1, 0))
}

// loadMigrations reads the embedded files, "0001_activity.sql" and so on, numbered from 1 without gaps.
func loadMigrations() ([]migration, error) {
	files, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	migrations := make([]migration, len(files))
	for i, file := range files {
		number, _, _ := strings.Cut(file.Name(), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("%s should have the number %04d", file.Name(), i+1)
		}
		sql, err := migrationFiles.ReadFile(path.Join("migrations", file.Name()))
		if err != nil {
			return nil, err
		}
		hash := sha256.Sum256(sql)
		migrations[i] = migration{version, file.Name(), hex.EncodeToString(hash[:]), string(sql)}
	}
	return migrations, nil
}

func migrate(ctx context.Context, pc *pgconn.PgConn, migrations []migration) error {
	if _, err := exec(ctx, pc, lockSQL); err != nil {
		return err
	}
	applied, err := appliedMigrations(ctx, pc)
	if err != nil {
		return err
	}
	todo, err := remaining(migrations, applied)
	if err != nil || len(todo) == 0 {
		return err
	}
	if _, err := exec(ctx, pc, patienceSQL); err != nil {
		return err
	}
	for _, m := range todo {
		if _, err := exec(ctx, pc, m.sql); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if _, err := queryText(ctx, pc, applySQL, strconv.Itoa(m.version), m.name, m.checksum); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// appliedMigrations returns what the database has had, without the SQL; none where there is no schema yet.
func appliedMigrations(ctx context.Context, pc *pgconn.PgConn) ([]migration, error) {
	server, err := queryText(ctx, pc, serverSQL)
	if err != nil {
		return nil, err
	}
	version, encoding, migrated := server[0][0], server[0][1], server[0][2] == "t"
	if n, err := strconv.Atoi(version); err != nil || n < minServerVersion {
		return nil, fmt.Errorf("the server is PostgreSQL %s, and otelaudit needs %d: use a newer server", version, minServerVersion/10000)
	}
	if encoding != "UTF8" {
		return nil, fmt.Errorf("the encoding of the database is %s, which cannot hold every name: use one created with ENCODING 'UTF8'", encoding)
	}
	if !migrated {
		return nil, nil
	}
	rows, err := queryText(ctx, pc, appliedSQL)
	if err != nil {
		return nil, err
	}
	applied := make([]migration, len(rows))
	for i, row := range rows {
		version, err := strconv.Atoi(row[0])
		if err != nil {
			return nil, err
		}
		applied[i] = migration{version: version, name: row[1], checksum: row[2]}
	}
	return applied, nil
}

var errForeignSchema = errors.New("the schema otelaudit is not this program's")

// remaining returns the migrations that applied lacks, or an error where applied is not the beginning of migrations.
func remaining(migrations, applied []migration) ([]migration, error) {
	for i, a := range applied {
		switch {
		case i >= len(migrations):
			return nil, fmt.Errorf("%w: it has had migration %d (%s), and this program knows %d: use the newer otelaudit that migrated it",
				errForeignSchema, a.version, a.name, len(migrations))
		case a.version != migrations[i].version || a.checksum != migrations[i].checksum:
			return nil, fmt.Errorf("%w: its migration %d (%s, SHA-256 %.12s…) is not %s (%.12s…): use the otelaudit that migrated it",
				errForeignSchema, a.version, a.name, a.checksum, migrations[i].name, migrations[i].checksum)
		}
	}
	return migrations[len(applied):], nil
}

// queryText runs one statement, and returns its rows as text.
func queryText(ctx context.Context, pc *pgconn.PgConn, sql string, params ...string) ([][]string, error) {
	values := make([][]byte, len(params))
	for i, p := range params {
		values[i] = []byte(p)
	}
	result := pc.ExecParams(ctx, sql, values, nil, nil, nil).Read()
	rows := make([][]string, len(result.Rows))
	for i, row := range result.Rows {
		rows[i] = make([]string, len(row))
		for j, field := range row {
			rows[i][j] = string(field)
		}
	}
	return rows, result.Err
}
