package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3/lock"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"plenary/internal/fault"
)

// The channel all nodes listen on; the payload is a topic.
const notifyChannel = "plenary"

// openPostgres opens one pool for everything and starts listening.
func (s *Store) openPostgres(ctx context.Context) error {
	db, err := gorm.Open(postgres.Open(s.dsn), gormConfig(s.log))
	if err != nil {
		return err
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(postgresConns)
	pool.SetMaxIdleConns(postgresConns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close()
		return err
	}
	s.w, s.r = db, db
	s.wake.done.Add(1)
	go s.listenPostgres()
	return nil
}

func postgresLocker() (lock.SessionLocker, error) { return lock.NewPostgresSessionLocker() }

// announce tells the other nodes, inside the transaction: PostgreSQL delivers
// at commit.
func (s *Store) announce(t *tx) error {
	if s.dialect != Postgres {
		return nil
	}
	for _, topic := range t.topics {
		if err := t.Exec("SELECT pg_notify(?, ?)", notifyChannel, topic).Error; err != nil {
			return err
		}
	}
	return nil
}

// listenPostgres passes notifications on. After a lost connection everybody is
// woken once, because something may have been missed.
func (s *Store) listenPostgres() {
	defer s.wake.done.Done()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.wake.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	for ctx.Err() == nil {
		if err := s.listenOnce(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("listening on the database failed, trying again", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (s *Store) listenOnce(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+notifyChannel); err != nil {
		return err
	}
	s.wake.signalAll()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		s.wake.signal(n.Payload)
	}
}

// postgresRetry reports whether the database asks to run the transaction again.
func postgresRetry(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
}

// postgresFault gives SQLSTATE classes a kind.
func postgresFault(err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return fault.Wrap(fault.Temporary, err, "the database is not available, please try again later")
	}
	switch {
	case e.Code == "23505":
		return fault.Wrap(fault.Conflict, errors.Join(gorm.ErrDuplicatedKey, err), "it exists already")
	case e.Code == "53100":
		return fault.Wrap(fault.StorageFull, err, "there is no room to store this now, please try again later")
	case strings.HasPrefix(e.Code, "53"), strings.HasPrefix(e.Code, "57"), strings.HasPrefix(e.Code, "08"),
		strings.HasPrefix(e.Code, "40"), e.Code == "25006":
		return fault.Wrap(fault.Temporary, err, "the database is not available, please try again later")
	}
	return fault.Wrap(fault.Internal, err, "something went wrong on our side, please try again later")
}
