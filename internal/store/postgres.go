package store

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3/lock"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"plenary/internal/fault"
)

// The channel all nodes listen on; the payload is a topic.
const notifyChannel = "plenary"

// What bounds the harm of a node that is cut off without a word: its connections
// stay open, and what they have locked stays locked.
const (
	idleInTransaction = 10 * time.Second // the server ends a transaction whose client is silent so long
	unanswered        = 30 * time.Second // bytes on the wire that nobody acknowledges end the connection
	heartbeat         = 5 * time.Second  // the listening connection is asked whether it lives
	heartbeatPatience = 5 * time.Second
	writePatience     = 5 * time.Minute  // a transaction; the client that waits for its 250 waits 10 (RFC 5321 4.5.3.2.6)
	connLife          = 30 * time.Minute // then a connection is made anew, and finds the server where it is now
	outageFirst       = 3                // failures in a row the log hears of
	outageEach        = 30 * time.Second // then one so often
)

// readOnly is SQLSTATE read_only_sql_transaction.
const readOnly = "25006"

// openPostgres opens one pool for everything and starts listening.
func (s *Store) openPostgres(ctx context.Context) error {
	cfg, err := pgx.ParseConfig(s.dsn)
	if err != nil {
		return err
	}
	dialer := &net.Dialer{Control: boundSilence, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: unanswered / 2, Interval: unanswered / 6, Count: 3}}
	cfg.DialFunc = dialer.DialContext
	cfg.OnPgError = notReadOnly(cfg.OnPgError)
	pool := stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(s.readyPostgres))
	pool.SetMaxOpenConns(postgresConns)
	pool.SetMaxIdleConns(postgresConns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	pool.SetConnMaxLifetime(connLife)
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), gormConfig(s.log))
	if err == nil {
		err = s.setClock(ctx, func(ctx context.Context, query string) scanner { return pool.QueryRowContext(ctx, query) })
	}
	if err != nil {
		_ = pool.Close()
		return err
	}
	s.w, s.r = db, db
	s.wake.done.Add(1)
	go s.listenPostgres(cfg)
	return nil
}

// notReadOnly ends a connection that may not write. It may have begun while the
// database was set to be read only, or lead to a server that is a standby now, and
// keeps that for its whole life; the next one is made anew.
func notReadOnly(usual pgconn.PgErrorHandler) pgconn.PgErrorHandler {
	return func(c *pgconn.PgConn, e *pgconn.PgError) bool { return e.Code != readOnly && usual(c, e) }
}

// readyPostgres sets what a fresh connection needs, unless the DSN did. A
// relative of PostgreSQL that does not know a setting goes without.
func (s *Store) readyPostgres(ctx context.Context, conn *pgx.Conn) error {
	learnVectors(conn.TypeMap())
	for name, value := range map[string]string{
		"idle_in_transaction_session_timeout": strconv.FormatInt(idleInTransaction.Milliseconds(), 10),
		"tcp_user_timeout":                    strconv.FormatInt(unanswered.Milliseconds(), 10),
		// Questions that are over in a millisecond are not worth compiling, which takes
		// a hundred; where a plan is forced (seek, post_fts_find) PostgreSQL believes
		// that they last for hours.
		"jit": "off",
	} {
		if _, ok := conn.Config().RuntimeParams[name]; ok {
			continue
		}
		_, err := conn.Exec(ctx, "SET "+name+" = "+value)
		if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
			s.log.Debug("the database does not know a setting", "setting", name, "err", err)
		} else if err != nil {
			return err
		}
	}
	// A 250 means that the post is on disk: a server or database that is set not
	// to wait for that is told to wait. Stronger settings stay.
	_, err := conn.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit', true) = 'off'")
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		s.log.Debug("the database does not know a setting", "setting", "synchronous_commit", "err", err)
		return nil
	}
	return err
}

// postgresLocker lets one node migrate while the others look again each second.
func postgresLocker() (lock.SessionLocker, error) {
	return lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
}

// announce tells the other nodes, inside the transaction: PostgreSQL delivers
// at commit.
func (s *Store) announce(t *tx) error {
	if s.dialect != Postgres {
		return nil
	}
	for _, topic := range t.topics {
		if err := t.later("SELECT pg_notify(?, ?)", notifyChannel, topic); err != nil {
			return err
		}
	}
	return nil
}

// listenPostgres passes notifications on. After a lost connection everybody is
// woken once, because something may have been missed.
func (s *Store) listenPostgres(cfg *pgx.ConnConfig) {
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
	var o outage
	for ctx.Err() == nil {
		err := s.listenOnce(ctx, cfg, func() {
			if o.over() {
				s.log.Info("listening on the database again")
			}
		})
		if err != nil && ctx.Err() == nil && o.tell(time.Now()) {
			s.log.Warn("listening on the database failed, trying again", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// outage says what the log hears of failures in a row: the first few, then one now
// and then.
type outage struct {
	failed int
	told   time.Time
}

// tell counts a failure, and tells whether it is one to log.
func (o *outage) tell(now time.Time) bool {
	if o.failed++; o.failed > outageFirst && now.Sub(o.told) < outageEach {
		return false
	}
	o.told = now
	return true
}

// over tells whether there were failures, which are over.
func (o *outage) over() bool {
	was := o.failed > 0
	*o = outage{}
	return was
}

// listenOnce listens until the connection breaks. It calls begun when it has begun.
func (s *Store) listenOnce(ctx context.Context, cfg *pgx.ConnConfig, begun func()) error {
	start, cancel := context.WithTimeout(ctx, 2*heartbeatPatience)
	defer cancel()
	conn, err := pgx.ConnectConfig(start, cfg.Copy())
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(end)
	}()
	if _, err := conn.Exec(start, "LISTEN "+notifyChannel); err != nil {
		return err
	}
	begun()
	s.wake.signalAll()
	due := time.Now().Add(heartbeat)
	for {
		wait, cancel := context.WithDeadline(ctx, due)
		n, err := conn.WaitForNotification(wait)
		cancel()
		if n != nil {
			s.wake.signal(n.Payload)
		}
		if err != nil && (ctx.Err() != nil || conn.IsClosed() || !errors.Is(err, context.DeadlineExceeded)) {
			return err
		}
		if time.Now().Before(due) {
			continue
		}
		// A silent connection may be a dead one. Notifications that arrive
		// meanwhile are kept.
		if err := s.setClock(ctx, func(ctx context.Context, query string) scanner { return conn.QueryRow(ctx, query) }); err != nil {
			return err
		}
		due = time.Now().Add(heartbeat)
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
		strings.HasPrefix(e.Code, "40"), e.Code == readOnly, e.Code == "25P03", e.Code == "55P03":
		return fault.Wrap(fault.Temporary, err, "the database is not available, please try again later")
	}
	return fault.Wrap(fault.Internal, err, "something went wrong on our side, please try again later")
}
