package store

import (
	"errors"
	"io/fs"
	"os"
)

// The database holds message bytes and the site's secrets: nobody but its owner
// reads it, and its group only where the postmaster lets it.
const (
	fileMode = 0o600
	others   = 0o007
)

// private makes the database's file before SQLite does, whose own would be open
// to everybody; -wal and -shm take after it. Of files that are there, others
// lose their rights. Who runs a verb as root makes the file the folder's owner's.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err == nil {
		return errors.Join(giveToFolder(f), f.Close())
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&others != 0 {
			_ = os.Chmod(name, info.Mode().Perm()&^others) // not our file: its owner's decision
		}
	}
	return nil
}
