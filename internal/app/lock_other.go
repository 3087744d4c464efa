//go:build !unix || solaris || illumos || aix

package app

import (
	"errors"
	"os"
)

// lockFile is not to be had here.
func lockFile(*os.File) error { return errors.ErrUnsupported }
