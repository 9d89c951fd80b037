package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// consumer reads as a deliverer does: with contexts that often end before there is something.
type consumer struct {
	reader *Reader
	next   uint64         // the number that must come
	from   map[byte]int64 // per appender, the last of its records
}

func (c *consumer) run(ctx context.Context, last *atomic.Uint64) error {
	for last.Load() == 0 || c.next <= last.Load() {
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		records, err := c.reader.Next(short, 64, 8<<10)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return err
		}
		for _, r := range records {
			n := int64(binary.LittleEndian.Uint64(r.Data[1:]))
			if r.Seq != c.next || n <= c.from[r.Data[0]] {
				return fmt.Errorf("record %d, %d of appender %d, instead of record %d", r.Seq, n, r.Data[0], c.next)
			}
			c.from[r.Data[0]] = n
			c.next++
		}
		if err := c.reader.Commit(c.next - 1); err != nil {
			return err
		}
	}
	return nil
}

// Appenders, readers, queries and status at once, on the disk, while segments come and go: every reader gets everything in order.
func TestAllTogether(t *testing.T) {
	t.Parallel()
	j := open(t, Config{Dir: t.TempDir(), SegmentBytes: 32 << 10})
	ctx := context.Background()
	var last atomic.Uint64
	var consumers, others, appenders sync.WaitGroup
	results := make(chan error, 2)
	for _, name := range []string{"a", "b"} {
		r, err := j.Reader(name, Required)
		require.NoError(t, err)
		c := consumer{reader: r, next: 1, from: map[byte]int64{}}
		consumers.Go(func() { results <- c.run(ctx, &last); r.Close() })
	}
	var failure atomic.Value
	others.Go(func() {
		for last.Load() == 0 {
			for r, err := range j.Records(j.Status().First) {
				if err != nil {
					failure.Store(err)
				}
				_ = r
			}
		}
	})
	const appending, calls = 32, 60
	var numbers atomic.Uint64
	for a := range appending {
		appenders.Go(func() {
			for i := range calls {
				record := append(binary.LittleEndian.AppendUint64([]byte{byte(a)}, uint64(i+1)), sample(i)...)
				if _, err := j.Append(ctx, record); err != nil {
					failure.Store(err)
					return
				}
				numbers.Add(1)
			}
		})
	}
	appenders.Wait()
	last.Store(numbers.Load())
	others.Wait()
	consumers.Wait()
	require.Nil(t, failure.Load())
	require.NoError(t, <-results)
	require.NoError(t, <-results)
	require.Equal(t, uint64(appending*calls), last.Load())
	require.Eventually(t, func() bool { return j.Status().Segments <= 2 }, 10*time.Second, time.Millisecond, "what both have goes")
}
