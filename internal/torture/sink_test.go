//go:build unix

package torture

import (
	"bytes"
	"context"
	"errors"
	"net"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// table is Postgres with fuses, and with a distaste for poison.
type table struct {
	*postgres.Exporter
	pool   *pgxpool.Pool
	fuse   *fuse
	failed func(error) // hears of exports that will be tried again
}

var _ trail.BatchExporter = (*table)(nil)

// openTable makes the exporter for the database that dsn names. It does not connect.
func openTable(ctx context.Context, dsn string, f *fuse, failed func(error)) (*table, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.RuntimeParams["client_encoding"] = "UTF8"
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &fusedConn{conn, f}, nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	e, err := postgres.New(ctx, postgres.Config{Pool: pool})
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &table{Exporter: e, pool: pool, fuse: f, failed: failed}, nil
}

// Shutdown closes the pool too: it is ours.
func (t *table) Shutdown(ctx context.Context) error {
	defer t.pool.Close()
	return t.Exporter.Shutdown(ctx)
}

// ExportBatch stores what is not poison.
func (t *table) ExportBatch(ctx context.Context, b *trail.Batch) error {
	t.fuse.reach(exportBefore)
	rest, refused := &trail.Batch{Divisible: b.Divisible}, &trail.BadRecordsError{}
	var index []int // of rest's records within b
	for i, r := range b.Records {
		if r.Action == poisonAction {
			refused.Records = append(refused.Records, trail.BadRecord{ID: r.ID, Index: i, Reason: errors.New(poisonReason)})
			continue
		}
		rest.Records, index = append(rest.Records, r), append(index, i)
	}
	if len(rest.Records) > 0 || len(b.Records) == 0 {
		err := t.Exporter.ExportBatch(ctx, rest)
		bad, some := errors.AsType[*trail.BadRecordsError](err)
		if err != nil && !some {
			t.failed(err)
			return err
		}
		if some {
			for _, r := range bad.Records {
				r.Index = index[r.Index]
				refused.Records = append(refused.Records, r)
			}
		}
	}
	t.fuse.reach(exportCommitted)
	if len(refused.Records) > 0 {
		return refused
	}
	return nil
}

// fusedConn is a connection to Postgres that has a fuse behind each COMMIT.
type fusedConn struct {
	net.Conn
	fuse *fuse
}

// commitMessage is what pgx sends to commit; a record's text has no zero byte.
var commitMessage = []byte("COMMIT\x00")

func (c *fusedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err == nil && bytes.Contains(b, commitMessage) {
		c.fuse.reach(exportCommitting)
	}
	return n, err
}
