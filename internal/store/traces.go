package store

import (
	"cmp"
	"context"
	"slices"

	"plenary/internal/model"
)

// TracedDelivery is a delivery with the address it went to.
type TracedDelivery struct {
	model.Delivery
	Email string
}

// TracedDeliveries gives up to limit deliveries of a distribution: first what failed,
// waits or was skipped, then what was sent; each in the order of time.
func (s *Store) TracedDeliveries(ctx context.Context, distributionID int64, limit int) ([]TracedDelivery, error) {
	rows, err := s.tracedUnfolded(ctx, distributionID, limit)
	if err != nil {
		return nil, err
	}
	own := len(rows)
	keepFirst := func() {
		slices.SortFunc(rows, func(a, b TracedDelivery) int {
			switch sent := a.State == model.DeliverySent; {
			case sent == (b.State == model.DeliverySent):
				return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.RecipientID, b.RecipientID))
			case sent:
				return 1
			default:
				return -1
			}
		})
		rows = rows[:min(len(rows), limit)]
	}
	err = s.folded(ctx, func(d *model.Delivery) {
		if rows = append(rows, TracedDelivery{Delivery: *d}); len(rows) > 2*limit+foldRows {
			keepFirst()
		}
	}, "distribution_id = ?", distributionID)
	if err != nil || len(rows) == own {
		return rows, err
	}
	keepFirst()
	return rows, s.nameFolded(ctx, rows)
}

// nameFolded fills in the addresses of those that have none.
func (s *Store) nameFolded(ctx context.Context, rows []TracedDelivery) error {
	var ids []int64
	for i := range rows {
		if rows[i].Email == "" {
			ids = append(ids, rows[i].RecipientID)
		}
	}
	names := map[int64]string{}
	for part := range slices.Chunk(ids, 500) {
		subs, err := s.Recipients(ctx, part)
		if err != nil {
			return err
		}
		for i := range subs {
			names[subs[i].ID] = subs[i].Email
		}
	}
	for i := range rows {
		if rows[i].Email == "" {
			rows[i].Email = names[rows[i].RecipientID]
		}
	}
	return nil
}

// tracedUnfolded is TracedDeliveries of what is not folded.
func (s *Store) tracedUnfolded(ctx context.Context, distributionID int64, limit int) ([]TracedDelivery, error) {
	var rows []TracedDelivery
	err := s.read(ctx).Raw(`SELECT d.*, COALESCE(s.email, x.recipient) AS email
		FROM deliveries d JOIN distributions x ON x.id = d.distribution_id LEFT JOIN subscribers s ON s.id = d.recipient_id
		WHERE d.distribution_id = ? ORDER BY (d.state = ?), d.at, d.recipient_id LIMIT ?`,
		distributionID, model.DeliverySent, limit).Scan(&rows).Error
	if err != nil || len(rows) >= limit {
		return rows, s.fault(err)
	}
	troubled := slices.IndexFunc(rows, func(r TracedDelivery) bool { return r.State == model.DeliverySent })
	if troubled < 0 {
		troubled = len(rows)
	}
	var packed []TracedDelivery
	var ids []int64
	err = eachPack(s.read(ctx), "p.distribution_id = ? ORDER BY p.id", []any{distributionID}, func(p *packRow) bool {
		for i := range p.copies {
			packed = append(packed, TracedDelivery{Delivery: p.copies[i].Delivery(distributionID)})
			ids = append(ids, p.copies[i].RecipientID)
		}
		return troubled+len(packed) < limit
	})
	if err != nil {
		return nil, s.fault(err)
	}
	people, err := s.Recipients(ctx, ids)
	for i := range packed {
		if n, ok := slices.BinarySearchFunc(people, packed[i].RecipientID, func(p model.Subscriber, id int64) int { return cmp.Compare(p.ID, id) }); ok {
			packed[i].Email = people[n].Email
		}
	}
	rows = append(rows, packed...)
	slices.SortStableFunc(rows[troubled:], func(a, b TracedDelivery) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.RecipientID, b.RecipientID))
	})
	return rows[:min(len(rows), limit)], err
}

// DeliveriesTo gives the deliveries of these distributions to these recipients.
func (s *Store) DeliveriesTo(ctx context.Context, distributionIDs, recipientIDs []int64) ([]model.Delivery, error) {
	var rows []model.Delivery
	if len(distributionIDs) == 0 || len(recipientIDs) == 0 {
		return nil, nil
	}
	db := s.read(ctx)
	err := db.Where("distribution_id IN ? AND recipient_id IN ?", distributionIDs, recipientIDs).Find(&rows).Error
	for _, id := range recipientIDs {
		if err != nil {
			break
		}
		// Ranges do not overlap: who is in one is in the last that begins before.
		err = eachPack(db, "p.distribution_id IN ? AND p.first_id = (SELECT max(q.first_id) FROM delivery_packs q"+
			" WHERE q.distribution_id = p.distribution_id AND q.first_id <= ?)", []any{distributionIDs, id}, func(p *packRow) bool {
			if n, ok := slices.BinarySearchFunc(p.copies, id, func(c model.SentCopy, id int64) int { return cmp.Compare(c.RecipientID, id) }); ok {
				rows = append(rows, p.copies[n].Delivery(p.distribution))
			}
			return true
		})
	}
	if err != nil {
		return nil, s.fault(err)
	}
	err = s.folded(ctx, func(d *model.Delivery) {
		if slices.Contains(recipientIDs, d.RecipientID) {
			rows = append(rows, *d)
		}
	}, "distribution_id IN ? AND first_id <= ? AND last_id >= ?", distributionIDs, slices.Max(recipientIDs), slices.Min(recipientIDs))
	return rows, err
}

// BouncesTo gives what came back by mail of these distributions from these recipients,
// oldest first.
func (s *Store) BouncesTo(ctx context.Context, distributionIDs, recipientIDs []int64) ([]model.Bounce, error) {
	var rows []model.Bounce
	if len(distributionIDs) == 0 || len(recipientIDs) == 0 {
		return nil, nil
	}
	err := s.read(ctx).Where("distribution_id IN ? AND recipient_id IN ? AND code = 0", distributionIDs, recipientIDs).Order("id").Find(&rows).Error
	return rows, s.fault(err)
}

// SkipReason is why recipients got no copy, and how many.
type SkipReason struct {
	Why string
	N   int64
}

// SkipReasons counts the skipped recipients of a distribution by reason, the
// most frequent first.
func (s *Store) SkipReasons(ctx context.Context, distributionID int64) ([]SkipReason, error) {
	var rows []SkipReason
	err := s.read(ctx).Raw("SELECT reply AS why, count(*) AS n FROM deliveries WHERE distribution_id = ? AND state = ? GROUP BY reply",
		distributionID, model.DeliverySkipped).Scan(&rows).Error
	if err != nil {
		return nil, s.fault(err)
	}
	n := map[string]int64{}
	for _, r := range rows {
		n[r.Why] += r.N
	}
	err = s.folded(ctx, func(d *model.Delivery) {
		if d.State == model.DeliverySkipped {
			n[d.Reply]++
		}
	}, "distribution_id = ? AND skipped > 0", distributionID)
	rows = rows[:0]
	for why, k := range n {
		rows = append(rows, SkipReason{why, k})
	}
	slices.SortFunc(rows, func(a, b SkipReason) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Why, b.Why)) })
	return rows[:min(len(rows), maxReasons)], err
}

// maxReasons is how many reasons of a distribution are told apart.
const maxReasons = 20

// DistributionsOf gives the distributions of a post, oldest first.
func (s *Store) DistributionsOf(ctx context.Context, post model.PostID) ([]model.Distribution, error) {
	var rows []model.Distribution
	err := s.read(ctx).Where("post_id = ?", post).Order("id").Find(&rows).Error
	return rows, s.fault(err)
}

// LatestDistributions gives the newest distributions of a list's posts, newest
// first.
func (s *Store) LatestDistributions(ctx context.Context, listID int64, limit int) ([]model.Distribution, error) {
	var rows []model.Distribution
	err := s.read(ctx).Where("list_id = ? AND kind = ?", listID, model.DistributePost).Order("id DESC").Limit(limit).Find(&rows).Error
	return rows, s.fault(err)
}

// LettersTo gives the newest house letters to an address, newest first.
func (s *Store) LettersTo(ctx context.Context, recipient string, limit int) ([]model.Distribution, error) {
	var rows []model.Distribution
	err := s.read(ctx).Where("recipient = ? AND kind = ?", recipient, model.DistributeLetter).Order("id DESC").Limit(limit).Find(&rows).Error
	return rows, s.fault(err)
}

// MembershipsOf gives every row the address has or had on any list, ended ones
// too, by list and oldest first.
func (s *Store) MembershipsOf(ctx context.Context, emailKey string) ([]model.Subscriber, error) {
	var rows []model.Subscriber
	err := s.read(ctx).Where("email_key = ?", emailKey).Order("list_id, id").Find(&rows).Error
	return rows, s.fault(err)
}
