//go:build !linux && !darwin && !freebsd

package app

import "errors"

// diskFree is not known here.
func diskFree(string) (uint64, error) { return 0, errors.ErrUnsupported }
