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

// ClaimRetries claims up to limit copies of the distribution lease names whose
// next try is due, the longest waiting first: nobody else gets them while the
// claim lasts. It gives their rows and, house letters apart, the recipients,
// ended or not.
func (s *Store) ClaimRetries(ctx context.Context, lease model.Chunk, now model.Instant, limit int) ([]model.Delivery, []model.Subscriber, error) {
	var rows []model.Delivery
	var subs []model.Subscriber
	err := s.write(ctx, func(t *tx) error {
		rows, subs = nil, nil
		var ids []int64
		err := t.Raw("INSERT INTO queue_claims (distribution_id, recipient_id, owner, until) SELECT r.distribution_id, r.recipient_id, CAST(? AS TEXT), CAST(? AS BIGINT)"+
			" FROM deliveries r WHERE r.distribution_id = ? AND r.state = 2 AND r.next_at <= ? AND NOT EXISTS (SELECT 1 FROM queue_claims c"+
			" WHERE c.distribution_id = r.distribution_id AND c.recipient_id = r.recipient_id AND c.until >= ?) ORDER BY r.next_at LIMIT ?"+
			" ON CONFLICT (distribution_id, recipient_id) DO UPDATE SET owner = excluded.owner, until = excluded.until WHERE queue_claims.until < ?"+
			" RETURNING recipient_id", lease.Owner, lease.LeaseUntil, lease.DistributionID, now, now, limit, now).Scan(&ids).Error
		if err != nil || len(ids) == 0 {
			return err
		}
		// Read again under the claim: another node may have been through with a
		// copy just before.
		if err := t.Where("distribution_id = ? AND state = 2 AND next_at <= ? AND recipient_id IN ?", lease.DistributionID, now, ids).
			Find(&rows).Error; err != nil {
			return err
		}
		if len(rows) < len(ids) {
			if err := t.Exec("DELETE FROM queue_claims WHERE distribution_id = ? AND owner = ? AND recipient_id IN ? AND recipient_id NOT IN"+
				" (SELECT recipient_id FROM deliveries WHERE distribution_id = ? AND state = 2 AND next_at <= ? AND recipient_id IN ?)",
				lease.DistributionID, lease.Owner, ids, lease.DistributionID, now, ids).Error; err != nil {
				return err
			}
		}
		subs, err = s.people(t.DB, "id IN ? ORDER BY id", ids)
		return err
	})
	return rows, subs, err
}

// RenewClaims prolongs claims of owner and gives those it has not any more: the
// outcome was recorded, another node has claimed the copy, or it was cancelled. rows
// are those still in work.
func (s *Store) RenewClaims(ctx context.Context, owner string, until model.Instant, rows []model.Delivery) ([]model.Delivery, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	var kept []model.Delivery // ids only
	err := s.write(ctx, func(t *tx) error {
		kept = nil
		return t.Raw("UPDATE queue_claims SET until = ? WHERE owner = ? AND (distribution_id, recipient_id) IN "+pairs(rows, deliveryKey)+
			" RETURNING distribution_id, recipient_id", until, owner).Scan(&kept).Error
	})
	if err != nil || len(kept) == len(rows) {
		return nil, err
	}
	have := make(map[[2]int64]bool, len(kept))
	for _, r := range kept {
		have[[2]int64{r.DistributionID, r.RecipientID}] = true
	}
	var lost []model.Delivery
	for _, r := range rows {
		if !have[[2]int64{r.DistributionID, r.RecipientID}] {
			lost = append(lost, r)
		}
	}
	return lost, nil
}

// ReleaseClaims gives claimed copies back: they are due as before.
func (s *Store) ReleaseClaims(ctx context.Context, owner string, rows []model.Delivery) error {
	if len(rows) == 0 {
		return nil
	}
	return s.write(ctx, func(t *tx) error {
		t.signal(TopicQueue)
		return t.Exec("DELETE FROM queue_claims WHERE owner = ? AND (distribution_id, recipient_id) IN "+pairs(rows, deliveryKey), owner).Error
	})
}
