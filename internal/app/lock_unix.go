//go:build unix && !solaris && !illumos && !aix

package app

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes the one lock there is on a file, or answers errLocked.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}
