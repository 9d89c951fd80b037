package journal

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Whoever comes while an fsync is under way shares the next one, all of them.
func TestOneFsyncServesAllWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSimFS()
		config := small(s)
		config.SegmentBytes = 1 << 20
		j, err := Open(config)
		require.NoError(t, err)
		synctest.Wait() // the spare segment is there
		var syncs atomic.Int64
		step := make(chan struct{})
		s.setFault(func(op, path string) error {
			if op == "sync" && !strings.Contains(path, cursorSuffix) {
				syncs.Add(1)
				<-step
			}
			return nil
		})
		var wg sync.WaitGroup
		numbers := make([]uint64, 101)
		call := func(i int) {
			wg.Go(func() {
				first, err := j.Append(context.Background(), []byte("a"), []byte("b"))
				if err == nil {
					numbers[i] = first
				}
			})
		}
		call(0)
		synctest.Wait()
		for i := range 100 {
			call(i + 1)
		}
		synctest.Wait()
		step <- struct{}{}
		step <- struct{}{}
		wg.Wait()
		require.Equal(t, int64(2), syncs.Load())
		seen := map[uint64]bool{}
		for _, n := range numbers {
			require.Equal(t, uint64(1), n%2, "the records of a call follow each other")
			require.False(t, seen[n])
			seen[n] = true
		}
		s.setFault(nil)
		require.NoError(t, j.Close())
	})
}

// The records are the caller's again when Append returns.
func TestAppendCopies(t *testing.T) {
	t.Parallel()
	j := open(t, small(newSimFS()))
	r := []byte("before")
	_, err := j.Append(context.Background(), r)
	require.NoError(t, err)
	copy(r, "after!")
	_, texts := contentsOf(t, j)
	require.Equal(t, []string{"before"}, texts)
}

func TestWhatAppendRefuses(t *testing.T) {
	t.Parallel()
	config := small(newSimFS())
	config.MaxWaitingBytes = 100
	j := open(t, config)
	ctx := context.Background()
	_, err := j.Append(ctx)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = j.Append(ctx, make([]byte, 100))
	require.ErrorIs(t, err, ErrTooLarge)
	require.NoError(t, j.Close())
	_, err = j.Append(ctx, []byte("x"))
	require.ErrorIs(t, err, ErrClosed)
	_, err = j.Reader("a", Required)
	require.ErrorIs(t, err, ErrClosed)
}

// The mark of an idle journal tells damage of the last group from a torn write.
func TestIdleMark(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSimFS()
		j, err := Open(small(s))
		require.NoError(t, err)
		_, err = j.Append(context.Background(), []byte("one"))
		require.NoError(t, err)
		look := func() Status {
			files := s.contents("/var/audit")
			files[segmentPath("/var/audit", 1)][dataStart+frameHeaderSize] ^= 1
			view, err := Look(diskOf(files), "/var/audit")
			require.NoError(t, err)
			return view.Status()
		}
		status := look()
		require.Empty(t, status.Damage)
		require.Len(t, status.Torn, 1)
		<-time.After(time.Second) // the bubble's clock, which takes no time
		synctest.Wait()
		status = look()
		require.Empty(t, status.Torn)
		require.Equal(t, uint64(1), status.Lost())
		require.NoError(t, j.Close())
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for field, config := range map[string]Config{
		"Dir":             {},
		"SegmentBytes":    {Dir: "x", SegmentBytes: 10},
		"MaxWaitingBytes": {Dir: "x", MaxWaitingBytes: -1},
		"AppendTimeout":   {Dir: "x", AppendTimeout: -1},
		"CloseTimeout":    {Dir: "x", CloseTimeout: -1},
		"IdleMark":        {Dir: "x", IdleMark: -1},
		"Retention":       {Dir: "x", Retention: -1},
	} {
		_, err := Open(config)
		require.ErrorContains(t, err, fmt.Sprintf("Config.%s ", field))
	}
}

// A journal of a later version is left alone.
func TestALaterVersion(t *testing.T) {
	t.Parallel()
	files, _ := written(t)
	path := segmentsOf(files)[0]
	for i := range 2 {
		b := files[path][i*headerSize : (i+1)*headerSize]
		b[8] = 2
		sum := checksum(b[:headerSize-4])
		b[508], b[509], b[510], b[511] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	}
	_, err := Open(small(diskOf(files)))
	require.ErrorIs(t, err, ErrFormat)
	require.ErrorContains(t, err, "version 2")
}

// Who gives up at any moment is either refused, and counted, or on disk; never both.
func TestGivingUpAtAnyMoment(t *testing.T) {
	t.Parallel()
	config := small(newSimFS())
	config.SegmentBytes = 64 << 10
	j := open(t, config)
	const callers, calls = 8, 300
	var wg sync.WaitGroup
	var confirmed atomic.Int64
	for range callers {
		wg.Go(func() {
			for range calls {
				ctx, cancel := context.WithCancel(context.Background())
				go cancel()
				if _, err := j.Append(ctx, []byte("a record")); err == nil {
					confirmed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	_, err := j.Append(context.Background(), []byte("a record")) // takes along what was refused before it
	require.NoError(t, err)
	there, refused := 0, 0
	for r, err := range j.Records(0) {
		require.NoError(t, err)
		if r.Gap != nil {
			refused += int(r.Gap.Refused)
		} else {
			there++
		}
	}
	require.Equal(t, callers*calls+1, there+refused)
	require.Equal(t, uint64(refused), j.Status().Refused)
	require.Greater(t, there, int(confirmed.Load()))
}
