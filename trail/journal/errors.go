package journal

import (
	"errors"
	"syscall"
)

// The errors of Append. But for ErrClosed and ErrTooLarge they mean "not confirmed", not "not there": what was already being
// written may be found by the next Open, whole or not at all. Appending it again is safe where readers recognise duplicates.
// What else Append returns wraps the error of the file system.
var (
	// ErrFull: more bytes wait for the disk than Config.MaxWaitingBytes. Nothing was written. Shed load, or try later.
	ErrFull = errors.New("journal: too many bytes wait for the disk")
	// ErrTimeout: the records were not on disk within Config.AppendTimeout or before the context ended. It wraps the
	// reason where one is known.
	ErrTimeout = errors.New("journal: not on disk in time")
	// ErrClosed: the journal is closed, or was opened with NoAppend. Nothing was written.
	ErrClosed = errors.New("journal: closed")
	// ErrTooLarge: the call could never fit into Config.MaxWaitingBytes, or holds no record. Nothing was written. Split it.
	ErrTooLarge = errors.New("journal: no records, or more than may ever wait")
)

// The errors of directories, readers and cursors.
var (
	// ErrLocked: another process, or another Journal of this one, has the directory open. Wait until it is gone.
	ErrLocked = errors.New("journal: the directory is in use")
	// ErrName: a reader's name is empty, or longer than MaxNameBytes.
	ErrName = errors.New("journal: a reader's name has 1 to 64 bytes")
	// ErrInUse: a reader of that name is open. Close it first.
	ErrInUse = errors.New("journal: a reader of that name is open")
	// ErrUnknown: there is no cursor of that name.
	ErrUnknown = errors.New("journal: no cursor of that name")
	// ErrAhead: Commit of a number that the reader has not been given. It would lose records; nothing was written.
	ErrAhead = errors.New("journal: a cursor must not lead its reader")
	// ErrPinned: the journal still holds records that a required reader has not committed, or that no required reader was
	// ever opened for. Deliver them first.
	ErrPinned = errors.New("journal: it holds undelivered records")
	// ErrFormat: a file is not what its name says, or of a later version than this package reads.
	ErrFormat = errors.New("journal: unknown format")
)

// isFull reports whether space may cure err.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
