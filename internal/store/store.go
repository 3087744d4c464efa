// Package store keeps the nouns at rest. It is the only package that touches
// GORM and the databases; everything above declares the few methods it needs
// and Store has them.
//
// One database holds everything, message bytes included: one backup, one truth.
// SQLite (the default) runs in WAL mode at full sync with one writing
// connection and a pool of reading ones, so that a reader never waits for a
// writer and two writers never collide. PostgreSQL runs the same code; what must
// differ is in sqlite.go and postgres.go and in the few queries that say so.
// The schema is the SQL of package migrations, never AutoMigrate.
//
// Cold paths use GORM models; hot paths (leases, group commits, the full-text
// index) are SQL text through the same transaction. Every write goes through
// write, or as a single statement through writeOne (hot.go): they retry what the
// database asks to retry. After the commit write wakes who waits for it (wake.go),
// on this node and, with PostgreSQL, on all.
//
// Errors leave as faults: an absent row is NotFound, a broken unique key
// Conflict, a full disk StorageFull, a database that is away Temporary. No text
// of a driver reaches a stranger.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"plenary/internal/fault"
	"plenary/migrations"
)

// Dialect is the kind of database.
type Dialect string

// The dialects.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Limits of the pools.
const (
	readers         = 8  // SQLite reading connections
	postgresConns   = 16 // PostgreSQL connections in all
	writeAttempts   = 5  // for serialization failures and deadlocks
	startTimeout    = 30 * time.Second
	migrationsTable = "schema_migrations"
)

// Store is an open database.
type Store struct {
	dialect Dialect
	dsn     string
	w, r    *gorm.DB // one pool twice for PostgreSQL
	wake    *waker
	coders  spare[byteCoders]
	cache   frameCache
	gather  gatherer
	eras    eraCount
	lists   listCache
	clock   clock
	full    atomic.Bool // something found no room since CheckWrite found some
	log     *slog.Logger

	// Now is the clock of all timestamps the store sets itself.
	Now func() time.Time
	// EraPosts is how many posts an era of the full-text index holds (eras.go), 16,384
	// unless set.
	EraPosts int
}

// Open opens the database dsn names: "sqlite:PATH" or "postgres://...". It does
// not migrate.
func Open(ctx context.Context, dsn string, log *slog.Logger) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{dsn: dsn, log: log, Now: time.Now, wake: newWaker(), coders: spare[byteCoders]{make: newByteCoders}}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var err error
	switch {
	case strings.HasPrefix(dsn, "sqlite:"):
		s.dialect = SQLite
		err = s.openSQLite(ctx, strings.TrimPrefix(dsn, "sqlite:"))
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		s.dialect = Postgres
		err = s.openPostgres(ctx)
	default:
		return nil, fault.New(fault.Invalid, "database.dsn must begin with sqlite: or postgres://")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Temporary, err, "cannot open the database")
	}
	return s, nil
}

// Dialect tells the kind of database.
func (s *Store) Dialect() Dialect { return s.dialect }

// Close closes all connections; waiting watchers are released.
func (s *Store) Close() error {
	s.wake.close()
	var errs []error
	for _, pool := range s.pools() {
		errs = append(errs, pool.Close())
	}
	return errors.Join(errs...)
}

// pools are those of the database, each once.
func (s *Store) pools() (all []*sql.DB) {
	for _, db := range []*gorm.DB{s.w, s.r} {
		if db == nil || len(all) > 0 && s.w == s.r {
			continue
		}
		if pool, err := db.DB(); err == nil {
			all = append(all, pool)
		}
	}
	return all
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	return s.fault(s.r.WithContext(ctx).Exec("SELECT 1").Error)
}

// MigrationState is one step of the schema.
type MigrationState struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}

// Migrate brings the schema to its newest version. Several nodes may call it at
// once.
func (s *Store) Migrate(ctx context.Context) error {
	p, err := s.migrations()
	if err != nil {
		return err
	}
	if err := s.notNewer(ctx, p); err != nil {
		return err
	}
	s.warnOfLong(ctx, p)
	if _, err := p.Up(ctx); err != nil {
		if fault.Is(s.fault(err), fault.StorageFull) {
			return fault.Wrap(fault.StorageFull, err, "the disk of the database is full, its tables cannot be made; make room and start again")
		}
		return fault.Wrap(fault.Internal, err, "cannot migrate the database")
	}
	return nil
}

// longSteps says what a step does that takes long where there are many posts.
var longSteps = map[Dialect]map[int64]string{
	Postgres: {12: "the full-text index is made anew: allow a quarter of an hour for a million posts"},
}

// warnOfLong tells whoever waits for the steps to come why.
func (s *Store) warnOfLong(ctx context.Context, p *goose.Provider) {
	have, err := p.GetDBVersion(ctx)
	for step, what := range longSteps[s.dialect] {
		if err != nil || have == 0 || have >= step {
			continue
		}
		var posts int64
		if err := s.read(ctx).Raw("SELECT count(*) FROM posts").Row().Scan(&posts); err == nil && posts > 0 {
			s.log.Warn(what, "step", step, "posts", posts)
		}
	}
}

// notNewer refuses a database that a newer program has migrated: this one does
// not know what its tables mean.
func (s *Store) notNewer(ctx context.Context, p *goose.Provider) error {
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return fault.Wrap(fault.Temporary, err, "cannot read the state of the schema")
	}
	known := p.ListSources()
	if len(known) > 0 && have > known[len(known)-1].Version {
		return fault.New(fault.Invalid, "the database has schema %d, this program knows %d; run the newer plenary", have, known[len(known)-1].Version)
	}
	return nil
}

// MigrationStatus lists every step and whether it was applied.
func (s *Store) MigrationStatus(ctx context.Context) ([]MigrationState, error) {
	p, err := s.migrations()
	if err != nil {
		return nil, err
	}
	if err := s.notNewer(ctx, p); err != nil {
		return nil, err
	}
	steps, err := p.Status(ctx)
	if err != nil {
		return nil, fault.Wrap(fault.Temporary, err, "cannot read the state of the schema")
	}
	var out []MigrationState
	for _, st := range steps {
		out = append(out, MigrationState{st.Source.Version, st.Source.Path, st.State == goose.StateApplied})
	}
	return out, nil
}

func (s *Store) migrations() (*goose.Provider, error) {
	pool, err := s.w.DB()
	if err != nil {
		return nil, err
	}
	dir, err := fs.Sub(migrations.FS, string(s.dialect))
	if err != nil {
		return nil, err
	}
	dialect := goose.DialectSQLite3
	opts := []goose.ProviderOption{goose.WithTableName(migrationsTable)}
	if s.dialect == Postgres {
		dialect = goose.DialectPostgres
		locker, err := postgresLocker()
		if err != nil {
			return nil, err
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, pool, dir, opts...)
	return p, fault.Wrap(fault.Internal, err, "cannot read the migrations")
}

// Secret gives the site's secret of this name, made at the first call; all
// nodes of a database share it.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	fresh := make([]byte, 32)
	if _, err := rand.Read(fresh); err != nil {
		return nil, err
	}
	var value []byte
	err := s.write(ctx, func(t *tx) error {
		if err := t.Exec("INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
			name, fresh).Error; err != nil {
			return err
		}
		return t.Raw("SELECT value FROM secrets WHERE name = ?", name).Row().Scan(&value)
	})
	return value, err
}

func gormConfig(log *slog.Logger) *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true,
		TranslateError:         true,
		DisableAutomaticPing:   true,
		Logger: logger.NewSlogLogger(log, logger.Config{
			// Every error is returned and told once, by whoever it stops.
			LogLevel: logger.Silent, IgnoreRecordNotFoundError: true, ParameterizedQueries: true}),
		NowFunc: func() time.Time { return time.Now().UTC() },
	}
}

// now is the store's clock as the database keeps it.
func (s *Store) now() int64 { return s.Now().UnixMicro() }

// read gives a session on the reading pool; under Together on its transaction,
// which would else wait for a second connection while it holds one.
func (s *Store) read(ctx context.Context) *gorm.DB {
	if t := s.open(ctx); t != nil {
		return t.WithContext(ctx)
	}
	return s.r.WithContext(ctx)
}

// first finds one row; an absent row is a nil pointer and no error.
func first[T any](db *gorm.DB) (*T, error) {
	var v T
	switch err := db.Take(&v).Error; {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &v, nil
}

// forUpdate locks the rows a transaction is about to change, where the dialect
// does not lock them anyway.
func (s *Store) forUpdate(db *gorm.DB) *gorm.DB {
	if s.dialect == Postgres {
		return db.Clauses(clause.Locking{Strength: "UPDATE"})
	}
	return db
}

// fault turns a database error into a fault; faults pass unchanged.
func (s *Store) fault(err error) error {
	var f *fault.Error
	switch index, _ := damagedIndex(err); {
	case err == nil || errors.As(err, &f):
		return err
	case index:
		return fault.Wrap(fault.Internal, err, "the full-text index is damaged; the site's operator makes it anew with: plenary archive reindex LIST")
	case errors.Is(err, gorm.ErrRecordNotFound), errors.Is(err, sql.ErrNoRows):
		return fault.Wrap(fault.NotFound, err, "there is no such thing")
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return fault.Wrap(fault.Conflict, err, "it exists already")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(fault.Temporary, err, "the request was given up")
	}
	if s.dialect == SQLite {
		err = sqliteFault(err)
	} else {
		err = postgresFault(err)
	}
	if fault.Is(err, fault.StorageFull) {
		s.full.Store(true)
	}
	return err
}

// String names the database without its password, for logs.
func (s *Store) String() string { return fmt.Sprintf("%s database", s.dialect) }
