package journal

import (
	"errors"
	"os"
	"syscall"
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
