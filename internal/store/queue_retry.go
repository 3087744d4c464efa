package store

import (
	"context"

	"plenary/internal/model"
)

// RetryDistributions gives up to limit distributions of a lane that have a copy
// whose next try is due, by id from the one after afterID.
func (s *Store) RetryDistributions(ctx context.Context, lane model.Lane, now model.Instant, afterID int64, limit int) ([]model.Distribution, error) {
	// Almost always nothing is due, and that is one look at the index.
	var due bool
	if err := s.read(ctx).Raw("SELECT EXISTS (SELECT 1 FROM deliveries WHERE state = 2 AND next_at <= ?)", now).Row().Scan(&due); err != nil || !due {
		return nil, s.fault(err)
	}
	const waits = " AND d.lane = ? AND d.id > ? AND EXISTS (SELECT 1 FROM deliveries r WHERE r.distribution_id = d.id" +
		" AND r.state = 2 AND r.next_at <= ?)" + unpaused
	var ds []model.Distribution
	err := s.read(ctx).Raw("SELECT * FROM (SELECT d.* FROM distributions d WHERE d.state = 2 AND d.done_at = 0"+waits+
		" UNION ALL SELECT d.* FROM distributions d WHERE d.state = 0"+waits+") u ORDER BY id LIMIT ?",
		lane, afterID, now, lane, afterID, now, limit).Scan(&ds).Error
	return ds, s.fault(err)
}

// ClaimRetries claims up to limit copies of a distribution whose next try is
// due, the longest waiting first: nobody else gets them before until, which
// becomes their next time. It gives their rows and, house letters apart, the
// recipients, ended or not.
func (s *Store) ClaimRetries(ctx context.Context, distributionID int64, now, until model.Instant, limit int) ([]model.Delivery, []model.Subscriber, error) {
	var rows []model.Delivery
	var subs []model.Subscriber
	pick := "SELECT recipient_id FROM deliveries WHERE distribution_id = ? AND state = 2 AND next_at <= ? ORDER BY next_at LIMIT ?"
	if s.dialect == Postgres {
		pick += " FOR UPDATE SKIP LOCKED"
	}
	err := s.write(ctx, func(t *tx) error {
		rows, subs = nil, nil
		err := t.Raw("UPDATE deliveries SET next_at = ? WHERE distribution_id = ? AND state = 2 AND recipient_id IN ("+pick+") RETURNING *",
			until, distributionID, distributionID, now, limit).Scan(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		ids := make([]int64, len(rows))
		for i := range rows {
			ids[i] = rows[i].RecipientID
		}
		subs, err = people(t.DB, "id IN ? ORDER BY id", ids)
		return err
	})
	return rows, subs, err
}

// RenewClaims prolongs claims of ClaimRetries; rows are those still in work.
func (s *Store) RenewClaims(ctx context.Context, until model.Instant, rows []model.Delivery) error {
	return s.nextTry(ctx, until, rows)
}

// ReleaseClaims makes claimed copies due at once.
func (s *Store) ReleaseClaims(ctx context.Context, rows []model.Delivery) error {
	return s.nextTry(ctx, model.At(s.Now()), rows)
}

func (s *Store) nextTry(ctx context.Context, at model.Instant, rows []model.Delivery) error {
	if len(rows) == 0 {
		return nil
	}
	return s.write(ctx, func(t *tx) error {
		return t.Exec("UPDATE deliveries SET next_at = ? WHERE state = 2 AND (distribution_id, recipient_id) IN "+
			pairs(rows, deliveryKey), at).Error
	})
}
