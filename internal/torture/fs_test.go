//go:build unix

package torture

import (
	"math/rand/v2"
	"os"
	"sync"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// tortureFS is the operating system's file system with a fuse at each operation. A forgetful one keeps what is written in the
// memory of this process until it is synced, so that a kill takes what a power cut would take. It does not trouble the disk
// with fsync then: the kernel survives a kill.
type tortureFS struct {
	journal.FS
	fuse      *fuse
	forgetful bool

	mu     sync.Mutex // guards inodes
	inodes map[string]*inode

	cursors chan struct{} // one for each time that the cursor of the sink that keeps order was synced; some are dropped
}

func newTortureFS(f *fuse, forgetful bool) *tortureFS {
	return &tortureFS{FS: journal.OS(), fuse: f, forgetful: forgetful, inodes: map[string]*inode{}, cursors: make(chan struct{}, 1)}
}

// operate does something to path, between two points.
func (s *tortureFS) operate(path, op string, f func() error) error {
	what := fileKind(path) + "." + op
	s.fuse.reach(point(what + ".before"))
	err := f()
	s.fuse.reach(point(what + ".after"))
	return err
}

// hang returns when the cursor of the sink that keeps order has been synced so many times.
func (s *tortureFS) hang(times int) {
	for range times + 1 { // the first may be one of long ago
		<-s.cursors
	}
}

func (s *tortureFS) OpenFile(path string, flag int) (journal.File, error) {
	f, err := s.FS.OpenFile(path, flag)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.inodes[path]
	if i == nil || flag&os.O_TRUNC != 0 {
		i = &inode{path: path}
		s.inodes[path] = i
	}
	return &tortureFile{File: f, fs: s, inode: i}, nil
}

func (s *tortureFS) Rename(from, to string) error {
	return s.operate(to, "rename", func() error {
		err := s.FS.Rename(from, to)
		if err == nil {
			s.move(from, to)
		}
		return err
	})
}

func (s *tortureFS) move(from, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.inodes[from]; i != nil {
		delete(s.inodes, from)
		s.inodes[to] = i
		i.moved(to)
	}
}

func (s *tortureFS) Remove(path string) error {
	return s.operate(path, "remove", func() error {
		s.mu.Lock()
		delete(s.inodes, path)
		s.mu.Unlock()
		return s.FS.Remove(path)
	})
}

func (s *tortureFS) SyncDir(dir string) error {
	return s.operate(dir, "sync", func() error {
		if s.forgetful {
			return nil
		}
		return s.FS.SyncDir(dir)
	})
}

func (s *tortureFS) Same(path string, f journal.File) (bool, error) {
	if t, ok := f.(*tortureFile); ok {
		f = t.File
	}
	return s.FS.Same(path, f)
}

// crash brings some of what was not synced to the disk, sector by sector and in any order, as a disk may that loses its power.
func (s *tortureFS) crash(random *rand.Rand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path, i := range s.inodes {
		if f, err := s.FS.OpenFile(path, os.O_RDWR); err == nil {
			i.tear(f, random)
		}
	}
}
