package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"plenary/internal/fault"
)

// lockDatabase claims the SQLite file for this process, by whatever data_dir or
// symbolic link it came to it: limits of providers are for one node there. It comes
// after lock, whose file it is where the database lies in data_dir under its usual
// name.
func (a *App) lockDatabase() error {
	name := a.databaseLock()
	if name == "" || a.lockedDatabase != nil {
		return nil
	}
	if a.locked != nil {
		ours, err1 := a.locked.Stat()
		same, err2 := os.Stat(name)
		if err1 == nil && err2 == nil && os.SameFile(ours, same) {
			return nil
		}
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		a.Log.Debug("cannot lock the database", "err", err)
		return nil
	}
	if err := lockFile(f); err != nil {
		_ = f.Close()
		if errors.Is(err, errLocked) {
			return fault.New(fault.Conflict, "another plenary serves with the database %s; stop it, or set database.dsn to another", a.Config.Database.DSN)
		}
		a.Log.Debug("cannot lock the database", "err", err)
		return nil
	}
	a.lockedDatabase = f
	return nil
}

// databaseLock names the file that who serves with an SQLite database has locked;
// empty with PostgreSQL.
func (a *App) databaseLock() string {
	path, ok := strings.CutPrefix(a.Config.Database.DSN, "sqlite:")
	if !ok {
		return ""
	}
	if direct, err := filepath.EvalSymlinks(path); err == nil {
		path = direct
	}
	if filepath.Base(path) == "plenary.db" {
		return filepath.Join(filepath.Dir(path), lockName)
	}
	return path + ".lock"
}

// Served reports whether some process serves with this database. With PostgreSQL it
// cannot know and says yes.
func (a *App) Served() bool {
	name := a.databaseLock()
	if name == "" {
		return true
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	defer f.Close()
	return lockFile(f) != nil
}
