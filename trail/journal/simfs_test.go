package journal

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// simFS is a file system in memory that keeps apart what was written and what is on disk, and can lose the difference. Disk
// state is what a strict reading of POSIX promises: file contents after Sync, names after SyncDir, nothing else.
type simFS struct {
	mu      sync.Mutex
	nodes   map[string]*simNode // by path, as the running process sees it
	durable map[string]*simNode // by path, as a crash leaves it
	pending []simRename         // changes of names since their directory was synced
	locks   map[*simNode]*simFile

	ops     int // operations so far
	crashAt int // the operation that the power fails at; 0: none
	crashed bool
	quota   int64 // bytes that files may occupy; 0: any

	// fault may answer an operation with an error instead of its doing, or wait. It is called without the lock.
	fault func(op, path string) error
	// unreadable says that the disk cannot read some of the n bytes at off.
	unreadable func(path string, off int64, n int) bool
	// forget says that Sync of path tells the truth about nothing: a mutation.
	forgetSync, forgetSyncDir func(path string) bool
}

type simNode struct {
	dir     bool
	data    []byte
	synced  []byte
	written []simWrite // since the last sync, oldest first
	doomed  []simWrite // written before a sync that failed: no later sync brings them to disk, though chance may
}

// simWrite is a write or, with data nil, a change of the length.
type simWrite struct {
	off  int64
	data []byte
	size int64
}

type simRename struct {
	dir, path string
	node      *simNode // nil: the name goes
}

const sector = 512

var errPower = errors.New("simfs: the power is gone")

func newSimFS() *simFS {
	root := &simNode{dir: true}
	return &simFS{
		nodes:   map[string]*simNode{"/": root},
		durable: map[string]*simNode{"/": root},
		locks:   map[*simNode]*simFile{},
	}
}

// step counts an operation. Called with mu held.
func (s *simFS) step() error {
	if s.crashed {
		return errPower
	}
	s.ops++
	if s.ops == s.crashAt {
		s.crashed = true
	}
	return nil
}

func (s *simFS) do(op, path string, f func() error) error {
	if err := s.faulty(op, path); err != nil && !errors.Is(err, errShort) {
		return &fs.PathError{Op: op, Path: path, Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.step(); err != nil {
		return err
	}
	if err := f(); err != nil {
		return &fs.PathError{Op: op, Path: path, Err: err}
	}
	if s.crashed { // it has happened, but nobody hears of it
		return errPower
	}
	return nil
}

// parent checks that a path's directory is there. Called with mu held.
func (s *simFS) parent(path string) error {
	if d := s.nodes[filepath.Dir(path)]; d == nil || !d.dir {
		return fs.ErrNotExist
	}
	return nil
}

func (s *simFS) name(path string, n *simNode) {
	if n == nil {
		delete(s.nodes, path)
	} else {
		s.nodes[path] = n
	}
	s.pending = append(s.pending, simRename{filepath.Dir(path), path, n})
}

func (s *simFS) Mkdir(path string) error {
	return s.do("mkdir", path, func() error {
		if s.nodes[path] != nil {
			return fs.ErrExist
		}
		if err := s.parent(path); err != nil {
			return err
		}
		s.name(path, &simNode{dir: true})
		return nil
	})
}

func (s *simFS) OpenFile(path string, flag int) (File, error) {
	f := &simFile{fs: s, path: path}
	err := s.do("open", path, func() error {
		f.node = s.nodes[path]
		switch {
		case f.node == nil && flag&os.O_CREATE == 0:
			return fs.ErrNotExist
		case f.node == nil:
			if err := s.parent(path); err != nil {
				return err
			}
			f.node = &simNode{}
			s.name(path, f.node)
		case flag&os.O_TRUNC != 0:
			f.node.resize(0)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (s *simFS) Rename(from, to string) error {
	return s.do("rename", to, func() error {
		n := s.nodes[from]
		if n == nil {
			return fs.ErrNotExist
		}
		s.name(to, n)
		s.name(from, nil)
		return nil
	})
}

func (s *simFS) Remove(path string) error {
	return s.do("remove", path, func() error {
		if s.nodes[path] == nil {
			return fs.ErrNotExist
		}
		for other := range s.nodes {
			if strings.HasPrefix(other, path+"/") {
				return syscall.ENOTEMPTY
			}
		}
		s.name(path, nil)
		return nil
	})
}

func (s *simFS) List(dir string) ([]string, error) {
	var names []string
	err := s.do("list", dir, func() error {
		if s.nodes[dir] == nil {
			return fs.ErrNotExist
		}
		for path := range s.nodes {
			if path != dir && filepath.Dir(path) == dir {
				names = append(names, filepath.Base(path))
			}
		}
		slices.Sort(names)
		return nil
	})
	return names, err
}

func (s *simFS) SyncDir(dir string) error {
	return s.do("syncdir", dir, func() error {
		if s.nodes[dir] == nil {
			return fs.ErrNotExist
		}
		if s.crashed || s.forgetSyncDir != nil && s.forgetSyncDir(dir) {
			return nil
		}
		rest := s.pending[:0]
		for _, r := range s.pending {
			if r.dir == dir {
				s.settle(r)
			} else {
				rest = append(rest, r)
			}
		}
		s.pending = rest
		return nil
	})
}

// settle makes a change of a name durable. Called with mu held.
func (s *simFS) settle(r simRename) {
	if r.node == nil {
		delete(s.durable, r.path)
	} else {
		s.durable[r.path] = r.node
	}
}

func (s *simFS) Same(path string, f File) (bool, error) {
	same := false
	err := s.do("same", path, func() error {
		same = s.nodes[path] == f.(*simFile).node
		return nil
	})
	return same, err
}

func (s *simFS) Lock(path string) (File, error) {
	f, err := s.OpenFile(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks[f.(*simFile).node] != nil {
		return nil, ErrLocked
	}
	s.locks[f.(*simFile).node] = f.(*simFile)
	return f, nil
}

// has reports whether there is a file or directory.
func (s *simFS) has(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodes[path] != nil
}

// removeAll is what an operator does to a directory.
func (s *simFS) removeAll(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path := range s.nodes {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			delete(s.nodes, path)
			delete(s.durable, path)
		}
	}
}

// loss says what a crash takes of what was not synced.
type loss uint8

const (
	loseAll  loss = iota // nothing that was not synced is there
	loseNone             // all of it is there
	loseSome             // each sector of each write, and each name, by chance
	loseLast             // the last write of a file is torn at a sector, what was before it is there
	loseEarly
	losses
)

// crash returns what the disk holds after the power fails now, for a new process.
func (s *simFS) crash(how loss, random *rand.Rand) *simFS {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.crashed = true
	after := newSimFS()
	names := map[string]*simNode{}
	maps.Copy(names, s.durable)
	for _, r := range s.pending {
		if how == loseAll || (how == loseSome || how == loseEarly) && random.IntN(2) == 0 {
			continue
		}
		if r.node == nil {
			delete(names, r.path)
		} else {
			names[r.path] = r.node
		}
	}
	left := map[*simNode]*simNode{}
	for _, path := range sortedKeys(names) {
		if path == "/" {
			continue
		}
		n := names[path]
		if left[n] == nil {
			data := n.survivors(how, random)
			left[n] = &simNode{dir: n.dir, data: data, synced: slices.Clone(data)}
		}
		after.nodes[path], after.durable[path] = left[n], left[n]
	}
	for path := range after.nodes { // a directory that was lost takes along what was in it
		for dir := filepath.Dir(path); dir != "/"; dir = filepath.Dir(dir) {
			if after.nodes[dir] == nil {
				delete(after.nodes, path)
				delete(after.durable, path)
			}
		}
	}
	after.quota = s.quota
	return after
}

// kill returns what the next process finds after this one was killed: all that it wrote is there, and no more of it is on disk
// than was.
func (s *simFS) kill() *simFS {
	s.mu.Lock()
	defer s.mu.Unlock()
	after := newSimFS()
	copies := map[*simNode]*simNode{}
	of := func(n *simNode) *simNode {
		if n == nil {
			return nil
		}
		if copies[n] == nil {
			copies[n] = &simNode{
				dir: n.dir, data: slices.Clone(n.data), synced: slices.Clone(n.synced),
				written: slices.Clone(n.written), doomed: slices.Clone(n.doomed),
			}
		}
		return copies[n]
	}
	for path, n := range s.nodes {
		after.nodes[path] = of(n)
	}
	for path, n := range s.durable {
		after.durable[path] = of(n)
	}
	for _, r := range s.pending {
		after.pending = append(after.pending, simRename{r.dir, r.path, of(r.node)})
	}
	after.quota, after.forgetSync, after.forgetSyncDir = s.quota, s.forgetSync, s.forgetSyncDir
	return after
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// survivors returns a file's bytes after a crash.
func (n *simNode) survivors(how loss, random *rand.Rand) []byte {
	data := slices.Clone(n.synced)
	written := slices.Concat(n.doomed, n.written)
	for i, w := range written {
		last := i == len(written)-1
		switch {
		case how == loseAll:
			continue
		case w.data == nil:
			if how == loseNone || random.IntN(2) == 0 {
				data = resized(data, w.size)
			}
			continue
		}
		for off := int64(0); off < int64(len(w.data)); {
			next := min((w.off+off)/sector*sector+sector-w.off, int64(len(w.data)))
			keep := how == loseNone || how == loseSome && random.IntN(2) == 0 ||
				how == loseLast && (!last || random.IntN(4) > 0) ||
				how == loseEarly && off > 0 // the first sectors are lost, what is behind them is not
			if keep {
				data = resized(data, max(int64(len(data)), w.off+next))
				copy(data[w.off+off:], w.data[off:next])
			}
			off = next
		}
	}
	return data
}

func resized(b []byte, size int64) []byte {
	if int64(len(b)) >= size {
		return b[:size:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func (n *simNode) resize(size int64) {
	n.data = resized(n.data, size)
	n.written = append(n.written, simWrite{size: size})
}

// simFile is an open file of a simFS.
type simFile struct {
	fs   *simFS
	path string
	node *simNode
}

// errShort makes a write stop halfway.
var errShort = errors.New("simfs: short write")

func (f *simFile) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.fs.do("read", f.path, func() error {
		if f.fs.unreadable != nil && f.fs.unreadable(f.path, off, len(p)) {
			return syscall.EIO
		}
		if off < int64(len(f.node.data)) {
			n = copy(p, f.node.data[off:])
		}
		return nil
	})
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (f *simFile) WriteAt(p []byte, off int64) (n int, err error) {
	short := false
	if err := f.fs.faulty("write", f.path); errors.Is(err, errShort) {
		short = true
	} else if err != nil {
		return 0, &fs.PathError{Op: "write", Path: f.path, Err: err}
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step(); err != nil {
		return 0, err
	}
	if short {
		p = p[:len(p)/2]
	}
	if grown := off + int64(len(p)) - int64(len(f.node.data)); grown > 0 {
		if f.fs.quota > 0 && f.fs.used()+grown > f.fs.quota {
			return 0, &fs.PathError{Op: "write", Path: f.path, Err: syscall.ENOSPC}
		}
		f.node.data = resized(f.node.data, off+int64(len(p)))
	}
	copy(f.node.data[off:], p)
	f.node.written = append(f.node.written, simWrite{off: off, data: slices.Clone(p)})
	switch {
	case f.fs.crashed:
		return 0, errPower
	case short:
		return len(p), &fs.PathError{Op: "write", Path: f.path, Err: errShort}
	}
	return len(p), nil
}

func (s *simFS) used() int64 {
	n := int64(0)
	for _, node := range s.nodes {
		n += int64(len(node.data))
	}
	return n
}

func (f *simFile) Sync() error {
	fault := f.fs.faulty("sync", f.path)
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step(); err != nil {
		return err
	}
	n := f.node
	switch {
	case fault != nil: // as Linux does it: the pages are clean now, and were never written
		n.doomed, n.written = append(n.doomed, n.written...), nil
		return &fs.PathError{Op: "sync", Path: f.path, Err: fault}
	case f.fs.crashed:
		return errPower
	case f.fs.forgetSync != nil && f.fs.forgetSync(f.path):
		return nil
	}
	for _, w := range n.written {
		n.synced = w.apply(n.synced)
	}
	n.written = nil
	return nil
}

// apply does a whole write to b.
func (w *simWrite) apply(b []byte) []byte {
	if w.data == nil {
		return resized(b, w.size)
	}
	b = resized(b, max(int64(len(b)), w.off+int64(len(w.data))))
	copy(b[w.off:], w.data)
	return b
}

func (f *simFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.node.data)), nil
}

func (f *simFile) Truncate(size int64) error {
	return f.fs.do("truncate", f.path, func() error {
		f.node.resize(size)
		return nil
	})
}

func (f *simFile) Allocate(size int64) error {
	return f.fs.do("allocate", f.path, func() error {
		if grown := size - int64(len(f.node.data)); grown > 0 {
			if f.fs.quota > 0 && f.fs.used()+grown > f.fs.quota {
				return syscall.ENOSPC
			}
			f.node.resize(size)
		}
		return nil
	})
}

func (f *simFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.fs.locks[f.node] == f {
		delete(f.fs.locks, f.node)
	}
	return nil
}

// setFault changes the fault while others use the file system.
func (s *simFS) setFault(f func(op, path string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

func (s *simFS) faulty(op, path string) error {
	s.mu.Lock()
	f := s.fault
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(op, path)
}

func (s *simFS) setQuota(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quota = n
}

// revive ends a power failure that was only looked at.
func (s *simFS) revive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.crashed = false
}

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }
