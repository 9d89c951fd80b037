package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// spare is a file that will become a segment: as long as one, and filled with zeros, because a write into space that was
// written before needs no change of the file system's own tables, and its fsync is faster for it.
type spare struct {
	path string
	file File
}

const sparePrefix = "spare-"

// tail is the unused end of a segment that the writer has left.
type tail struct {
	segment *segment
	end     int64
	file    File // nil where it must be opened
}

func (t *tail) close() {
	if t.file != nil {
		_ = t.file.Close() // all of it is synced
	}
}

// zeros is what a spare segment is filled with, step by step.
var zeros [1 << 20]byte

// How often a writer that waits for space looks whether there is some.
const spacePause = 100 * time.Millisecond

// keep notes losses, removes segments that nobody needs and prepares the next one, until the journal closes. It alone removes them.
func (j *Journal) keep() {
	for {
		<-j.kick
		closing := j.isClosing()
		j.trim()
		if err := j.noteLosses(); err == nil || isFull(err) { // what shows them goes afterwards; but on a full disk, it makes room
			j.reclaim()
		}
		_ = j.noteLosses()
		if closing {
			return
		}
		j.prepareSpare()
	}
}

// trim gives back the unused ends of segments. They are zero, so it does not matter when that reaches the disk.
func (j *Journal) trim() {
	j.mu.Lock()
	retired := j.retired
	j.retired = nil
	j.mu.Unlock()
	for _, t := range retired {
		if t.file == nil {
			if j.owns() != nil {
				continue
			}
			f, err := j.fs.OpenFile(t.segment.path, os.O_RDWR)
			if err != nil {
				continue // it costs space
			}
			t.file = f
		}
		if t.file.Truncate(t.end) == nil {
			j.mu.Lock()
			t.segment.size = t.end
			j.mu.Unlock()
		}
		t.close()
	}
}

// prepareSpare makes the file of the next segment.
func (j *Journal) prepareSpare() {
	j.mu.Lock()
	needless := j.spare != nil || j.config.NoAppend || j.stalled != nil
	j.spares++ // the writer may not have renamed the last one yet
	path := filepath.Join(j.dir, fmt.Sprintf("%s%x%s", sparePrefix, j.spares, temporarySuffix))
	j.mu.Unlock()
	if needless || j.owns() != nil {
		return
	}
	f, err := j.fs.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return // the writer will meet the same fault, and report it
	}
	if !j.fill(f) {
		_ = f.Close() // a spare is a comfort: the writer does without
		j.removeTemporary(path)
		return
	}
	j.mu.Lock()
	j.spare = &spare{path: path, file: f}
	j.mu.Unlock()
}

// removeTemporary removes a file that has not become anything. Where that fails, the next Open does.
func (j *Journal) removeTemporary(path string) {
	if j.owns() == nil {
		_ = j.fs.Remove(path)
	}
}

// fill reserves a segment's space and zeroes it. It reports whether it got to the end.
func (j *Journal) fill(f File) bool {
	size := j.config.SegmentBytes
	if f.Allocate(size) != nil {
		return false
	}
	for off := int64(0); off < size; off += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-off)], off); err != nil {
			return false
		}
		if f.Sync() != nil { // in steps: the writer's fsyncs must not wait for all of it
			return false
		}
		j.mu.Lock()
		needless := j.closing || j.stalled != nil
		j.mu.Unlock()
		if needless {
			return false
		}
	}
	return true
}

// awaitSpace waits until there may be space again. It reports false where the journal closes.
func (j *Journal) awaitSpace(full error) bool {
	j.mu.Lock()
	j.stalled = full
	j.failed(full)
	closing, s := j.closing, j.spare
	j.spare = nil
	j.mu.Unlock()
	if closing {
		return false
	}
	if s != nil {
		_ = s.file.Close()
		j.removeTemporary(s.path)
		return true
	}
	notify(j.kick) // what may go is the keeper's to remove
	pause := time.NewTimer(spacePause)
	defer pause.Stop()
	select {
	case <-j.space:
	case <-pause.C:
	}
	return true
}
