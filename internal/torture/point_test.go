//go:build unix

package torture

import (
	"path/filepath"
	"strings"
	"sync"
)

// point is a place at which a process can kill itself: what is done to what, and when. "segment.sync.after" is behind the fsync
// of a segment of the journal.
type point string

// The points around an export.
const (
	exportBefore     point = "export.before"     // the exporter has not been called
	exportCommitting point = "export.committing" // COMMIT was sent; nobody has heard the answer
	exportCommitted  point = "export.committed"  // Postgres has answered; the trail has not
)

// deadLetterLate is where the write of a dead letter hangs until the sink that keeps order has moved its cursor several times:
// long enough for who does not wait for the dead letter to move the other cursor, too.
const deadLetterLate point = "dead-letters.write.late"

const lateCursors = 4

// filePoints are the points around the operations of files. Everything is done to a file before it is done to the disk, so
// "after a write" is also "before the sync". "torn" leaves half of a write.
func filePoints() []point {
	var ps []point
	for _, op := range []string{
		"segment.write", "segment.sync", "segment.rename", "segment.remove", "cursor.write", "cursor.sync", "cursor.rename",
		"directory.sync", "dead-letters.write", "dead-letters.sync", "dead-letters.rename", "dead-letters-directory.sync",
	} {
		ps = append(ps, point(op+".before"), point(op+".after"))
	}
	return append(ps, "segment.write.torn", "cursor.write.torn", "dead-letters.write.torn", deadLetterLate)
}

func allPoints() []point {
	return append(filePoints(), exportBefore, exportCommitting, exportCommitted)
}

// fileKind is what a path is to the journal.
func fileKind(path string) string {
	base := filepath.Base(path)
	dead := filepath.Base(filepath.Dir(path)) == "dead-letters"
	switch {
	case base == "lock":
		return "lock"
	case strings.HasPrefix(base, "spare-"):
		return "spare" // zeros
	case strings.Contains(base, ".cursor"):
		return "cursor"
	case dead:
		return "dead-letters"
	case strings.HasSuffix(base, ".segment"), strings.HasSuffix(base, ".tmp"):
		return "segment"
	case base == "dead-letters":
		return "dead-letters-directory"
	default:
		return "directory"
	}
}

// isOrdered reports whether path is the cursor of the sink that keeps order.
func isOrdered(path string) bool { return filepath.Base(path) == "lines.cursor" }

// fuse kills the process when it comes to a point for the nth time.
type fuse struct {
	at   point
	kill func(point) // does not return

	mu   sync.Mutex // guards left
	left int
}

// reach is called at each point. It does not return where the fuse burns down.
func (f *fuse) reach(p point) {
	if f == nil || p != f.at {
		return
	}
	if f.burns() {
		f.kill(p)
	}
}

// burns counts the fuse down and reports whether this was the last time.
func (f *fuse) burns() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left--
	return f.left == 0
}
