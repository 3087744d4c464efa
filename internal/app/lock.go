package app

import (
	"errors"
	"os"
	"path/filepath"

	"plenary/internal/fault"
)

var errLocked = errors.New("it is locked")

// lock claims data_dir for this process; the claim ends with the process,
// however it ends. A folder that cannot hold the file (there may be none beside
// PostgreSQL) is served without.
func (a *App) lock() error {
	if a.locked != nil {
		return nil
	}
	dir := a.Config.DataDir
	f, err := os.OpenFile(filepath.Join(dir, "serve.lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		a.Log.Debug("cannot lock data_dir", "err", err)
		return nil
	}
	if err := lockFile(f); err != nil {
		_ = f.Close()
		if errors.Is(err, errLocked) {
			return fault.New(fault.Conflict, "another plenary serves with data_dir %s; stop it, or give this one a data_dir of its own", dir)
		}
		a.Log.Debug("cannot lock data_dir", "err", err)
		return nil
	}
	a.locked = f
	return nil
}
