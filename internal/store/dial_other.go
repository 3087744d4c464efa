//go:build !linux

package store

import "syscall"

// boundSilence has no portable form; keep-alives must do.
func boundSilence(string, string, syscall.RawConn) error { return nil }
