//go:build !linux

package journal

import (
	"io/fs"
	"os"
)

// syncData is what the platform's Go offers: F_FULLFSYNC on Darwin, fsync elsewhere.
func syncData(f *os.File) error { return f.Sync() }

// allocate does nothing: the file grows as it is written.
func allocate(*os.File, int64) error { return nil }

// identity tells a file from others, whatever name it has.
type identity struct{ fs.FileInfo }

func identify(f *os.File) (is identity, err error) {
	is.FileInfo, err = f.Stat()
	return is, err
}

func identifyPath(path string) (is identity, err error) {
	is.FileInfo, err = os.Lstat(path)
	return is, err
}

func (i identity) same(other identity) bool { return os.SameFile(i.FileInfo, other.FileInfo) }
