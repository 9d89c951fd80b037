//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package journal

import (
	"errors"
	"fmt"
	"os"
)

// lockFile refuses: without a lock two processes could write one journal.
func lockFile(f *os.File) error {
	return fmt.Errorf("journal: lock %s: %w", f.Name(), errors.ErrUnsupported)
}

func unlockFile(*os.File) error { return nil }
