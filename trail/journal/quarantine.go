package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// quarantineName is the directory that keeps copies of damaged and torn bytes, and notes of what was lost without leaving any. The
// journal removes nothing from it.
const quarantineName = "quarantine"

// quarantine copies what recovery found damaged or torn, so that it stays when its segment goes.
func (j *Journal) quarantine() {
	for i := range j.damage {
		j.quarantineDamage(&j.damage[i])
		j.lose(j.damage[i])
	}
	_ = j.noteLosses() // the keeper tries again
	for i := range j.torn {
		t := &j.torn[i]
		t.Quarantine = j.keepCopy(t.Segment, t.Offset, t.Bytes, "torn")
	}
}

func (j *Journal) quarantineDamage(d *Damage) {
	if d.Bytes > 0 && !j.view {
		d.Quarantine = j.keepCopy(d.Segment, d.Offset, d.Bytes, "damaged")
	}
}

// keepCopy copies bytes of a segment and returns the copy's path. Where it cannot, the segment itself is kept.
func (j *Journal) keepCopy(number uint64, off, n int64, what string) string {
	path := filepath.Join(j.dir, quarantineName, fmt.Sprintf("%016x-%08x-%x.%s", number, off, n, what))
	err := j.copyOut(number, off, n, path)
	if err == nil {
		return path
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failed(fmt.Errorf("journal: quarantine: %w", err))
	for _, s := range j.segments {
		if s.header.number == number {
			s.keep = true
		}
	}
	return ""
}

// copyOut copies bytes of a segment to path, unless an earlier Open has.
func (j *Journal) copyOut(number uint64, off, n int64, path string) error {
	if err := j.owns(); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := makeDir(j.fs, dir); err != nil {
		return err
	}
	f, err := j.fs.OpenFile(path, os.O_RDONLY)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b, err := readFile(j.fs, segmentPath(j.dir, number), 0)
	if err != nil {
		return err
	}
	end := int64(len(b))
	return j.writeFile(dir, path, b[min(off, end):min(off+n, end)])
}

// writeFile makes a file that is there with all of b, or not at all.
func (j *Journal) writeFile(dir, path string, b []byte) error {
	f, err := j.fs.OpenFile(path+temporarySuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := j.fs.Rename(path+temporarySuffix, path); err != nil {
		return err
	}
	return j.fs.SyncDir(dir)
}
