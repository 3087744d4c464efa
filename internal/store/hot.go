package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"gorm.io/gorm"
)

// Hot statements go past GORM, which takes a text apart and puts it together
// again each time. Values stand as question marks; a list of values as in.

// exec runs a statement.
func (t *tx) exec(text string, args ...any) (sql.Result, error) {
	pool, ctx, text := t.past(text)
	return pool.ExecContext(ctx, text, args...)
}

// query runs a query.
func (t *tx) query(text string, args ...any) (*sql.Rows, error) {
	pool, ctx, text := t.past(text)
	return pool.QueryContext(ctx, text, args...)
}

// row runs a query of one row.
func (t *tx) row(text string, args ...any) *sql.Row {
	pool, ctx, text := t.past(text)
	return pool.QueryRowContext(ctx, text, args...)
}

func (t *tx) past(text string) (gorm.ConnPool, context.Context, string) {
	if t.s.dialect == Postgres {
		text = numbered(text)
	}
	return t.Statement.ConnPool, t.Statement.Context, text
}

// insert runs an INSERT and gives the id of the new row.
func (t *tx) insert(text string, args ...any) (id int64, err error) {
	if t.s.dialect == Postgres {
		err = t.row(text+" RETURNING id", args...).Scan(&id)
		return id, err
	}
	res, err := t.exec(text, args...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// writeOne runs one statement, which is a transaction by itself and wakes nobody, and
// reports whether it changed anything. As write it runs it again when the database asks
// for that.
func (s *Store) writeOne(ctx context.Context, text string, args ...any) (some bool, err error) {
	if s.dialect == Postgres && s.open(ctx) == nil {
		ctx, cancel := context.WithTimeout(ctx, writePatience) // the network may swallow the answer
		defer cancel()
		for range writeAttempts {
			if some, err = changed(s.hot(ctx).exec(text, args...)); !postgresRetry(err) {
				break
			}
		}
		return some, s.fault(err)
	}
	err = s.write(ctx, func(t *tx) (err error) {
		some, err = changed(t.exec(text, args...))
		return err
	})
	return some, err
}

func changed(r sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

// insertIDs runs an INSERT for many rows and gives their ids, in the order of the
// rows: SQLite gives the rows of one statement ids one after another, and PostgreSQL
// returns them as it inserts them.
func (t *tx) insertIDs(insert, row string, args []any) (ids []int64, err error) {
	width := strings.Count(row, "?")
	for len(args) > 0 {
		n := t.rowsOf(len(args) / width)
		text := insert + strings.Repeat(row+", ", n-1) + row
		some := args[:n*width]
		args = args[n*width:]
		if t.s.dialect == SQLite {
			res, err := t.exec(text, some...)
			if err != nil {
				return nil, err
			}
			last, err := res.LastInsertId()
			if err != nil {
				return nil, err
			}
			for i := range n {
				ids = append(ids, last-int64(n-1-i))
			}
			continue
		}
		rows, err := t.query(text+" RETURNING id", some...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				_ = rows.Close()
				return nil, err
			}
			ids = append(ids, id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// hot is a transaction's hot statements for reads outside of any.
func (s *Store) hot(ctx context.Context) *tx {
	return &tx{DB: s.read(ctx), s: s}
}

// numbered writes $1, $2 for question marks, as PostgreSQL has them.
func numbered(text string) string {
	var b strings.Builder
	b.Grow(len(text) + 2*strings.Count(text, "?"))
	n := 0
	for {
		before, after, found := strings.Cut(text, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		n++
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		text = after
	}
}

// in adds values to args and gives the list that stands for them in the text.
// The last is repeated until they are a power of two: few texts, which are kept
// prepared.
func in[T any](args []any, values []T) (string, []any) {
	n := 1
	for n < len(values) {
		n *= 2
	}
	for i := range n {
		args = append(args, values[min(i, len(values)-1)])
	}
	return "(" + strings.Repeat("?, ", n-1) + "?)", args
}
