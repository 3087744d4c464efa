package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gorm.io/gorm"
	sqlite3 "modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"plenary/internal/fault"
)

// How often SQLite is asked whether another process wrote to the file.
const sqlitePoll = 100 * time.Millisecond

// openSQLite opens the file with one writing connection and a pool of reading
// ones. Without _txlock=immediate a read-modify-write transaction fails at once
// with SQLITE_BUSY, busy_timeout notwithstanding.
func (s *Store) openSQLite(ctx context.Context, path string) error {
	if path == "" {
		return fault.New(fault.Invalid, "database.dsn names no file")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	if err := private(path); err != nil {
		return err
	}
	if err := prepareSQLite(ctx, path); err != nil {
		return err
	}
	common := url.Values{"_pragma": {"busy_timeout(10000)", "foreign_keys(1)", "synchronous(FULL)", "temp_store(MEMORY)"}}
	w := url.Values{"_pragma": append(common["_pragma"], "cache_size(-8192)", "wal_autocheckpoint(2000)"), "_txlock": {"immediate"}}
	r := url.Values{"_pragma": append(append([]string{}, common["_pragma"]...), "query_only(1)", "cache_size(-2048)")}
	var err error
	if s.w, err = s.openSQLitePool(path, w, 1); err != nil {
		return err
	}
	if s.r, err = s.openSQLitePool(path, r, readers); err != nil {
		return err
	}
	pool, err := s.r.DB()
	if err != nil {
		return err
	}
	pool.SetConnMaxIdleTime(readerIdle)
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	var version int64 // read before anybody can wait for what comes after it
	if err := conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil {
		_ = conn.Close()
		return err
	}
	s.wake.done.Add(1)
	go s.pollSQLite(conn, version)
	return nil
}

// prepareSQLite sets what must be set before the first page is written: the
// page size, which WAL mode freezes. A commit of a few posts touches two dozen pages,
// most of them for a row or two: with 16 kB each it took a sixth more of the processor.
func prepareSQLite(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+escapePath(path)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if mode == "wal" {
		return nil
	}
	if _, err := db.ExecContext(ctx, "PRAGMA page_size = 8192"); err != nil {
		return err
	}
	return db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
}

func escapePath(p string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(p)
}

func (s *Store) openSQLitePool(path string, params url.Values, conns int) (*gorm.DB, error) {
	pool, err := sql.Open("sqlite", "file:"+escapePath(path)+"?"+params.Encode())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	return gorm.Open(&sqliteDialector{pool: pool}, gormConfig(s.log)) // statements are kept by the pool: pool.go
}

// pollSQLite watches for commits of other processes (the command line works
// beside a running server): PRAGMA data_version changes when another connection
// wrote.
func (s *Store) pollSQLite(conn *sql.Conn, last int64) {
	defer s.wake.done.Done()
	defer conn.Close()
	tick := time.NewTicker(sqlitePoll)
	defer tick.Stop()
	for {
		select {
		case <-s.wake.stop:
			return
		case <-tick.C:
		}
		var v int64
		if err := conn.QueryRowContext(context.Background(), "PRAGMA data_version").Scan(&v); err != nil {
			continue
		}
		if v != last {
			s.wake.signalAll()
		}
		last = v
	}
}

// sqliteFault gives SQLite's result codes a kind.
func sqliteFault(err error) error {
	var e *sqlite3.Error
	if !errors.As(err, &e) {
		return fault.Wrap(fault.Temporary, err, "the database is not available, please try again later")
	}
	switch e.Code() & 0xff {
	case sqlitelib.SQLITE_FULL, sqlitelib.SQLITE_IOERR:
		return fault.Wrap(fault.StorageFull, err, "there is no room to store this now, please try again later")
	case sqlitelib.SQLITE_BUSY, sqlitelib.SQLITE_LOCKED, sqlitelib.SQLITE_CANTOPEN, sqlitelib.SQLITE_INTERRUPT,
		sqlitelib.SQLITE_READONLY:
		return fault.Wrap(fault.Temporary, err, "the database is not available, please try again later")
	case sqlitelib.SQLITE_CONSTRAINT:
		return fault.Wrap(fault.Conflict, err, "it exists already")
	case sqlitelib.SQLITE_CORRUPT, sqlitelib.SQLITE_NOTADB:
		return fault.Wrap(fault.Internal, err, "the database is damaged; the site's operator finds out where with plenary archive check LIST, "+
			"and where plenary archive reindex LIST does not help restores it from a backup")
	}
	return fault.Wrap(fault.Internal, err, "something went wrong on our side, please try again later")
}
