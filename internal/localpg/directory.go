package localpg

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	socketPort = "5432" // it only names the socket: every cluster has a directory of its own

	// maxSocketPath is what macOS and the BSDs can take, without the final NUL; Linux takes 107 bytes.
	maxSocketPath = 103

	// memoryRoom is how much must be free in memory before a cluster goes there. An empty one takes 60 MiB; Docker
	// gives /dev/shm 64 MiB unless told otherwise.
	memoryRoom = 2 << 30
)

// plainPath matches what needs no quoting in a URL or in a list of directories.
var plainPath = regexp.MustCompile(`^/[a-zA-Z0-9/._-]*$`)

// newDir names a directory for a private cluster. It does not make it: the supervisor does, so that there is no
// moment when it exists and nobody will remove it.
func (m machine) newDir(durable bool) string {
	name := "otelaudit-pg-" + strings.ToLower(rand.Text()[:10])
	dir := filepath.Join(m.parent(durable), name)
	if socket := filepath.Join(dir, ".s.PGSQL."+socketPort); len(socket) > maxSocketPath || !plainPath.MatchString(dir) {
		return "/tmp/" + name
	}
	return dir
}

// parent prefers memory, because most of the time of starting a cluster and of creating a database goes into making
// files; a durable cluster has to be on a disk, or its fsync says nothing.
func (m machine) parent(durable bool) string {
	switch {
	case m.temp != "":
		return m.temp
	case durable && isDir(m.disk):
		return m.disk
	case !durable && isDir(m.memory) && free(m.memory) >= memoryRoom:
		return m.memory
	}
	return os.TempDir()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
