package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// keys remembers which records a run brings, file by file, and whether the table had them before. It keeps them in a temporary
// table of its connection: Postgres then does the counting, and a run may be larger than the memory here.
//
// Its statements are not stopped by Ctrl-C, after which the numbers are still wanted, and the connection would be lost.
type keys struct{ conn *pgx.Conn }

const (
	createKeysSQL = `CREATE TEMPORARY TABLE replayed (file integer, time timestamptz, id uuid, was_there boolean NOT NULL, PRIMARY KEY (file, time, id))`

	// The first sight of a key within a file counts: after that, the row may be the file's own.
	rememberSQL = `INSERT INTO pg_temp.replayed
SELECT $1, key.time, key.id, EXISTS (SELECT FROM otelaudit.activity a WHERE a.time = key.time AND a.id = key.id)
FROM unnest($2::timestamptz[], $3::uuid[]) AS key (time, id)
ON CONFLICT DO NOTHING`

	analyzeSQL = `ANALYZE pg_temp.replayed` // otherwise Postgres would join as if the table were small

	countFileSQL = `SELECT count(*), count(*) FILTER (WHERE NOT k.was_there)
FROM pg_temp.replayed k JOIN otelaudit.activity a USING (time, id) WHERE k.file = $1`

	// Of a key in several files it is the first that may have found it missing.
	countAllSQL = `SELECT count(*), count(*) FILTER (WHERE NOT k.was_there)
FROM (SELECT time, id, bool_and(was_there) AS was_there FROM pg_temp.replayed GROUP BY time, id) k
JOIN otelaudit.activity a USING (time, id)`
)

func openKeys(ctx context.Context, url string) (*keys, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, createKeysSQL); err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("make a temporary table: %w", err)
	}
	return &keys{conn}, nil
}

func (k *keys) close(ctx context.Context) error {
	ctx, cancel := unhurried(ctx)
	defer cancel()
	return k.conn.Close(ctx)
}

// remember must come before the items are tracked.
func (k *keys) remember(ctx context.Context, file int, items []item) error {
	times, ids := make([]time.Time, len(items)), make([][16]byte, len(items))
	for i, it := range items {
		times[i], ids[i] = it.activity.Time, it.activity.ID
	}
	ctx, cancel := unhurried(ctx)
	defer cancel()
	if _, err := k.conn.Exec(ctx, rememberSQL, file, times, ids); err != nil {
		return fmt.Errorf("look for rows that are there: %w", err)
	}
	return nil
}

// countFile returns how many rows the table has of a file's events, and how many of them it had not before.
func (k *keys) countFile(ctx context.Context, file int) (stored, fresh int64, err error) {
	return k.count(ctx, countFileSQL, file)
}

// countAll counts likewise for all files, each row once.
func (k *keys) countAll(ctx context.Context) (stored, fresh int64, err error) {
	return k.count(ctx, countAllSQL)
}

func (k *keys) count(ctx context.Context, sql string, args ...any) (stored, fresh int64, err error) {
	ctx, cancel := unhurried(ctx)
	defer cancel()
	if _, err = k.conn.Exec(ctx, analyzeSQL); err == nil {
		err = k.conn.QueryRow(ctx, sql, args...).Scan(&stored, &fresh)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("count the rows: %w", err)
	}
	return stored, fresh, nil
}
