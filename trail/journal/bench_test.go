package journal

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const benchRecord = 500

// bare is the least that a group commit can be: one writer, one write and one fdatasync for all who wait, no frames.
type bare struct {
	file File
	off  int64
	size int64
	mu   sync.Mutex
	buf  []byte
	wait []chan struct{}
	wake chan struct{}
}

func newBare(b *testing.B, size int64) *bare {
	b.Helper()
	f, err := OS().OpenFile(filepath.Join(b.TempDir(), "bare"), os.O_RDWR|os.O_CREATE)
	require.NoError(b, err)
	for off := int64(0); off < size; off += int64(len(zeros)) {
		_, err := f.WriteAt(zeros[:], off)
		require.NoError(b, err)
	}
	require.NoError(b, f.Sync())
	b.Cleanup(func() { f.Close() })
	return &bare{file: f, size: size, wake: make(chan struct{}, 1)}
}

func (w *bare) run() {
	for range w.wake {
		w.mu.Lock()
		buf, wait := w.buf, w.wait
		w.buf, w.wait = make([]byte, 0, cap(buf)), nil
		w.mu.Unlock()
		if len(wait) == 0 {
			continue
		}
		if w.off+int64(len(buf)) > w.size {
			w.off = 0
		}
		_, _ = w.file.WriteAt(buf, w.off)
		_ = w.file.Sync()
		w.off += int64(len(buf))
		for _, c := range wait {
			c <- struct{}{}
		}
		notify(w.wake)
	}
}

func (w *bare) append(r []byte, done chan struct{}) {
	w.mu.Lock()
	w.buf = append(w.buf, r...)
	w.wait = append(w.wait, done)
	w.mu.Unlock()
	notify(w.wake)
	<-done
}

// round has 256 goroutines make 60 calls each, and returns the time of one.
func round(call func()) time.Duration {
	const goroutines, calls = 256, 60
	var wg sync.WaitGroup
	began := time.Now()
	for range goroutines {
		wg.Go(func() {
			for range calls {
				call()
			}
		})
	}
	wg.Wait()
	return time.Since(began) / (goroutines * calls)
}

// 256 goroutines that each wait for their own record, alternating with the bare group commit of the same bytes.
func BenchmarkAppend256(b *testing.B) {
	j, err := Open(Config{Dir: b.TempDir()})
	require.NoError(b, err)
	j.awaitSpare(b)
	w := newBare(b, 256<<20)
	go w.run()
	pool := sync.Pool{New: func() any { return make(chan struct{}, 1) }}
	record := make([]byte, benchRecord)
	var journals, bares, ratios []float64
	for b.Loop() {
		journal := round(func() {
			if _, err := j.Append(context.Background(), record); err != nil {
				b.Error(err)
			}
		})
		bare := round(func() {
			c := pool.Get().(chan struct{})
			w.append(record, c)
			pool.Put(c)
		})
		journals, bares = append(journals, float64(journal)), append(bares, float64(bare))
		ratios = append(ratios, float64(bare)/float64(journal))
	}
	close(w.wake)
	for name, values := range map[string][]float64{"journal-ns": journals, "bare-ns": bares, "journal/bare": ratios} {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], name)
	}
	require.NoError(b, j.Close())
}

// One goroutine, alternating with the bare append and fdatasync of the same bytes.
func BenchmarkAppend1(b *testing.B) {
	j, err := Open(Config{Dir: b.TempDir(), SegmentBytes: 64 << 20})
	require.NoError(b, err)
	j.awaitSpare(b)
	w := newBare(b, 64<<20)
	record := make([]byte, benchRecord)
	var journals, bares []time.Duration
	b.ResetTimer()
	for i := range b.N {
		began := time.Now()
		_, _ = w.file.WriteAt(record, int64(i*benchRecord)%(w.size-benchRecord))
		_ = w.file.Sync()
		between := time.Now()
		_, err := j.Append(context.Background(), record)
		journals, bares = append(journals, time.Since(between)), append(bares, between.Sub(began))
		require.NoError(b, err)
	}
	b.StopTimer()
	for name, d := range map[string][]time.Duration{"journal": journals, "bare": bares} {
		slices.Sort(d)
		b.ReportMetric(float64(d[len(d)/2].Microseconds()), name+"-p50-µs")
		b.ReportMetric(float64(d[len(d)*99/100].Microseconds()), name+"-p99-µs")
	}
	require.NoError(b, j.Close())
}
