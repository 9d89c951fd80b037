package journal

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// fullDisk is what a killed process leaves of a journal that has filled its disk: everything confirmed, nothing delivered.
func fullDisk(t *testing.T, config Config) (s *simFS, confirmed []string) {
	t.Helper()
	s = config.FS.(*simFS)
	j, err := Open(config)
	require.NoError(t, err)
	r, err := j.Reader("sink", Required)
	require.NoError(t, err)
	s.setQuota(16 << 10)
	ctx := context.Background()
	for i := 0; ; i++ {
		record := fmt.Appendf(nil, "%-500d", i)
		if _, err := j.Append(ctx, record); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			break
		}
		confirmed = append(confirmed, string(record))
	}
	killed := s.kill()
	r.Close()
	s.setQuota(0)
	require.NoError(t, j.Close())
	killed.setQuota(1) // and somebody else has taken what a start gives back
	return killed, confirmed
}

// A journal on a full disk opens, is delivered, and makes space by it. Its last group, which was confirmed and is above every
// mark, waits until there is room to bring it to disk once more; so do those who append.
func TestOpenOnAFullDisk(t *testing.T) {
	t.Parallel()
	for name, noAppend := range map[string]bool{"by its owner": false, "by who adopts it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				config := small(newSimFS())
				config.SegmentBytes = minSegmentBytes
				s, confirmed := fullDisk(t, config)
				config.FS, config.NoAppend = s, noAppend
				j, err := Open(config)
				require.NoError(t, err)
				require.ErrorIs(t, j.Status().LastError, syscall.ENOSPC)
				ctx := context.Background()
				if !noAppend {
					_, err = j.Append(ctx, []byte("too early"))
					require.ErrorIs(t, err, ErrTimeout)
					require.ErrorIs(t, err, syscall.ENOSPC)
				}
				r, err := j.Reader("sink", Required)
				require.NoError(t, err)
				status := j.Status()
				require.Equal(t, uint64(1), status.Unsecured)
				require.Equal(t, uint64(len(confirmed)), status.Last)
				require.Equal(t, uint64(len(confirmed)), status.Readers[0].Lag, "what nobody gets yet is left, too")
				before := status.Segments
				read := 0
				deliver := func(n int) {
					for read < n {
						records, err := r.Next(ctx, 1, 1<<20)
						require.NoError(t, err)
						if records[0].Gap == nil {
							require.Equal(t, confirmed[read], string(records[0].Data))
							read++
						}
						require.NoError(t, r.Commit(records[0].Seq), "in place")
					}
				}
				deliver(len(confirmed) - 1)
				synctest.Wait()
				require.Less(t, j.Status().Segments, before)
				require.Equal(t, uint64(len(confirmed)-1), j.Status().Readers[0].Seq)
				require.ErrorIs(t, j.RemoveDelivered(), ErrPinned, "the last group is in the old segment only")

				s.setQuota(0)
				<-time.After(2 * time.Second) // the bubble's clock, which takes no time
				deliver(len(confirmed))
				require.Zero(t, j.Status().Unsecured)
				if !noAppend {
					_, err = j.Append(ctx, []byte("has room"))
					require.NoError(t, err)
					records, err := r.Next(ctx, 10, 1<<20)
					require.NoError(t, err)
					require.Equal(t, uint64(1), records[0].Gap.Refused)
					require.Equal(t, "has room", string(records[1].Data))
				}
				require.Empty(t, j.Status().Damage)
				r.Close()
				if noAppend {
					require.NoError(t, j.RemoveDelivered())
				}
				require.NoError(t, j.Close())
			})
		})
	}
}

// Nothing is lost when the power fails while the disk is full, nor when it does again while Open meets that.
func TestCrashOnAFullDisk(t *testing.T) {
	t.Parallel()
	step := 5
	if long() {
		step = 1
	}
	for at := 1; ; at += step {
		s := newSimFS()
		s.crashAt = at
		s.setQuota(12 << 10)
		o, config := newOracle(), small(s)
		config.SegmentBytes, config.AppendTimeout = minSegmentBytes, 20*time.Millisecond
		w := workload{config: config, calls: 5, reader: at%2 == 0}
		_ = w.run(o) // fails when the power does
		config.AppendTimeout = 0
		if s.ops < at {
			require.Greater(t, at, 50)
			return
		}
		for how := range losses {
			full := s.crash(how, newRandom(uint64(at)))
			full.setQuota(1)
			full.crashAt = 1 + at*7%40
			config.FS = full
			if j, err := Open(config); err == nil {
				o.look(j)
				_ = j.Close() // fails when the power does
			}
			config.FS = full.crash((how+loss(at))%losses, newRandom(uint64(at)))
			config.FS.(*simFS).setQuota(0)
			j, err := Open(config)
			require.NoError(t, err)
			require.NoError(t, o.check(j), "crash at operation %d, loss %d", at, how)
			require.NoError(t, o.again(j))
			require.NoError(t, j.Close())
		}
	}
}
