//go:build unix

package store

import (
	"os"
	"path/filepath"
	"syscall"
)

// giveToFolder gives a file that root made to the owner of its folder, so that
// the service, which is not root, can write to it.
func giveToFolder(f *os.File) error {
	info, err := os.Stat(filepath.Dir(f.Name()))
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		return f.Chown(int(owner.Uid), int(owner.Gid))
	}
	return nil
}
