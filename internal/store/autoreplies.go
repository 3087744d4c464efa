package store

import (
	"context"
	"database/sql"
	"errors"
)

// CountAutoReply counts one automatic reply, or another thing that strangers can cause, on
// that day (days since 1970-01-01 UTC) and tells whether it may still be: at most limit
// a day. budget is the key of the address, or a word, a space and more for what
// is counted apart from the other letters. A refused one is not counted.
func (s *Store) CountAutoReply(ctx context.Context, budget string, day int64, limit int) (allowed bool, err error) {
	if limit <= 0 {
		return false, nil
	}
	err = s.write(ctx, func(t *tx) error {
		var n int
		err := t.Raw(`INSERT INTO auto_replies (email_key, day, n) VALUES (?, ?, 1)
			ON CONFLICT (email_key, day) DO UPDATE SET n = auto_replies.n + 1 WHERE auto_replies.n < ? RETURNING n`,
			budget, day, limit).Row().Scan(&n)
		if errors.Is(err, sql.ErrNoRows) {
			allowed = false
			return nil
		}
		allowed = err == nil
		return err
	})
	return allowed && err == nil, err
}
