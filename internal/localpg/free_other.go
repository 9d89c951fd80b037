//go:build !linux

package localpg

// free knows nothing here, where there is no /dev/shm either.
func free(string) uint64 { return 0 }
