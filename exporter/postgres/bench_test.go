package postgres

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

const benchBatch = 2048

func BenchmarkEncode(b *testing.B) {
	rs := typicals(b, benchBatch, time.Now())
	e := newEncoder()
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for b.Loop() {
		e.buf, e.ends = e.buf[:0], e.ends[:0]
		for _, r := range rs {
			if err := e.add(r); err != nil {
				b.Fatal(err)
			}
		}
		n += len(rs)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/row")
	b.ReportMetric(float64(len(e.buf))/benchBatch, "bytes/row")
}

// durable starts a server that syncs, as in production, and makes a database there.
func durable(b *testing.B) string {
	b.Helper()
	server, err := localpg.Start(b.Context(), localpg.Config{Durable: true, Settings: map[string]string{"max_wal_size": "8GB", "checkpoint_timeout": "30min"}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, server.Stop(context.Background())) })
	dsn, drop, err := server.CreateDatabase(b.Context())
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, drop(context.Background())) })
	return dsn
}

// BenchmarkExportBatch compares ExportBatch of new records with bare COPY of the same rows, in turn, on as many connections.
func BenchmarkExportBatch(b *testing.B) {
	for _, conns := range []int{1, 2} {
		for _, size := range []int{1, 64, benchBatch} {
			b.Run(fmt.Sprintf("conns=%d/batch=%d", conns, size), func(b *testing.B) {
				benchmarkExportBatch(b, conns, size)
			})
		}
	}
}

func benchmarkExportBatch(b *testing.B, conns, size int) {
	b.Helper()
	dsn := durable(b)
	e, err := Open(b.Context(), dsn)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, e.Shutdown(context.Background())) })
	require.NoError(b, e.Migrate(b.Context()))
	bare := make([]*pgx.Conn, conns)
	for i := range bare {
		bare[i], err = pgx.Connect(b.Context(), dsn)
		require.NoError(b, err)
		b.Cleanup(func() { bare[i].Close(context.Background()) })
	}
	batches := make([][]*otelaudit.Record, conns)
	at := time.Now().UTC().Truncate(time.Microsecond)
	for i := range batches {
		batches[i] = typicals(b, size, at)
	}
	fresh := func() {
		for _, rs := range batches {
			for _, r := range rs {
				at = at.Add(time.Microsecond)
				r.ID, r.Time = record(b, otelaudit.Activity{Action: "x", Time: at}).ID, at
			}
		}
	}
	truncate := func() {
		_, err := bare[0].Exec(b.Context(), "TRUNCATE otelaudit.activity; CHECKPOINT")
		require.NoError(b, err)
	}
	both := func(f func(i int)) time.Duration {
		var wg sync.WaitGroup
		started := time.Now()
		for i := range conns {
			wg.Go(func() { f(i) })
		}
		wg.Wait()
		return time.Since(started)
	}
	var ours, theirs time.Duration
	var rows int
	every := max(1, 60*benchBatch/size/conns)
	for n := 0; b.Loop(); n++ {
		fresh()
		export := func() {
			ours += both(func(i int) { require.NoError(b, e.ExportBatch(b.Context(), batch(batches[i]...))) })
		}
		bareCopy := func() {
			theirs += both(func(i int) {
				enc := newEncoder()
				defer enc.free()
				for _, r := range batches[i] {
					_ = enc.add(r)
				}
				data := append(append(append([]byte(nil), copyHeader...), enc.buf...), copyTrailer...)
				_, err := bare[i].PgConn().CopyFrom(b.Context(), bytes.NewReader(data), copySQL)
				require.NoError(b, err)
			})
		}
		if n%2 == 0 {
			export()
			fresh()
			bareCopy()
		} else {
			bareCopy()
			fresh()
			export()
		}
		rows += conns * size
		if n%every == every-1 {
			truncate()
		}
	}
	b.ReportMetric(float64(rows)/ours.Seconds(), "rows/s")
	b.ReportMetric(float64(rows)/theirs.Seconds(), "bare-rows/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "of-bare")
	b.ReportMetric(0, "ns/op")
}
