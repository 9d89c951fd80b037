//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package journal

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes the exclusive flock, which belongs to this open file and ends with it.
func lockFile(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = raw.Control(func(fd uintptr) { lockErr = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB) })
	switch {
	case err != nil:
		return err
	case errors.Is(lockErr, syscall.EWOULDBLOCK):
		return ErrLocked
	default:
		return os.NewSyscallError("flock", lockErr)
	}
}

// unlockFile gives the lock back. Closing the file alone does not, while a process that this one has just forked has it open too.
func unlockFile(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var unlockErr error
	err = raw.Control(func(fd uintptr) { unlockErr = syscall.Flock(int(fd), syscall.LOCK_UN) })
	return errors.Join(err, os.NewSyscallError("flock", unlockErr))
}
