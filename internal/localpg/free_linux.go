package localpg

import "syscall"

// free is how many bytes an unprivileged user can still write in the file system of dir, and 0 if that is unknown.
func free(dir string) uint64 {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0
	}
	return fs.Bavail * uint64(max(fs.Bsize, 0)) // signed by convention only
}
