package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// How close the Postgres exporter comes to bare COPY: rows a second that ExportBatch stores, in batches of 2,048 records none
// of which is there, against binary COPY written by hand (copy.go), one statement and its own commit for each batch. Both
// encode within the time that counts, on as many goroutines as connections.
//
// Each run writes the very same rows into a partition of the same month, made before the time that counts, counted after it
// and dropped; before each run is a checkpoint. That both write the same is checked beforehand.
//
// A private server syncs as in production (fsync, full_page_writes, synchronous_commit). Its checkpoints and autovacuum are
// kept from running in the middle of somebody's turn.
func postgresBenchmark(connections int) benchmark {
	const ours, bare = "ExportBatch", "COPY by hand"
	g := goal{fmt.Sprintf("postgres_vs_copy_%d", connections), ">=", 0.80}
	return benchmark{[]goal{g}, func(ctx context.Context, h *harness) (err error) {
		b, err := newPostgresBench(ctx, h, connections)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.close()) }()
		if err := b.checkSameRows(ctx); err != nil {
			return err
		}
		r, err := h.inTurn(ctx,
			contender{name: ours, run: b.contend(b.export)},
			contender{name: bare, run: b.contend(b.copy)},
		)
		if err != nil {
			return err
		}
		h.printf("\n%s: %s, %d connection(s), %s rows a run in batches of %s; %.0f bytes a row\n", g.name, b.version, connections,
			number(float64(b.rows())), number(float64(len(b.batches[0]))), b.rowBytes)
		h.show(r, rowsPerSecond, ours, bare)
		h.judgeRatio(g, r, rowsPerSecond, ours, bare)
		return nil
	}}
}

// month is the one whose partition is filled and dropped.
var month = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)

const partition = "otelaudit.activity_2001_01"

type postgresBench struct {
	server   *localpg.Server
	drop     func(context.Context) error
	version  string
	exporter *postgres.Exporter
	pool     *pgxpool.Pool    // the exporter's
	bare     []*pgconn.PgConn // the rival's
	admin    *pgconn.PgConn

	batches  [][]*otelaudit.Record
	service  string // of the records' resource
	resource string // likewise, as JSON
	rowBytes float64
}

func newPostgresBench(ctx context.Context, h *harness, connections int) (_ *postgresBench, err error) {
	b := new(postgresBench)
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	batches, size := pick(h, 32, connections), pick(h, 2048, 64)
	records, err := makeRecords(ctx, batches*size, month)
	if err != nil {
		return nil, err
	}
	for i := range batches {
		b.batches = append(b.batches, records[i*size:(i+1)*size])
	}
	service, _ := records[0].Resource.Value(otelaudit.KeyServiceName)
	b.service = service.AsString()
	b.resource = string(jsonObject(nil, records[0].Resource.ToSlice()))

	b.server, err = localpg.Start(ctx, localpg.Config{Durable: true, Settings: map[string]string{
		"autovacuum":         "off",
		"checkpoint_timeout": "30min",
		"max_wal_size":       "8GB",
	}})
	if err != nil {
		return nil, err
	}
	url, drop, err := b.server.CreateDatabase(ctx)
	if err != nil {
		return nil, err
	}
	b.drop = drop
	return b, b.connect(ctx, url, connections)
}

func (b *postgresBench) connect(ctx context.Context, url string, connections int) error {
	var err error
	if b.admin, err = pgconn.Connect(ctx, url); err != nil {
		return err
	}
	b.version = "PostgreSQL " + b.admin.ParameterStatus("server_version")
	for range connections {
		conn, err := pgconn.Connect(ctx, url)
		if err != nil {
			return err
		}
		b.bare = append(b.bare, conn)
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return err
	}
	config.MaxConns, config.MinConns = int32(connections), int32(connections) //nolint:gosec // one or two
	if b.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	if b.exporter, err = postgres.New(ctx, postgres.Config{Pool: b.pool}); err != nil {
		return err
	}
	return b.exporter.Migrate(ctx)
}

func (b *postgresBench) close() error {
	ctx := context.Background() // also when it was interrupted
	var errs []error
	if b.exporter != nil {
		errs = append(errs, b.exporter.Shutdown(ctx))
	}
	if b.pool != nil {
		b.pool.Close()
	}
	for _, conn := range b.bare {
		errs = append(errs, conn.Close(ctx))
	}
	if b.admin != nil {
		errs = append(errs, b.admin.Close(ctx))
	}
	if b.drop != nil {
		errs = append(errs, b.drop(ctx))
	}
	if b.server != nil {
		errs = append(errs, b.server.Stop(ctx))
	}
	return errors.Join(errs...)
}

func (b *postgresBench) rows() int { return len(b.batches) * len(b.batches[0]) }

// writer stores one batch on a connection of its own.
type writer func(ctx context.Context, batch []*otelaudit.Record) error

// export makes the exporter's writers: they share it, and its pool has a connection for each.
func (b *postgresBench) export(int) writer {
	return func(ctx context.Context, batch []*otelaudit.Record) error {
		return b.exporter.ExportBatch(ctx, &trail.Batch{Records: batch})
	}
}

// copy makes the rival's writer on connection i.
func (b *postgresBench) copy(i int) writer {
	var data []byte
	return func(ctx context.Context, batch []*otelaudit.Record) error {
		data = appendCopy(data[:0], batch, b.service, b.resource)
		_, err := b.bare[i].CopyFrom(ctx, bytes.NewReader(data), copyStatement)
		return err
	}
}

// contend measures the writers that makeWriter makes, one for each connection.
func (b *postgresBench) contend(makeWriter func(i int) writer) func(context.Context, string) (map[unit]float64, error) {
	return func(ctx context.Context, _ string) (map[unit]float64, error) {
		if err := b.prepare(ctx); err != nil {
			return nil, err
		}
		took, err := b.write(ctx, makeWriter)
		if err != nil {
			return nil, err
		}
		stored, err := b.value(ctx, `SELECT count(*) FROM `+partition)
		if want := fmt.Sprint(b.rows()); err == nil && stored != want {
			err = fmt.Errorf("%s of %s rows are there", stored, want)
		}
		if err := errors.Join(err, b.empty(ctx)); err != nil {
			return nil, err
		}
		return map[unit]float64{rowsPerSecond: float64(b.rows()) / took.Seconds()}, nil
	}
}

// write lets each connection have every n-th batch, as fast as it can.
func (b *postgresBench) write(ctx context.Context, makeWriter func(i int) writer) (time.Duration, error) {
	n := len(b.bare)
	errs := make([]error, n)
	var all sync.WaitGroup
	started := time.Now()
	for i := range n {
		write := makeWriter(i)
		all.Go(func() {
			for j := i; j < len(b.batches) && errs[i] == nil; j += n {
				errs[i] = write(ctx, b.batches[j])
			}
		})
	}
	all.Wait()
	return time.Since(started), errors.Join(errs...)
}

// prepare makes the partition, and gives each run the same distance to the next checkpoint.
func (b *postgresBench) prepare(ctx context.Context) error {
	if err := b.exporter.MakePartitions(ctx, month, month); err != nil {
		return err
	}
	_, err := b.value(ctx, `CHECKPOINT`)
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == "42501" {
		return nil // a named server may not let us; then there is none for either
	}
	return err
}

func (b *postgresBench) empty(ctx context.Context) error {
	_, err := b.value(ctx, `DROP TABLE `+partition)
	return err
}

// value runs a statement, and returns the first column of its last row.
func (b *postgresBench) value(ctx context.Context, sql string) (string, error) {
	results, err := b.admin.Exec(ctx, sql).ReadAll()
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

// checkSameRows writes all batches in both ways, and compares what the table then holds.
func (b *postgresBench) checkSameRows(ctx context.Context) error {
	const digest = `SELECT md5(string_agg(md5(ROW(` + copiedColumns + `)::text), '' ORDER BY time, id)) FROM ` + partition
	var digests [2]string
	for i, makeWriter := range []func(int) writer{b.export, b.copy} {
		if err := b.prepare(ctx); err != nil {
			return err
		}
		_, err := b.write(ctx, makeWriter)
		if err != nil {
			return err
		}
		if digests[i], err = b.value(ctx, digest); err != nil {
			return err
		}
		if err := b.empty(ctx); err != nil {
			return err
		}
	}
	if digests[0] != digests[1] {
		return errors.New("COPY by hand writes other rows than ExportBatch: columns or encoding have changed; mend copy.go")
	}
	var bytes int
	for _, batch := range b.batches {
		bytes += len(appendCopy(nil, batch, b.service, b.resource))
	}
	b.rowBytes = math.Round(float64(bytes) / float64(b.rows()))
	return nil
}
