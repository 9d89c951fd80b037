package journal

import "io"

// FS is all that the journal asks of a file system, so that a test can crash it at any operation. Errors are those of package
// os: errors.Is finds fs.ErrNotExist and syscall.ENOSPC in them. Paths are as in package os. All methods may be called from
// several goroutines.
type FS interface {
	// Mkdir creates a directory for its owner only (0700).
	Mkdir(path string) error
	// OpenFile opens a file as os.OpenFile does; a new one is for its owner only (0600).
	OpenFile(path string, flag int) (File, error)
	// Rename moves a file within its directory, or into one below it, over one that is there.
	Rename(from, to string) error
	// Remove removes a file or an empty directory.
	Remove(path string) error
	// List returns the names in a directory, sorted.
	List(dir string) ([]string, error)
	// SyncDir returns after the names that were added to and removed from the directory are on disk.
	SyncDir(dir string) error
	// Same reports whether path leads to the open file f. A path that leads nowhere is not the same, and no error.
	Same(path string, f File) (bool, error)
	// Lock takes the exclusive lock on the file at path, which it creates where it is missing, without waiting. ErrLocked
	// says that somebody else holds it. Closing the file, or the end of the process, releases it.
	Lock(path string) (File, error)
}

// File is an open file. ReadAt may be called while another goroutine calls WriteAt.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync returns after all that was written, and the size, is on disk. Its directory entry may not be: see FS.SyncDir.
	Sync() error
	// Size returns the file's length in bytes.
	Size() (int64, error)
	// Truncate sets the file's length in bytes.
	Truncate(size int64) error
	// Allocate reserves disk space for the first size bytes and makes the file that long, with zeros, where the file
	// system can; elsewhere it does nothing.
	Allocate(size int64) error
}
