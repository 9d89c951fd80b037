package stdout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/rj-gamer/go-activity-tracker/exporter/stdout"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

func TestABatchIsOneWrite(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(io.Writer) *stdout.Exporter{"lines": stdout.New, "console": stdout.NewConsole} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w writes
			e := open(&w)
			records := recorded(t, story()...)
			require.NoError(t, e.Export(t.Context(), nil))
			require.Empty(t, w.calls)
			require.NoError(t, e.Export(t.Context(), records))
			require.NoError(t, e.Export(t.Context(), records[:1]))
			require.Len(t, w.calls, 2)
			for _, call := range w.calls {
				require.True(t, bytes.HasSuffix(call, []byte("\n")))
			}
		})
	}
}

func TestALargeBatchIsWrittenInPieces(t *testing.T) {
	t.Parallel()
	var w writes
	a := otelaudit.Activity{Action: "file.read", Reason: strings.Repeat("x", 10_000)}
	records := recorded(t, a)
	for len(records) < 400 { // 4 MB
		records = append(records, records...)
	}
	require.NoError(t, stdout.New(&w).Export(t.Context(), records))
	require.Greater(t, len(w.calls), 3)
	lines := 0
	for _, call := range w.calls {
		require.Less(t, len(call), stdout.WriteSize+12_000)
		require.True(t, bytes.HasSuffix(call, []byte("}\n")))
		require.True(t, bytes.HasPrefix(call, []byte(`{"time":`)))
		lines += bytes.Count(call, []byte("\n"))
	}
	require.Equal(t, len(records), lines)
}

func TestAContextThatEndsStopsTheNextPiece(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	w := writes{take: func(p []byte) (int, error) { cancel(); return len(p), nil }}
	records := recorded(t, otelaudit.Activity{Action: "file.read", Reason: strings.Repeat("x", 10_000)})
	for len(records) < 200 {
		records = append(records, records...)
	}
	e := stdout.New(&w)
	require.ErrorIs(t, e.Export(ctx, records), context.Canceled)
	require.Len(t, w.calls, 1)
}

func TestACancelledContextWritesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var w writes
	e := stdout.New(&w)
	for range 20 { // a select between two that are ready would choose either
		require.ErrorIs(t, e.Export(ctx, recorded(t, otelaudit.Activity{Action: "a.b"})), context.Canceled)
	}
	require.Empty(t, w.calls)
}

func TestAfterATornLineTheNextExportBeginsAFreshOne(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk full")
	for name, test := range map[string]struct {
		take func(p []byte) (int, error) // of the first Write
		want error
		torn bool
	}{
		"short write":           {func(p []byte) (int, error) { return 10, nil }, io.ErrShortWrite, true},
		"error within a line":   {func(p []byte) (int, error) { return 10, broken }, broken, true},
		"error before the end":  {func(p []byte) (int, error) { return len(p) - 1, broken }, broken, true},
		"error at once":         {func(p []byte) (int, error) { return 0, broken }, broken, false},
		"error after a line":    {func(p []byte) (int, error) { return bytes.IndexByte(p, '\n') + 1, broken }, broken, false},
		"error after the batch": {func(p []byte) (int, error) { return len(p), broken }, broken, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := writes{take: test.take}
			e := stdout.New(&w)
			records := recorded(t, otelaudit.Activity{Action: "a.b"}, otelaudit.Activity{Action: "a.c"})
			err := e.Export(t.Context(), records)
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, "stdout: ")
			w.take = nil
			require.NoError(t, e.Export(t.Context(), records))
			require.NoError(t, e.Export(t.Context(), records))
			if test.torn {
				require.True(t, bytes.HasPrefix(w.calls[1], []byte("\n{")))
			} else {
				require.True(t, bytes.HasPrefix(w.calls[1], []byte("{")))
			}
			require.True(t, bytes.HasPrefix(w.calls[2], []byte("{")))
			require.NotContains(t, w.String(), "\n\n")
		})
	}
}

func TestATornLineStaysTornUntilSomethingIsWritten(t *testing.T) {
	t.Parallel()
	w := writes{take: func([]byte) (int, error) { return 5, nil }}
	e := stdout.New(&w)
	records := recorded(t, otelaudit.Activity{Action: "a.b"})
	require.ErrorIs(t, e.Export(t.Context(), records), io.ErrShortWrite)
	w.take = func([]byte) (int, error) { return 0, io.ErrClosedPipe }
	require.ErrorIs(t, e.Export(t.Context(), records), io.ErrClosedPipe)
	w.take = func([]byte) (int, error) { return 1, nil } // the line feed alone
	require.ErrorIs(t, e.Export(t.Context(), records), io.ErrShortWrite)
	w.take = nil
	require.NoError(t, e.Export(t.Context(), records))
	require.True(t, strings.HasPrefix(w.String(), "{\"tim\n{\"time\":"))
}

func TestAfterAnErrorTheConsoleSaysTheDayAgain(t *testing.T) {
	t.Parallel()
	w := writes{take: func([]byte) (int, error) { return 0, io.ErrClosedPipe }}
	e := stdout.NewConsole(&w)
	records := recorded(t, otelaudit.Activity{Action: "a.b"})
	require.ErrorIs(t, e.Export(t.Context(), records), io.ErrClosedPipe)
	w.take = nil
	require.NoError(t, e.Export(t.Context(), records))
	require.NoError(t, e.Export(t.Context(), records))
	require.True(t, strings.HasPrefix(w.String(), "2026-05-04 UTC\n12:04:05.123 "))
	require.Equal(t, 1, strings.Count(w.String(), "UTC"))
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	var w closer
	e := stdout.New(&w)
	records := recorded(t, otelaudit.Activity{Action: "a.b"})
	require.NoError(t, e.Export(t.Context(), records))
	written := w.Len()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, e.ForceFlush(t.Context()))
	require.NoError(t, e.Shutdown(ended), "there is nothing to wait for")
	require.NoError(t, e.Shutdown(t.Context()))
	require.NoError(t, e.ForceFlush(t.Context()))
	require.ErrorIs(t, e.Export(t.Context(), records), sdklog.ErrExporterShutdown)
	require.ErrorIs(t, e.Export(t.Context(), nil), sdklog.ErrExporterShutdown)
	require.ErrorIs(t, e.Export(ended, records), sdklog.ErrExporterShutdown)
	require.Equal(t, written, w.Len())
	require.False(t, w.closed)
}

type closer struct {
	bytes.Buffer
	closed bool
}

func (c *closer) Close() error { c.closed = true; return nil }

// A writer that hangs, as a pipe does that nobody reads, holds nobody longer than their contexts allow.
func TestAWriterThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := writes{take: func(p []byte) (int, error) {
			<-release
			return len(p), nil
		}}
		e := stdout.New(&w)
		records := recorded(t, otelaudit.Activity{Action: "a.b"})
		begin := func(f func() error) <-chan error {
			ended := make(chan error, 1)
			go func() { ended <- f() }()
			synctest.Wait() // until it waits for something
			return ended
		}
		writing := begin(func() error { return e.Export(t.Context(), records) })

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, e.Export(ctx, records), context.DeadlineExceeded)

		waiting := begin(func() error { return e.Export(t.Context(), records) })
		require.ErrorIs(t, e.Shutdown(ctx), context.DeadlineExceeded)
		require.NoError(t, e.ForceFlush(ctx))
		shutdown := begin(func() error { return e.Shutdown(t.Context()) })
		require.Empty(t, shutdown)

		close(release)
		require.NoError(t, <-writing)
		require.NoError(t, <-shutdown)
		require.ErrorIs(t, <-waiting, sdklog.ErrExporterShutdown)
		require.Len(t, w.calls, 1)
	})
}

func TestAWriterThatPanicsHoldsNobody(t *testing.T) {
	t.Parallel()
	w := writes{take: func([]byte) (int, error) { panic("broken writer") }}
	e := stdout.New(&w)
	records := recorded(t, otelaudit.Activity{Action: "a.b"})
	require.Panics(t, func() { _ = e.Export(t.Context(), records) })
	w.take = nil
	require.NoError(t, e.Export(t.Context(), records))
}

func TestConcurrentExportsWriteWholeLines(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(io.Writer) *stdout.Exporter{"lines": stdout.New, "console": stdout.NewConsole} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w writes // the race detector sees calls that overlap
			e := open(&w)
			var all sync.WaitGroup
			for g := range 8 {
				records := recorded(t, otelaudit.Activity{Action: fmt.Sprintf("worker%d.act", g)})
				all.Go(func() {
					for range 50 {
						if err := e.Export(t.Context(), records); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			require.NoError(t, e.Shutdown(t.Context()))
			require.Len(t, w.calls, 400)
			for g := range 8 {
				require.Equal(t, 50, strings.Count(w.String(), fmt.Sprintf("worker%d.act", g)))
			}
		})
	}
}

func TestWithoutAWriterThereIsAnError(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]*stdout.Exporter{"zero": {}, "lines": stdout.New(nil), "console": stdout.NewConsole(nil)} {
		require.ErrorContainsf(t, e.Export(t.Context(), recorded(t, otelaudit.Activity{Action: "a.b"})), "use New or NewConsole", "%s", name)
		require.NoErrorf(t, e.Shutdown(t.Context()), "%s", name)
	}
}

// What Export was given may be changed as soon as it has returned: a second Export writes what it is given then.
func TestRecordsAreNotRetained(t *testing.T) {
	t.Parallel()
	var w writes
	e := stdout.New(&w)
	records := recorded(t, otelaudit.Activity{Action: "a.b", Metadata: []attribute.KeyValue{attribute.Int("n", 1)}})
	require.NoError(t, e.Export(t.Context(), records))
	before := w.String()
	records[0].SetAttributes(attribute.Int("n", 2))
	require.NoError(t, e.Export(t.Context(), records))
	require.Equal(t, before, string(w.calls[0]))
	require.Contains(t, string(w.calls[1]), `"attributes":{"n":2}`)
}

func BenchmarkExport(b *testing.B) {
	for name, open := range map[string]func(io.Writer) *stdout.Exporter{"lines": stdout.New, "console": stdout.NewConsole} {
		b.Run(name, func(b *testing.B) {
			records := recorded(b, story()...)
			e := open(io.Discard)
			b.ReportAllocs()
			for b.Loop() {
				if err := e.Export(b.Context(), records); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(records)), "ns/record")
		})
	}
}
