package store

import (
	"context"
	"time"
)

// How long what is only a record is kept.
const (
	keepPendings   = 30 * 24 * time.Hour  // used or expired confirmations
	keepDecided    = 30 * 24 * time.Hour  // decided held posts and their bytes
	keepReplies    = 3                    // days of automatic-reply counts
	keepBodyKeys   = 28 * 24 * time.Hour  // the window of the duplicate rule
	keepDeliveries = 30 * 24 * time.Hour  // fates of recipients
	keepBounces    = 90 * 24 * time.Hour  // stored bounces and their bytes
	keepEvents     = 365 * 24 * time.Hour // the trace
	pruneBatch     = 2000                 // rows a transaction, so that nobody waits long
)

// Prune removes records whose time is over, a batch a transaction. Posts are
// never touched.
func (s *Store) Prune(ctx context.Context) error {
	now := s.now()
	before := func(d time.Duration) int64 { return now - d.Microseconds() }
	day := now/(24*time.Hour).Microseconds() - keepReplies
	for _, p := range []struct {
		sql string // deletes at most a batch; takes the limit last
		arg int64
	}{
		{`DELETE FROM pendings WHERE id IN (SELECT id FROM pendings WHERE expires_at < ? LIMIT ?)`, before(keepPendings)},
		{`DELETE FROM message_bytes WHERE id IN (SELECT bytes_id FROM helds WHERE state <> 0 AND bytes_id <> 0 AND decided_at < ? LIMIT ?)`, before(keepDecided)},
		{`DELETE FROM helds WHERE id IN (SELECT id FROM helds WHERE state <> 0 AND decided_at < ? LIMIT ?)`, before(keepDecided)},
		{`DELETE FROM auto_replies WHERE (email_key, day) IN (SELECT email_key, day FROM auto_replies WHERE day < ? LIMIT ?)`, day},
		{`DELETE FROM post_keys WHERE (list_id, kind, key) IN (SELECT list_id, kind, key FROM post_keys WHERE kind = 2 AND at < ? LIMIT ?)`, before(keepBodyKeys)},
		{`DELETE FROM deliveries WHERE (distribution_id, recipient_id) IN (SELECT d.distribution_id, d.recipient_id FROM deliveries d
			JOIN distributions x ON x.id = d.distribution_id WHERE x.state >= 2 AND d.state <> 2 AND x.done_at > 0 AND x.done_at < ? LIMIT ?)`, before(keepDeliveries)},
		{`DELETE FROM message_bytes WHERE id IN (SELECT bytes_id FROM distributions WHERE kind = 2 AND state >= 2 AND bytes_id <> 0 AND done_at > 0 AND done_at < ? LIMIT ?)`, before(keepDeliveries)},
		{`DELETE FROM distributions WHERE id IN (SELECT id FROM distributions WHERE kind = 2 AND state >= 2 AND done_at > 0 AND done_at < ? LIMIT ?)`, before(keepDeliveries)},
		{`DELETE FROM message_bytes WHERE id IN (SELECT bytes_id FROM bounces WHERE received_at < ? LIMIT ?)`, before(keepBounces)},
		{`DELETE FROM bounces WHERE id IN (SELECT id FROM bounces WHERE received_at < ? LIMIT ?)`, before(keepBounces)},
		{`DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < ? LIMIT ?)`, before(keepEvents)},
	} {
		for {
			var n int64
			err := s.write(ctx, func(t *tx) error {
				res := t.Exec(p.sql, p.arg, pruneBatch)
				n = res.RowsAffected
				return res.Error
			})
			if err != nil {
				return err
			}
			if n < pruneBatch {
				break
			}
		}
	}
	return nil
}
