package store

import (
	"database/sql"
	"errors"
	"fmt"
)

// maxInList bounds the values of one IN list.
const maxInList = 500

// rowsBy are the rows of a table that are read by the values of one column: where
// is a condition that ends in that column, args are the values before.
type rowsBy struct {
	columns, table, where string
	args                  []any
}

// lookUp reads the rows of many values. Each is looked up in the index. PostgreSQL
// is told so: where it believes a table to be small, and an import fills tables
// faster than it learns their size, it would read all rows of the list instead and
// compare each with all values.
func lookUp[T int64 | []byte](t *tx, of rowsBy, values []T, yield func(*sql.Rows) error) error {
	for len(values) > 0 {
		n := min(len(values), maxInList)
		text, with := "", of.args[:len(of.args):len(of.args)]
		if t.s.dialect == Postgres {
			n = len(values)
			kind := "bigint"
			if _, ok := any(values).([][]byte); ok {
				kind = "bytea"
			}
			text = fmt.Sprintf("SELECT found.* FROM unnest(CAST(? AS %s[])) AS wanted (one) CROSS JOIN LATERAL (SELECT %s FROM %s WHERE %s = wanted.one OFFSET 0) AS found",
				kind, of.columns, of.table, of.where)
			with = append([]any{pgArray(values)}, with...)
		} else {
			var these string
			these, with = in(with, values[:n])
			text = "SELECT " + of.columns + " FROM " + of.table + " WHERE " + of.where + " IN " + these
		}
		values = values[n:]
		rows, err := t.query(text, with...)
		if err != nil {
			return err
		}
		for rows.Next() && err == nil {
			err = yield(rows)
		}
		if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
	return nil
}
