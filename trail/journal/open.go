package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const lockName = "lock"

// Open opens the journal in a directory, which it makes where it is missing, and recovers what is in it: it reads all of it
// once. ErrLocked says that somebody else has it open. Bytes that are wrong, or that the disk cannot read, do not keep
// it from opening: see Status. Only where the disk cannot read the end of the newest segment Open fails rather than guess.
func Open(config Config) (*Journal, error) {
	config.setDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	j := &Journal{
		config:  config,
		fs:      config.FS,
		dir:     config.Dir,
		epoch:   time.Now(),
		wake:    make(chan struct{}, 1),
		kick:    make(chan struct{}, 1),
		space:   make(chan struct{}, 1),
		ended:   make(chan struct{}),
		open:    newGroup(),
		idle:    newGroup(),
		cursors: map[string]*cursor{},
	}
	if err := j.lockDir(); err != nil {
		return nil, err
	}
	if err := j.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: open %s: %w", j.dir, err), j.release())
	}
	j.start()
	return j, nil
}

func (j *Journal) lockDir() error {
	var err error
	if j.config.NoAppend {
		_, err = j.fs.List(j.dir)
	} else {
		err = makeDir(j.fs, j.dir)
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	lock, err := j.fs.Lock(filepath.Join(j.dir, lockName))
	if err != nil {
		return fmt.Errorf("%w: %s", err, j.dir)
	}
	j.lock = lock
	return nil
}

// makeDir makes a directory and those above it. Each is on disk before the next is made in it; so is one that is there already,
// because whoever made it may have been killed before it was.
func makeDir(f FS, dir string) error {
	parent := filepath.Dir(dir)
	_, err := f.List(dir)
	if err == nil {
		if err = f.SyncDir(parent); isForeign(err) {
			return nil
		}
		return err
	}
	if !errors.Is(err, fs.ErrNotExist) || parent == dir {
		return err
	}
	if err := makeDir(f, parent); err != nil {
		return err
	}
	if err := f.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return f.SyncDir(parent)
}

// isForeign reports whether err says that a directory cannot be synced because it is not this process's to change, or is no
// ordinary one: then somebody else has made what is in it.
func isForeign(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EINVAL)
}

// recover reads the directory and begins a new segment, which supersedes whatever a dead process's last write may still bring
// to the old ones.
func (j *Journal) recover() error {
	state, err := readDir(j.fs, j.dir, false, j.config.mutation)
	if err != nil {
		return err
	}
	for _, name := range state.temporary {
		if err := j.fs.Remove(filepath.Join(j.dir, name)); err != nil {
			return err
		}
	}
	j.cursors, j.segments = state.cursors, state.segments
	j.damage, j.noted, j.torn = state.damage, state.noted, state.torn
	if state.unread != nil {
		j.note(fmt.Errorf("journal: quarantine: %w", state.unread))
	}
	j.next, j.number = state.next, state.number
	j.synced, j.marked = state.next-1, min(state.mark, state.next-1)
	j.void = len(j.segments) > 0
	j.quarantine()
	for _, s := range j.segments {
		if end := state.ends[s]; end < s.size && !j.config.NoAppend {
			j.retired = append(j.retired, &tail{segment: s, end: end})
		}
	}
	if j.config.mutation == trustMemory {
		j.marked = j.synced
		return j.secure()
	}
	if err := j.secureCursors(); isFull(err) {
		j.note(err) // what they show was delivered, should one fall back
	} else if err != nil {
		return err
	}
	return j.secure()
}

// start lets the writer and the keeper run.
func (j *Journal) start() {
	j.pool.New = func() any { return make(chan answer, 1) }
	j.expiry = time.AfterFunc(time.Hour, j.expire)
	j.expiry.Stop()
	j.idling = time.AfterFunc(j.config.IdleMark, j.mark)
	j.holding = time.AfterFunc(time.Hour, func() { notify(j.kick) })
	j.holding.Stop()
	writer, keeper := make(chan struct{}), make(chan struct{})
	go func() { defer close(writer); j.write() }()
	go func() { defer close(keeper); j.keep() }()
	go func() {
		<-writer
		notify(j.kick)
		<-keeper
		j.busy.Wait()
		j.expiry.Stop()
		j.idling.Stop()
		j.holding.Stop()
		_ = j.release() // all of it is synced
		close(j.ended)
	}()
	notify(j.kick)
}

// release closes what the journal holds open, and the lock last.
func (j *Journal) release() (err error) {
	j.mu.Lock()
	cursors, retired, spare := slices.Collect(maps.Values(j.cursors)), j.retired, j.spare
	j.retired, j.spare = nil, nil
	cursors = slices.DeleteFunc(cursors, func(c *cursor) bool { return c.reader != nil })
	j.mu.Unlock()
	for _, c := range cursors {
		c.close()
	}
	for _, t := range retired {
		t.close()
	}
	if j.active != nil {
		err = j.active.file.Close()
		j.active = nil
	}
	if spare != nil {
		err = errors.Join(err, spare.file.Close())
		j.removeTemporary(spare.path)
	}
	if !j.keepLock.CompareAndSwap(true, false) {
		err = errors.Join(err, j.lock.Close())
	}
	return err
}
