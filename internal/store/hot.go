package store

import (
	"context"
	"database/sql"

	"gorm.io/gorm"
)

// hotText is a statement that runs for every hundred copies. SQLite parses a
// text each time, which costs as much as running it, so it is kept prepared.
// PostgreSQL's driver keeps what it was given before by itself.
type hotText struct{ sqlite, postgres string }

// prepare readies hot statements for transactions. It must not be called in one:
// SQLite has one writing connection.
func (s *Store) prepare(ctx context.Context, db *gorm.DB, texts ...hotText) error {
	if s.dialect == Postgres {
		return nil
	}
	for _, text := range texts {
		if _, ok := s.hotStatements.Load(text); ok {
			continue
		}
		pool, err := db.DB()
		if err != nil {
			return err
		}
		st, err := pool.PrepareContext(ctx, text.sqlite)
		if err != nil {
			return err
		}
		if _, had := s.hotStatements.LoadOrStore(text, st); had {
			_ = st.Close()
		}
	}
	return nil
}

// runner runs one statement.
type runner interface {
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, args ...any) *sql.Row
}

// hot gives a statement to run in the transaction; SQLite's was prepared before.
func (t *tx) hot(ctx context.Context, text hotText) runner {
	pool := t.Statement.ConnPool
	if st, ok := t.s.hotStatements.Load(text); ok {
		if tx, ok := pool.(*sql.Tx); ok {
			return tx.StmtContext(ctx, st.(*sql.Stmt))
		}
	}
	if t.s.dialect == Postgres {
		return plain{pool, text.postgres}
	}
	return plain{pool, text.sqlite}
}

// plain runs a statement by its text.
type plain struct {
	pool gorm.ConnPool
	text string
}

func (p plain) ExecContext(ctx context.Context, args ...any) (sql.Result, error) {
	return p.pool.ExecContext(ctx, p.text, args...)
}

func (p plain) QueryRowContext(ctx context.Context, args ...any) *sql.Row {
	return p.pool.QueryRowContext(ctx, p.text, args...)
}
