package postgres

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// BenchmarkDivisible is how a backlog leaves: one batch after the other, each of them divisible or not, compared with bare COPY
// of the same batches over two connections at once. They take turns; the figures are medians.
//
//	go test -run='^$' -bench=Divisible -benchtime=6x ./exporter/postgres
func BenchmarkDivisible(b *testing.B) {
	for _, size := range []int{256, 512, 1024, 2048, 4096, 8192} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) { benchmarkDivisible(b, size) })
	}
}

func benchmarkDivisible(b *testing.B, size int) {
	b.Helper()
	const total = 32 * benchBatch
	dsn := durable(b)
	e, err := Open(b.Context(), dsn)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, e.Shutdown(context.Background())) })
	require.NoError(b, e.Migrate(b.Context()))
	bare := make([]*pgx.Conn, 2)
	for i := range bare {
		bare[i], err = pgx.Connect(b.Context(), dsn)
		require.NoError(b, err)
		b.Cleanup(func() { bare[i].Close(context.Background()) })
	}
	batches := slices.Collect(slices.Chunk(typicals(b, total, time.Now()), size))
	export := func(divisible bool) {
		for _, rs := range batches {
			require.NoError(b, e.ExportBatch(b.Context(), &trail.Batch{Records: rs, Divisible: divisible}))
		}
	}
	export(true) // makes the second connection
	contenders := []struct {
		name string
		run  func()
		took []float64
	}{
		{name: "divided", run: func() { export(true) }},
		{name: "whole", run: func() { export(false) }},
		{name: "bare", run: func() {
			var wg sync.WaitGroup
			for i := range bare {
				wg.Go(func() {
					for j := i; j < len(batches); j += len(bare) {
						copyBare(b, bare[i], batches[j])
					}
				})
			}
			wg.Wait()
		}},
	}
	for n := 0; b.Loop(); n++ {
		for i := range contenders {
			c := &contenders[(i+n)%len(contenders)]
			_, err := bare[0].Exec(b.Context(), "TRUNCATE otelaudit.activity; CHECKPOINT")
			require.NoError(b, err)
			started := time.Now()
			c.run()
			c.took = append(c.took, time.Since(started).Seconds())
		}
	}
	median := make([]float64, len(contenders))
	for i, c := range contenders {
		slices.Sort(c.took)
		median[i] = c.took[len(c.took)/2]
		b.ReportMetric(total/median[i], c.name+"-rows/s")
	}
	b.ReportMetric(median[2]/median[0], "divided-of-bare")
	b.ReportMetric(median[2]/median[1], "whole-of-bare")
	b.ReportMetric(0, "ns/op")
}

func copyBare(b *testing.B, conn *pgx.Conn, rs []*otelaudit.Record) {
	b.Helper()
	enc := newEncoder()
	defer enc.free()
	for _, r := range rs {
		_ = enc.add(r)
	}
	data := append(append(append([]byte(nil), copyHeader...), enc.buf...), copyTrailer...)
	_, err := conn.PgConn().CopyFrom(b.Context(), bytes.NewReader(data), copySQL)
	require.NoError(b, err)
}
