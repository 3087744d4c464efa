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
	keepDeliveries = 30 * 24 * time.Hour  // house letters and their fates
	keepFolds      = 365 * 24 * time.Hour // fates of recipients, folded
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
	if err := s.skipLate(ctx); err != nil {
		return err
	}
	for _, p := range []struct {
		sql string // deletes at most a batch; takes the limit last
		arg int64
	}{
		{`DELETE FROM pendings WHERE id IN (SELECT id FROM pendings WHERE expires_at < ? LIMIT ?)`, before(keepPendings)},
		{`DELETE FROM auto_replies WHERE (email_key, day) IN (SELECT email_key, day FROM auto_replies WHERE day < ? LIMIT ?)`, day},
		{`DELETE FROM post_keys WHERE (list_id, kind, key) IN (SELECT list_id, kind, key FROM post_keys WHERE kind = 2 AND at < ? LIMIT ?)`, before(keepBodyKeys)},
		{`DELETE FROM deliveries WHERE (distribution_id, recipient_id) IN (SELECT d.distribution_id, d.recipient_id FROM deliveries d
			JOIN distributions x ON x.id = d.distribution_id WHERE x.kind = 2 AND x.state >= 2 AND d.state <> 2 AND x.done_at > 0 AND x.done_at < ? LIMIT ?)`, before(keepDeliveries)},
		{`DELETE FROM delivery_folds WHERE id IN (SELECT f.id FROM delivery_folds f
			JOIN distributions x ON x.id = f.distribution_id WHERE x.done_at < ? LIMIT ?)`, before(keepFolds)},
		{`DELETE FROM queue_sites WHERE id IN (SELECT q.id FROM queue_sites q WHERE q.at < ? AND q.until < 1000000000000000000
			AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.state = 2 AND d.site BETWEEN q.id AND q.id + 7) LIMIT ?)`, before(keepSites)},
		{`DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < ? LIMIT ?)`, before(keepEvents)},
	} {
		err := s.inBatches(ctx, func(t *tx) (int64, error) {
			res := t.Exec(p.sql, p.arg, pruneBatch)
			return res.RowsAffected, res.Error
		})
		if err != nil {
			return err
		}
	}
	for _, p := range []struct {
		table, due string
		arg        int64
	}{
		{"helds", "state <> 0 AND decided_at < ?", before(keepDecided)},
		{"distributions", "kind = 2 AND state >= 2 AND done_at > 0 AND done_at < ?", before(keepDeliveries)},
		{"bounces", "received_at < ?", before(keepBounces)},
	} {
		err := s.inBatches(ctx, func(t *tx) (int64, error) { return t.forgetWithBytes(p.table, p.due, p.arg) })
		if err != nil {
			return err
		}
	}
	return nil
}

// inBatches repeats step, each time in a transaction of its own, until it finds
// less than a batch.
func (s *Store) inBatches(ctx context.Context, step func(t *tx) (int64, error)) error {
	for {
		var n int64
		err := s.write(ctx, func(t *tx) (err error) {
			n, err = step(t)
			return err
		})
		if err != nil || n < pruneBatch {
			return err
		}
	}
}

// forgetWithBytes deletes a batch of rows that are due, and the bytes they own.
func (t *tx) forgetWithBytes(table, due string, arg int64) (int64, error) {
	var rows []struct{ ID, BytesID int64 }
	err := t.Raw("SELECT id, bytes_id FROM "+table+" WHERE "+due+" LIMIT ?", arg, pruneBatch).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	ids, bytes := make([]int64, 0, len(rows)), make([]int64, 0, len(rows))
	for _, r := range rows {
		ids = append(ids, r.ID)
		if r.BytesID != 0 {
			bytes = append(bytes, r.BytesID)
		}
	}
	if len(bytes) > 0 {
		if err := t.Exec("DELETE FROM message_bytes WHERE id IN ?", bytes).Error; err != nil {
			return 0, err
		}
	}
	return int64(len(rows)), t.Exec("DELETE FROM "+table+" WHERE id IN ?", ids).Error
}
