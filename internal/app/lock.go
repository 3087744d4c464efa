package app

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"plenary/internal/fault"
)

const lockName = "serve.lock"

var errLocked = errors.New("it is locked")

// lock claims data_dir for this process; the claim ends with the process,
// however it ends. A folder that cannot hold the file (there may be none beside
// PostgreSQL) is served without.
//
// The file also makes the node's name one of its kind: two machines may well
// have the same name and the same folder, and a node takes back at its start
// what its name holds. Without the file each run is a node of its own, and what
// an earlier one held comes back when its leases end.
func (a *App) lock() error {
	if a.locked != nil {
		return nil
	}
	dir := a.Config.DataDir
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o640)
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
	mark, err := readMark(f)
	if err != nil {
		a.Log.Debug("cannot mark data_dir", "err", err)
		return nil
	}
	a.Node = a.Node[:strings.LastIndexByte(a.Node, ' ')+1] + mark
	if a.Queue != nil {
		a.Queue.Node = a.Node
	}
	return nil
}

const markOctets = 4

func randomMark() string {
	var b [markOctets]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// readMark gives the mark the file holds; a new file gets one.
func readMark(f *os.File) (string, error) {
	text, err := io.ReadAll(io.LimitReader(f, 100))
	if err != nil {
		return "", err
	}
	mark := strings.TrimSpace(string(text))
	if b, err := hex.DecodeString(mark); err == nil && len(b) == markOctets {
		return mark, nil
	}
	mark = randomMark()
	if err := f.Truncate(0); err != nil {
		return "", err
	}
	if _, err := f.WriteAt([]byte(mark+"\n"), 0); err != nil {
		return "", err
	}
	return mark, f.Sync()
}
