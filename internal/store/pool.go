package store

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
)

// Limits of the texts kept prepared.
const (
	maxKept = 400  // statements
	maxSeen = 2000 // texts seen once

	keepTimeout = time.Second // for preparing one after a transaction
)

// keeping is a pool of SQLite with its statements kept prepared: parsing a query
// costs as much as running it. A text is kept when it comes the second time;
// those with a list of values in them hardly ever do. Of those that name an era of
// the full-text index only what feeds the newest is: there are many eras, and a
// question to one is far more work than that.
type keeping struct {
	*sql.DB
	mu   sync.Mutex
	kept map[string]*sql.Stmt
	seen map[string]bool
}

func newKeeping(pool *sql.DB) *keeping {
	return &keeping{DB: pool, kept: map[string]*sql.Stmt{}, seen: map[string]bool{}}
}

// GetDBConn is for gorm.DB.DB.
func (k *keeping) GetDBConn() (*sql.DB, error) { return k.DB, nil }

// known gives the statement of a text when it is kept; wanted says that it
// should be.
func (k *keeping) known(text string) (st *sql.Stmt, wanted bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if st = k.kept[text]; st != nil {
		return st, false
	}
	if strings.Contains(text, eraTables) && !feedsEra(text) {
		return nil, false
	}
	wanted = k.seen[text] && len(k.kept) < maxKept
	if len(k.seen) >= maxSeen {
		clear(k.seen)
	}
	k.seen[text] = true
	return nil, wanted
}

// keep prepares a text; nil when that fails, and the plain way says why. It may
// wait for a connection: not under the lock, and not within a transaction.
func (k *keeping) keep(ctx context.Context, text string) *sql.Stmt {
	made, err := k.DB.PrepareContext(ctx, text)
	if err != nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if st := k.kept[text]; st != nil {
		_ = made.Close()
		return st
	}
	if feedsEra(text) {
		k.forgetEras(text)
	}
	k.kept[text] = made
	return made
}

// feedsEra says that a statement adds posts to an era.
func feedsEra(text string) bool {
	return strings.HasPrefix(text, eraInsert) && strings.Contains(text, eraColumns)
}

// forgetEras closes what fed another era than text does.
func (k *keeping) forgetEras(text string) {
	table, _, _ := strings.Cut(text, " (")
	for old, st := range k.kept {
		if feedsEra(old) && !strings.HasPrefix(old, table+" (") {
			_ = st.Close()
			delete(k.kept, old)
		}
	}
}

func (k *keeping) statement(ctx context.Context, text string) *sql.Stmt {
	st, wanted := k.known(text)
	if wanted {
		st = k.keep(ctx, text)
	}
	return st
}

// ExecContext runs a statement.
func (k *keeping) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if st := k.statement(ctx, text); st != nil {
		return st.ExecContext(ctx, args...)
	}
	return k.DB.ExecContext(ctx, text, args...)
}

// QueryContext runs a query.
func (k *keeping) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if st := k.statement(ctx, text); st != nil {
		return st.QueryContext(ctx, args...)
	}
	return k.DB.QueryContext(ctx, text, args...)
}

// QueryRowContext runs a query of one row.
func (k *keeping) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	if st := k.statement(ctx, text); st != nil {
		return st.QueryRowContext(ctx, args...)
	}
	return k.DB.QueryRowContext(ctx, text, args...)
}

// BeginTx is for gorm: the transaction uses what is kept.
func (k *keeping) BeginTx(ctx context.Context, o *sql.TxOptions) (gorm.ConnPool, error) {
	t, err := k.DB.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	return &keepingTx{Tx: t, pool: k}, nil
}

// keepingTx is a transaction of a keeping pool. New texts are prepared when it
// has ended and given its connection back. The rows of a kept text must be read
// to their end before the same text is asked again.
type keepingTx struct {
	*sql.Tx
	pool   *keeping
	wanted []string
}

func (t *keepingTx) statement(ctx context.Context, text string) *sql.Stmt {
	st, wanted := t.pool.known(text)
	if wanted {
		t.wanted = append(t.wanted, text)
	}
	if st == nil {
		return nil
	}
	return t.StmtContext(ctx, st)
}

func (t *keepingTx) ended() {
	ctx, cancel := context.WithTimeout(context.Background(), keepTimeout)
	defer cancel()
	for _, text := range t.wanted {
		t.pool.keep(ctx, text)
	}
	t.wanted = nil
}

// Commit ends the transaction.
func (t *keepingTx) Commit() error {
	defer t.ended()
	return t.Tx.Commit()
}

// Rollback ends it without effect.
func (t *keepingTx) Rollback() error {
	defer t.ended()
	return t.Tx.Rollback()
}

// ExecContext runs a statement.
func (t *keepingTx) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if st := t.statement(ctx, text); st != nil {
		return st.ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, text, args...)
}

// QueryContext runs a query.
func (t *keepingTx) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if st := t.statement(ctx, text); st != nil {
		return st.QueryContext(ctx, args...)
	}
	return t.Tx.QueryContext(ctx, text, args...)
}

// QueryRowContext runs a query of one row.
func (t *keepingTx) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	if st := t.statement(ctx, text); st != nil {
		return st.QueryRowContext(ctx, args...)
	}
	return t.Tx.QueryRowContext(ctx, text, args...)
}

var (
	_ gorm.ConnPoolBeginner = (*keeping)(nil)
	_ gorm.TxCommitter      = (*keepingTx)(nil)
)
