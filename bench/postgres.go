package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// How close the Postgres exporter comes to bare COPY: rows a second that ExportBatch stores, in batches of 2,048 records none
// of which is there, against binary COPY written by hand (copy.go), one statement and its own commit for each batch. Both
// encode within the time that counts, on as many goroutines as connections.
//
// Each run writes the very same rows into a partition of the same month, made before the time that counts, and counted and
// truncated after it; before each run is a checkpoint. That both write the same is checked beforehand.
func postgresBenchmark(connections int) benchmark {
	const ours, bare = "ExportBatch", "COPY by hand"
	g := goal{fmt.Sprintf("postgres_vs_copy_%d", connections), ">=", 0.80}
	return benchmark{goals: []goal{g}, takes: "1 min", run: func(ctx context.Context, h *harness) (err error) {
		submissions := makeSubmissions(ctx, pick(h, 32*batchRows, connections*64))
		at := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
		b, err := newPostgresBench(ctx, submissions, at, pick(h, batchRows, 64), connections)
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
			number(float64(b.rows)), number(float64(len(b.batches[0]))), b.rowBytes)
		h.show(r, rowsPerSecond, ours, bare)
		h.judgeRatio(g, r, rowsPerSecond, ours, bare)
		return nil
	}}
}

// batchRows is how many rows a batch has: as many as a trail has for one connection at most, unless told otherwise.
const batchRows = 2048

type postgresBench struct {
	*database
	pool     *pgxpool.Pool // the exporter's
	exporter *postgres.Exporter
	bare     []*pgconn.PgConn // the rival's

	at       time.Time
	batches  [][]*otelaudit.Record
	rows     int
	service  string // of the records' resource
	resource string // likewise, as JSON
	rowBytes float64
}

// newPostgresBench starts a server, and makes the records of submissions from a time on, in batches of size.
func newPostgresBench(ctx context.Context, submissions []submission, at time.Time, size, connections int) (_ *postgresBench, err error) {
	records, err := makeRecords(submissions, at)
	if err != nil {
		return nil, err
	}
	service, _ := resource.Value(otelaudit.KeyServiceName)
	b := &postgresBench{
		at: at, rows: len(submissions), batches: slices.Collect(slices.Chunk(records, size)),
		service: service.AsString(), resource: string(jsonObject(nil, resource.ToSlice())),
	}
	if b.database, err = startDatabase(ctx, false); err != nil {
		return nil, err
	}
	if err := b.connect(ctx, connections); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *postgresBench) connect(ctx context.Context, connections int) error {
	for range connections {
		conn, err := pgconn.Connect(ctx, b.url)
		if err != nil {
			return err
		}
		b.bare = append(b.bare, conn)
	}
	config, err := pgxpool.ParseConfig(b.url)
	if err != nil {
		return err
	}
	config.MaxConns, config.MinConns = int32(connections), int32(connections) //nolint:gosec // one or two
	if b.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	b.exporter, err = postgres.New(ctx, postgres.Config{Pool: b.pool})
	return err
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
	return errors.Join(append(errs, b.database.close())...)
}

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
		if err := b.prepare(ctx, b.at); err != nil {
			return nil, err
		}
		took, err := b.write(ctx, makeWriter)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(b.checkCount(ctx, b.rows), b.empty(ctx)); err != nil {
			return nil, err
		}
		return map[unit]float64{rowsPerSecond: float64(b.rows) / took.Seconds()}, nil
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

// checkSameRows writes all batches in both ways, and compares what the table then holds.
func (b *postgresBench) checkSameRows(ctx context.Context) error {
	const digest = `SELECT md5(string_agg(md5(ROW(` + copiedColumns + `)::text), '' ORDER BY time, id)) FROM otelaudit.activity`
	var digests [2]string
	for i, makeWriter := range []func(int) writer{b.export, b.copy} {
		if err := b.prepare(ctx, b.at); err != nil {
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
	b.rowBytes = math.Round(float64(bytes) / float64(b.rows))
	return nil
}
