package store

import (
	"context"

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
	var rows []TracedDelivery
	err := s.read(ctx).Raw(`SELECT d.*, COALESCE(s.email, x.recipient) AS email
		FROM deliveries d JOIN distributions x ON x.id = d.distribution_id LEFT JOIN subscribers s ON s.id = d.recipient_id
		WHERE d.distribution_id = ? ORDER BY (d.state = ?), d.at, d.recipient_id LIMIT ?`,
		distributionID, model.DeliverySent, limit).Scan(&rows).Error
	return rows, s.fault(err)
}

// DeliveriesTo gives the deliveries of these distributions to these recipients.
func (s *Store) DeliveriesTo(ctx context.Context, distributionIDs, recipientIDs []int64) ([]model.Delivery, error) {
	var rows []model.Delivery
	if len(distributionIDs) == 0 || len(recipientIDs) == 0 {
		return nil, nil
	}
	err := s.read(ctx).Where("distribution_id IN ? AND recipient_id IN ?", distributionIDs, recipientIDs).Find(&rows).Error
	return rows, s.fault(err)
}

// BouncesTo gives what came back of these distributions from these recipients,
// oldest first.
func (s *Store) BouncesTo(ctx context.Context, distributionIDs, recipientIDs []int64) ([]model.Bounce, error) {
	var rows []model.Bounce
	if len(distributionIDs) == 0 || len(recipientIDs) == 0 {
		return nil, nil
	}
	err := s.read(ctx).Where("distribution_id IN ? AND recipient_id IN ?", distributionIDs, recipientIDs).Order("id").Find(&rows).Error
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
	err := s.read(ctx).Raw("SELECT reply AS why, count(*) AS n FROM deliveries WHERE distribution_id = ? AND state = ? GROUP BY reply ORDER BY n DESC, why LIMIT 20",
		distributionID, model.DeliverySkipped).Scan(&rows).Error
	return rows, s.fault(err)
}

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
