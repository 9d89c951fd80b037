package journal

import (
	"errors"
	"io/fs"
	"os"
)

// OS is the operating system's file system. It must be a local one: network file systems promise less of fsync and flock
// than the journal needs.
func OS() FS { return osFS{} }

type osFS struct{}

var _ FS = osFS{}

func (osFS) Mkdir(path string) error      { return os.Mkdir(path, 0o700) }
func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) Remove(path string) error     { return os.Remove(path) }

func (osFS) OpenFile(path string, flag int) (File, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	is, err := identify(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &osFile{File: f, is: is}, nil
}

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (osFS) Same(path string, f File) (bool, error) {
	there, err := identifyPath(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	of, ok := f.(*osFile)
	return ok && there.same(of.is), nil
}

func (o osFS) Lock(path string) (File, error) {
	for {
		f, err := o.OpenFile(path, os.O_RDWR|os.O_CREATE)
		if err != nil {
			return nil, err
		}
		if err := lockFile(f.(*osFile).File); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		// Between opening and locking, the last owner may have removed the directory: then the lock is on a file that
		// nobody else will ever find.
		same, err := o.Same(path, f)
		if same && err == nil {
			f.(*osFile).locked = true
			return f, nil
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
}

// osFile is an open file of the operating system.
type osFile struct {
	*os.File
	is     identity
	locked bool // by Lock
}

func (f *osFile) Close() error {
	if f.locked {
		return errors.Join(unlockFile(f.File), f.File.Close())
	}
	return f.File.Close()
}

func (f *osFile) Sync() error               { return syncData(f.File) }
func (f *osFile) Allocate(size int64) error { return allocate(f.File, size) }

func (f *osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
