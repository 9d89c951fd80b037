package journal

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// syncData is fdatasync: it leaves out the times, which nobody needs after a crash, and with them a write to the file
// system's own journal. A size that has changed is written.
func syncData(f *os.File) error {
	return control(f, "fdatasync", syscall.Fdatasync)
}

// allocate is fallocate. A file system that has none lets the file grow as it is written.
func allocate(f *os.File, size int64) error {
	err := control(f, "fallocate", func(fd int) error { return syscall.Fallocate(fd, 0, 0, size) })
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return nil
	}
	return err
}

// control calls op until no signal interrupts it. An interrupted fdatasync has reported no failure, so it is not one.
func control(f *os.File, name string, op func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var opErr error
	err = raw.Control(func(fd uintptr) {
		for {
			if opErr = op(int(fd)); !errors.Is(opErr, syscall.EINTR) {
				return
			}
		}
	})
	if err == nil && opErr != nil {
		err = os.NewSyscallError(name, opErr)
	}
	return err
}

// identity tells a file from others, whatever name it has.
type identity struct{ device, inode uint64 }

func identify(f *os.File) (is identity, err error) {
	err = control(f, "statx", func(fd int) (err error) {
		is, err = statx(fd, "", unix.AT_EMPTY_PATH)
		return err
	})
	if err != nil {
		return identityOf(f.Stat())
	}
	return is, nil
}

func identifyPath(path string) (identity, error) {
	is, err := statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil { // a sandbox may not know statx; anything else is told again
		return identityOf(os.Lstat(path))
	}
	return is, nil
}

func (i identity) same(other identity) bool { return i == other }

// statx asks for nothing but the identity. stat reads the file's times as well, and since 6.13 Linux gives a file whose times were
// read a new timestamp with its next write, instead of one a tick. That made the fdatasync after it slower, by half on ext4
// (https://docs.kernel.org/filesystems/multigrain-ts.html).
func statx(dir int, path string, flags int) (identity, error) {
	var s unix.Statx_t
	if err := unix.Statx(dir, path, flags, unix.STATX_INO, &s); err != nil {
		return identity{}, err
	}
	return identity{unix.Mkdev(s.Dev_major, s.Dev_minor), s.Ino}, nil
}

// identityOf is what stat says of a file.
func identityOf(info fs.FileInfo, err error) (identity, error) {
	if err != nil {
		return identity{}, err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}, errors.ErrUnsupported
	}
	return identity{uint64(s.Dev), uint64(s.Ino)}, nil //nolint:unconvert // they are smaller on some platforms
}
