package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"
)

// A post is a dozen statements whose outcome nobody waits for, and on PostgreSQL
// each is a way there and back while the list's counters are locked. So these are kept
// behind, and sent together before the next statement of the transaction that is
// waited for, whoever gives it, and before the commit.

// maxBehind bounds the statements kept behind: an import's are large.
const maxBehind = 16

// behind is the connection of a transaction on PostgreSQL, with what was not sent yet.
type behind struct {
	*sql.Tx
	conn   *sql.Conn
	batch  pgx.Batch
	failed error // of what was run before something else: nothing may be committed without it
}

// later runs a statement that gives nothing. On PostgreSQL it runs before the next that
// gives something, or before the commit, and fails there.
func (t *tx) later(text string, args ...any) error {
	b := t.behind
	if b == nil {
		_, err := t.exec(text, args...)
		return err
	}
	b.batch.Queue(numbered(text), args...)
	if b.batch.Len() < maxBehind {
		return nil
	}
	return b.flush(t.Statement.Context)
}

// flush runs what was kept behind.
func (b *behind) flush(ctx context.Context) error {
	if b == nil || b.batch.Len() == 0 {
		return nil
	}
	batch := b.batch
	b.batch = pgx.Batch{}
	err := b.conn.Raw(func(c any) error { return c.(*stdlib.Conn).Conn().SendBatch(ctx, &batch).Close() })
	b.failed = errors.Join(b.failed, err)
	return err
}

// ExecContext implements gorm.ConnPool.
func (b *behind) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := b.flush(ctx); err != nil {
		return nil, err
	}
	return b.Tx.ExecContext(ctx, query, args...)
}

// QueryContext implements gorm.ConnPool.
func (b *behind) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := b.flush(ctx); err != nil {
		return nil, err
	}
	return b.Tx.QueryContext(ctx, query, args...)
}

// QueryRowContext implements gorm.ConnPool. A row cannot carry the error of what was kept
// behind; the transaction is broken then, and the row's own says so. transact gives the
// first.
func (b *behind) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	_ = b.flush(ctx)
	return b.Tx.QueryRowContext(ctx, query, args...)
}

// transact runs fn in a transaction. On PostgreSQL it holds the connection too; and when
// ctx ends while fn runs its next statement fails, and nobody rolls back beside it:
// database/sql would take the connection away from under flush.
func (s *Store) transact(ctx context.Context, fn func(*gorm.DB, *behind) error) error {
	if s.dialect != Postgres {
		return s.w.WithContext(ctx).Transaction(func(db *gorm.DB) error { return fn(db, nil) })
	}
	for n := 0; ; n++ {
		begun := false
		err := s.w.WithContext(ctx).Connection(func(db *gorm.DB) error {
			conn := db.Statement.ConnPool.(*sql.Conn)
			around, cancel := context.WithCancel(context.WithoutCancel(ctx))
			defer cancel()
			release := context.AfterFunc(ctx, cancel)
			return db.WithContext(around).Transaction(func(db *gorm.DB) error {
				begun = true
				release()
				defer func() { context.AfterFunc(ctx, cancel) }() // COMMIT and ROLLBACK have its bound again
				b := &behind{Tx: db.Statement.ConnPool.(*sql.Tx), conn: conn}
				db = db.Session(&gorm.Session{Context: ctx})
				db.Statement.ConnPool = b
				err := fn(db, b)
				if b.failed != nil {
					return b.failed
				}
				return err
			})
		})
		if begun || n == postgresConns || !errors.Is(err, driver.ErrBadConn) { // else one that died in the pool
			return err
		}
	}
}
