package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// begin makes a new segment with g as its first group; an empty g gives an empty segment. The segment gets its name after all
// of that is on disk: a crash leaves the journal as it was, or with all of it.
func (j *Journal) begin(g *group, at time.Time) (err error) {
	if err := j.held(); err != nil {
		return err
	}
	j.number++ // also when this fails: a name is never used twice
	h := header{number: j.number, first: j.next, mark: j.synced, created: at}
	if j.void {
		h.supersedes = j.next
	}
	if _, err := io.ReadFull(j.config.random, h.salt[:]); err != nil {
		return fmt.Errorf("journal: salt: %w", err)
	}
	e := encoded{first: j.next, at: at}
	if g.bytes() > 0 || j.refusing() {
		e = j.encode(g, h.seed(), at, j.synced)
	}
	f, temporary, err := j.file()
	if err != nil {
		return fmt.Errorf("journal: new segment: %w", err)
	}
	path := segmentPath(j.dir, j.number)
	if err := j.place(f, temporary, path, append(h.encode(), e.bytes...)); err != nil {
		// Neither name may stay: it would hold what nobody was promised. Should a crash bring it back, the next segment
		// supersedes what is in it.
		j.void = true
		j.removeTemporary(temporary)
		away := j.owns()
		if away == nil {
			away = j.fs.Remove(path)
		}
		if away != nil && !errors.Is(away, fs.ErrNotExist) {
			j.mu.Lock()
			j.leaving = append(j.leaving, &segment{path: path, header: h}) // it must not outlive the one that supersedes it
			j.mu.Unlock()
		}
		return errors.Join(fmt.Errorf("journal: new segment: %w", err), f.Close())
	}
	size, err := f.Size()
	if err != nil {
		size = 0
	}
	s := &segment{path: path, header: h, seed: h.seed(), last: j.next - 1, size: size}
	j.mu.Lock()
	if n := len(j.segments); n > 0 {
		j.segments[n-1].next = at
	}
	j.segments = append(j.segments, s)
	j.marked = h.mark
	j.mu.Unlock()
	j.active = &active{segment: s, file: f, end: dataStart, limit: max(j.config.SegmentBytes, dataStart+int64(len(e.bytes)))}
	j.void = false
	if e.count > 0 {
		j.done(g, e)
	}
	notify(j.kick)
	return nil
}

// place brings a segment's first bytes to disk, and then its name.
func (j *Journal) place(f File, temporary, path string, b []byte) error {
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := j.owns(); err != nil {
		return err
	}
	if err := j.fs.Rename(temporary, path); err != nil {
		return err
	}
	return j.fs.SyncDir(j.dir)
}

// file returns a file for a new segment, under a temporary name: the spare one, or one with little behind it.
func (j *Journal) file() (File, string, error) {
	j.mu.Lock()
	s := j.spare
	j.spare = nil
	j.mu.Unlock()
	if s != nil {
		if same, err := j.fs.Same(s.path, s.file); err == nil && same {
			return s.file, s.path, nil
		}
		_ = s.file.Close() // the directory was removed
	}
	path := filepath.Join(j.dir, fmt.Sprintf("%016x%s", j.number, temporarySuffix))
	f, err := j.fs.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	return f, path, err
}

// retire leaves the active segment for the next one. All of it is on disk.
func (j *Journal) retire() {
	j.mu.Lock()
	j.retired = append(j.retired, &tail{segment: j.active.segment, end: j.active.end, file: j.active.file})
	j.mu.Unlock()
	j.active = nil
	notify(j.kick)
}

// abandon leaves the active segment after a failure. What the failed call may have brought to disk is not confirmed to
// anybody, and is superseded by the next segment.
func (j *Journal) abandon() {
	_ = j.active.file.Close() // it has failed already
	j.active, j.void = nil, true
}
