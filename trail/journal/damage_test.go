package journal

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// written is a closed journal of two segments: the files, and the records by number.
func written(tb testing.TB) (files map[string][]byte, records map[uint64]string) {
	tb.Helper()
	return writtenAs(tb, "record", small(newSimFS()))
}

func writtenAs(tb testing.TB, what string, config Config) (files map[string][]byte, records map[uint64]string) {
	tb.Helper()
	s := config.FS.(*simFS)
	config.SegmentBytes = minSegmentBytes
	j, err := Open(config)
	require.NoError(tb, err)
	records = map[uint64]string{}
	for i := range 9 {
		var call [][]byte
		for k := range 1 + i%3 {
			call = append(call, fmt.Appendf(nil, "%s %d of call %d %*s", what, k, i, 13*i, "."))
		}
		first, err := j.Append(context.Background(), call...)
		require.NoError(tb, err)
		for k, r := range call {
			records[first+uint64(k)] = string(r)
		}
	}
	require.NoError(tb, j.Close())
	return s.contents("/var/audit"), records
}

// contents returns the files of a directory.
func (s *simFS) contents(dir string) map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := map[string][]byte{}
	for path, n := range s.nodes {
		if filepath.Dir(path) == dir && !n.dir {
			files[path] = bytes.Clone(n.data)
		}
	}
	return files
}

// diskOf returns a file system with a journal's files.
func diskOf(files map[string][]byte) *simFS {
	s := newSimFS()
	for _, dir := range []string{"/var", "/var/audit"} {
		n := &simNode{dir: true}
		s.nodes[dir], s.durable[dir] = n, n
	}
	for path, b := range files {
		n := &simNode{data: bytes.Clone(b), synced: bytes.Clone(b)}
		s.nodes[path], s.durable[path] = n, n
	}
	return s
}

// verdict is what recovery says of a journal.
type verdict struct {
	lost     int  // records that are not delivered
	reported bool // all of them are named as damage
	last     uint64
	status   Status
}

// judge recovers files and compares what is delivered with what was written.
func judge(files map[string][]byte, records map[uint64]string) (verdict, error) {
	return judgeDisk(diskOf(files), records)
}

func judgeDisk(s *simFS, records map[uint64]string) (verdict, error) {
	view, err := Look(s, "/var/audit")
	if err != nil {
		return verdict{}, err
	}
	v := verdict{status: view.Status(), reported: true}
	there := map[uint64]bool{}
	for r, err := range view.Records(0) {
		if err != nil {
			return v, err
		}
		if records[r.Seq] != string(r.Data) {
			return v, fmt.Errorf("record %d is a phantom: %.60q", r.Seq, r.Data)
		}
		if r.Seq <= v.last {
			return v, fmt.Errorf("record %d follows %d", r.Seq, v.last)
		}
		v.last, there[r.Seq] = r.Seq, true
	}
	if lost := v.status.Lost(); lost > uint64(len(records)) {
		return v, fmt.Errorf("%d records are reported as lost, of %d", lost, len(records))
	}
	for seq := range records {
		named := false
		for _, d := range v.status.Damage {
			named = named || d.From <= seq && seq <= d.To
		}
		switch {
		case there[seq] && named:
			return v, fmt.Errorf("record %d is there, and is reported as lost", seq)
		case there[seq]:
		case !named && seq < v.last:
			return v, fmt.Errorf("record %d is gone and is not reported", seq)
		default:
			v.lost++
			v.reported = v.reported && named
		}
	}
	return v, nil
}

func segmentsOf(files map[string][]byte) []string {
	var paths []string
	for _, path := range sortedKeys(files) {
		if filepath.Ext(path) == segmentSuffix {
			paths = append(paths, path)
		}
	}
	return paths
}

func TestUndamaged(t *testing.T) {
	t.Parallel()
	files, records := written(t)
	require.GreaterOrEqual(t, len(segmentsOf(files)), 2)
	v, err := judge(files, records)
	require.NoError(t, err)
	require.Zero(t, v.lost)
	require.Empty(t, v.status.Damage)
	require.Empty(t, v.status.Torn)
}

// One flipped bit costs one record at most, which is reported; everything else is delivered.
func TestEveryByteFlipped(t *testing.T) {
	t.Parallel()
	files, records := written(t)
	for _, path := range segmentsOf(files) {
		good := files[path]
		for i := range good {
			for _, flip := range flips(i) {
				bad := bytes.Clone(good)
				bad[i] ^= flip
				files[path] = bad
				v, err := judge(files, records)
				require.NoError(t, err, "%s: byte %d", path, i)
				require.LessOrEqual(t, v.lost, 1, "%s: byte %d", path, i)
				require.True(t, v.reported, "%s: byte %d", path, i)
			}
		}
		files[path] = good
	}
}

// What is cut off, zeroed or overwritten from some byte on takes along what was there. It is reported unless nothing that is
// left says that it was on disk.
func TestEveryTail(t *testing.T) {
	t.Parallel()
	files, records := written(t)
	others, _ := writtenAs(t, "phanto", small(newSimFS())) // another journal's bytes, as in a block that was used before
	random := make([]byte, 1<<16)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(random)
	for name, tail := range map[string]func(path string, i int) []byte{
		"cut off":           func(string, int) []byte { return nil },
		"zero":              func(path string, i int) []byte { return make([]byte, len(files[path])-i) },
		"stale":             func(path string, i int) []byte { return others[path][min(i, len(others[path])):] },
		"random":            func(path string, i int) []byte { return random[:len(files[path])-i] },
		"its own beginning": func(path string, i int) []byte { return files[path][:len(files[path])-i] },
		"its predecessor's": func(_ string, i int) []byte {
			first := files[segmentsOf(files)[0]]
			return first[min(i, len(first)):]
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paths := segmentsOf(files)
			for n, path := range paths {
				for i := range len(files[path]) {
					if name == "stale" && i < headerSize {
						continue // that would be the other journal's segment, whole
					}
					damaged := map[string][]byte{}
					maps.Copy(damaged, files)
					damaged[path] = append(bytes.Clone(files[path][:i]), tail(path, i)...)
					v, err := judge(damaged, records)
					require.NoError(t, err, "%s from byte %d on", path, i)
					if n < len(paths)-1 {
						require.True(t, v.reported, "%s from byte %d on: %+v", path, i, v)
						require.Equal(t, uint64(len(records)), v.last, "the later segments are delivered")
					} else if i < dataStart-8 && slices.Contains([]string{"cut off", "zero", "random"}, name) {
						require.NotEmpty(t, v.status.Damage, "%s from byte %d on: the header was on disk", path, i)
					}
				}
			}
		})
	}
}

// Without the salt, stale bytes are taken for records: else the proof above would prove nothing.
func TestTheSaltIsNeeded(t *testing.T) {
	t.Parallel()
	unsalted := func(what string) (map[string][]byte, map[uint64]string) {
		config := small(newSimFS())
		config.random = bytes.NewReader(make([]byte, 1<<10))
		return writtenAs(t, what, config)
	}
	files, records := unsalted("record")
	others, _ := unsalted("phanto")
	path := segmentsOf(files)[0]
	phantoms := 0
	for i := range len(files[path]) {
		damaged := map[string][]byte{}
		maps.Copy(damaged, files)
		damaged[path] = append(bytes.Clone(files[path][:i]), others[path][i:]...)
		if _, err := judge(damaged, records); err != nil {
			require.ErrorContains(t, err, "is a phantom")
			phantoms++
		}
	}
	require.Positive(t, phantoms)
}

// Where the oldest segment is gone, it is what a required reader has not got that is lost; without one nobody misses it.
func TestTheOldestSegmentIsGone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		kind     Kind
		commit   int
		from, to uint64 // 0: to the end of the first segment
	}{
		"required":              {Required, 2, 3, 0},
		"required, at its end":  {Required, 0, 1, 0},
		"best effort":           {BestEffort, 2, 0, 0},
		"required, and it left": {Required, 40, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSimFS()
			config := small(s)
			config.Retention = time.Hour // or a segment that the reader has passed would be gone already
			j, err := Open(config)
			require.NoError(t, err)
			r, err := j.Reader("a", tc.kind)
			require.NoError(t, err)
			fill(t, j, 40)
			if tc.commit > 0 {
				require.NoError(t, r.Commit(take(t, r, tc.commit)))
			}
			r.Close()
			require.NoError(t, j.Close())
			files := s.contents("/var/audit")
			paths := segmentsOf(files)
			delete(files, paths[0])
			for _, look := range []func(FS) Status{
				func(fs FS) Status { return open(t, small(fs)).Status() },
				func(fs FS) Status {
					v, err := Look(fs, "/var/audit")
					require.NoError(t, err)
					return v.Status()
				},
			} {
				status := look(diskOf(files))
				require.Greater(t, status.First, uint64(1))
				var want []Damage
				if tc.from > 0 {
					want = []Damage{{Segment: 2, From: tc.from, To: status.First - 1}}
				}
				for i := range status.Damage {
					status.Damage[i].Quarantine = "" // who only looks makes none
				}
				require.Equal(t, want, status.Damage)
			}
		})
	}
}

// A loss that has left no bytes stays reported when all that is left was delivered, and removed, until somebody moves the note
// of it away.
func TestALossIsReportedBehindItsDelivery(t *testing.T) {
	t.Parallel()
	files, _ := blocks(t)
	paths := segmentsOf(files)
	lost := files[paths[1]]
	h, _, err := decodeHeader(lost)
	require.NoError(t, err)
	next, _, err := decodeHeader(files[paths[2]])
	require.NoError(t, err)
	for name, damaged := range map[string]func(map[string][]byte){
		"gone":  func(files map[string][]byte) { delete(files, paths[1]) },
		"empty": func(files map[string][]byte) { files[paths[1]] = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				left := maps.Clone(files)
				damaged(left)
				s := diskOf(left)
				j, err := Open(small(s))
				require.NoError(t, err)
				r, err := j.Reader("a", Required)
				require.NoError(t, err)
				status := j.Status()
				require.Equal(t, next.first-h.first, status.Lost())
				require.NoError(t, r.Commit(take(t, r, int(status.Last-status.Lost()))))
				synctest.Wait()
				r.Close()
				require.NoError(t, j.Close())
				require.Len(t, segmentsOf(s.contents("/var/audit")), 1)

				j, err = Open(small(s))
				require.NoError(t, err)
				again := j.Status()
				require.Equal(t, status.Damage[0].From, again.Damage[0].From)
				require.Equal(t, status.Lost(), again.Lost())
				require.NoError(t, j.Close())
				view, err := Look(s, "/var/audit")
				require.NoError(t, err)
				again = view.Status()
				require.Equal(t, status.Lost(), again.Lost())
				require.NoError(t, s.Remove(again.Damage[0].Quarantine))
				view, err = Look(s, "/var/audit")
				require.NoError(t, err)
				again = view.Status()
				require.Zero(t, again.Lost())
			})
		})
	}
}

// A name that no journal comes to is not one of its files.
func TestForeignNames(t *testing.T) {
	t.Parallel()
	files, records := written(t)
	files["/var/audit/ffffffffffffffff.segment"] = nil
	files["/var/audit/upload.tmp"] = []byte("precious")
	s := diskOf(files)
	j := open(t, small(s))
	require.Empty(t, j.Status().Damage)
	numbers, _ := contentsOf(t, j)
	require.Len(t, numbers, len(records))
	require.True(t, s.has("/var/audit/ffffffffffffffff.segment"))
	require.True(t, s.has("/var/audit/upload.tmp"))
}

// What a best-effort reader has missed is no damage once it is required.
func TestABestEffortReaderBecomesRequired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := small(newSimFS())
		j, err := Open(config)
		require.NoError(t, err)
		lazy, err := j.Reader("lazy", BestEffort)
		require.NoError(t, err)
		r, err := j.Reader("a", Required)
		require.NoError(t, err)
		fill(t, j, 60)
		require.NoError(t, r.Commit(take(t, r, 50)))
		synctest.Wait()
		lazy.Close()
		r.Close()
		oldest := j.Status().First
		require.Greater(t, oldest, uint64(1))
		lazy, err = j.Reader("lazy", Required)
		require.NoError(t, err)
		require.Equal(t, oldest-1, lazy.Missed())
		records, err := lazy.Next(t.Context(), 1, 1)
		require.NoError(t, err)
		require.Equal(t, oldest, records[0].Seq)
		lazy.Close()
		require.NoError(t, j.Close())
		j, err = Open(config)
		require.NoError(t, err)
		require.Empty(t, j.Status().Damage)
		require.NoError(t, j.Close())
	})
}

// A whole segment that somebody removed is reported, unless it is the last one, of which nobody knows.
func TestASegmentIsGone(t *testing.T) {
	t.Parallel()
	files, records := written(t)
	for n, path := range segmentsOf(files) {
		if n == 0 || n == len(segmentsOf(files))-1 {
			continue
		}
		left := map[string][]byte{}
		for p, b := range files {
			if p != path {
				left[p] = b
			}
		}
		v, err := judge(left, records)
		require.NoError(t, err)
		require.Positive(t, v.lost)
		require.True(t, v.reported)
	}
}

// Damage and torn tails are copied before anything else happens, and Open goes on behind them.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	files, records := written(t)
	paths := segmentsOf(files)
	first, last := files[paths[0]], files[paths[len(paths)-1]]
	first[dataStart+frameHeaderSize] ^= 1 // the first record's first byte
	torn := []byte("half a frame")
	files[paths[len(paths)-1]] = append(bytes.TrimRight(last, "\x00"), append(make([]byte, 64), torn...)...)
	s := diskOf(files)
	j := open(t, small(s))
	status := j.Status()
	require.Len(t, status.Damage, 1)
	require.Equal(t, uint64(1), status.Lost())
	require.Equal(t, uint64(1), status.Damage[0].From)
	quarantine := s.contents("/var/audit/quarantine")
	require.Equal(t, first[status.Damage[0].Offset:][:status.Damage[0].Bytes], quarantine[status.Damage[0].Quarantine])
	require.Len(t, status.Torn, 1)
	require.True(t, bytes.HasSuffix(quarantine[status.Torn[0].Quarantine], torn))
	numbers, _ := contentsOf(t, j)
	require.Len(t, numbers, len(records)-1)
	next, err := j.Append(context.Background(), []byte("goes on"))
	require.NoError(t, err)
	require.Equal(t, uint64(len(records)+1), next)
}

// flips returns what to flip in the byte at i: one bit, or all kinds in the long form.
func flips(i int) []byte {
	if long() {
		return []byte{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff}
	}
	return []byte{1 << (i % 8)}
}

// A commit vouches for the records that were there when it was written, and for no others: not for one that was put in place of
// another, whole in itself, with the same number and length.
func TestACommitVouchesForItsRecordsOnly(t *testing.T) {
	t.Parallel()
	s := newSimFS()
	j, err := Open(small(s))
	require.NoError(t, err)
	_, err = j.Append(context.Background(), []byte("first"), []byte("other"))
	require.NoError(t, err)
	files := s.contents("/var/audit") // before the mark of Close
	require.NoError(t, j.Close())
	path := segmentsOf(files)[0]
	for i, off := range []int{dataStart, dataStart + frameSize(5)} {
		b := bytes.Clone(files[path])
		h, _, err := decodeHeader(b)
		require.NoError(t, err)
		f, ok := decodeFrame(b[off:], h.seed())
		require.True(t, ok)
		phantom := []byte("ghost")
		copy(b[off+frameHeaderSize:], phantom)
		openFrame(b[off:], recordFrame, len(phantom), checksum(phantom))
		closeFrame(b[off:], f.seq, h.seed())
		again := open(t, small(diskOf(map[string][]byte{path: b})))
		_, records := contentsOf(t, again)
		require.Empty(t, records, "record %d", i+1)
		require.Len(t, again.Status().Torn, 1)
	}
}
