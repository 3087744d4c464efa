//go:build linux || darwin || freebsd

package app

import "syscall"

// diskFree gives the octets that may still be written in a folder.
func diskFree(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil //nolint:unconvert,gosec // the types differ between systems
}
