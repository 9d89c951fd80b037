//go:build unix

package torture

import (
	"errors"
	"io"
	"math/rand/v2"
	"sync"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

const sector = 512

// inode is what all who have a file open share of it.
type inode struct {
	mu      sync.Mutex // guards all below
	path    string
	pending []pendingWrite // not synced yet, oldest first; of a forgetful file system only
}

type pendingWrite struct {
	off  int64
	data []byte
}

func (w pendingWrite) end() int64 { return w.off + int64(len(w.data)) }

func (i *inode) moved(to string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.path = to
}

func (i *inode) where() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.path
}

// tear writes some sectors of what is pending, and none twice in another order than they were written in.
func (i *inode) tear(f journal.File, random *rand.Rand) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, w := range i.pending {
		for off := w.off; off < w.end(); {
			next := min((off/sector+1)*sector, w.end())
			if random.IntN(2) == 0 {
				_, _ = f.WriteAt(w.data[off-w.off:next-w.off], off)
			}
			off = next
		}
	}
}

// tortureFile is an open file of a tortureFS.
type tortureFile struct {
	journal.File
	fs    *tortureFS
	inode *inode
}

func (f *tortureFile) operate(op string, do func() error) error {
	return f.fs.operate(f.inode.where(), op, do)
}

func (f *tortureFile) WriteAt(b []byte, off int64) (n int, err error) {
	writing := fileKind(f.inode.where()) + ".write."
	if p := point(writing + "torn"); f.fs.fuse.at == p && f.fs.fuse.burns() {
		_, _ = f.File.WriteAt(b[:len(b)/2], off)
		f.fs.fuse.kill(p)
	}
	if p := point(writing + "late"); f.fs.fuse.at == p && f.fs.fuse.burns() {
		f.fs.hang(lateCursors)
		f.fs.fuse.kill(p)
	}
	err = f.operate("write", func() error {
		if !f.fs.forgetful {
			n, err = f.File.WriteAt(b, off)
			return err
		}
		f.inode.mu.Lock()
		defer f.inode.mu.Unlock()
		f.inode.pending = append(f.inode.pending, pendingWrite{off, append([]byte(nil), b...)})
		n = len(b)
		return nil
	})
	return n, err
}

func (f *tortureFile) Sync() error {
	if isOrdered(f.inode.where()) {
		defer func() {
			select {
			case f.fs.cursors <- struct{}{}:
			default:
			}
		}()
	}
	return f.operate("sync", func() error {
		if !f.fs.forgetful {
			return f.File.Sync()
		}
		f.inode.mu.Lock()
		defer f.inode.mu.Unlock()
		for _, w := range f.inode.pending {
			if _, err := f.File.WriteAt(w.data, w.off); err != nil {
				return err
			}
		}
		f.inode.pending = nil
		return nil
	})
}

func (f *tortureFile) Size() (int64, error) {
	size, err := f.File.Size()
	f.inode.mu.Lock()
	defer f.inode.mu.Unlock()
	for _, w := range f.inode.pending {
		size = max(size, w.end())
	}
	return size, err
}

// ReadAt reads what was written, also what is not synced: so does a kernel.
func (f *tortureFile) ReadAt(b []byte, off int64) (int, error) {
	if !f.fs.forgetful {
		return f.File.ReadAt(b, off)
	}
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	whole := b
	b = b[:max(0, min(int64(len(b)), size-off))]
	n, err := f.File.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, err
	}
	clear(b[n:])
	f.inode.mu.Lock()
	defer f.inode.mu.Unlock()
	for _, w := range f.inode.pending {
		if from, to := max(off, w.off), min(off+int64(len(b)), w.end()); from < to {
			copy(b[from-off:to-off], w.data[from-w.off:])
		}
	}
	if len(b) < len(whole) {
		return len(b), io.EOF
	}
	return len(b), nil
}

// Truncate drops what is pending behind the new end.
func (f *tortureFile) Truncate(size int64) error {
	f.inode.mu.Lock()
	defer f.inode.mu.Unlock()
	kept := f.inode.pending[:0]
	for _, w := range f.inode.pending {
		if w.off < size {
			kept = append(kept, pendingWrite{w.off, w.data[:min(int64(len(w.data)), size-w.off)]})
		}
	}
	f.inode.pending = kept
	return f.File.Truncate(size)
}
