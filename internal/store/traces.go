package store

import (
	"context"
	"strings"

	"plenary/internal/model"
)

// DeliveryFilter chooses deliveries; zero fields do not narrow. One of
// DistributionID, RecipientID with ListID, and Letter must be set.
type DeliveryFilter struct {
	DistributionID int64
	RecipientID    int64
	ListID         int64
	Letter         string // recipient of house letters
	Troubled       bool   // only what failed, was skipped, or waits
	Limit          int
}

// TracedDelivery is a delivery with the names a person understands.
type TracedDelivery struct {
	model.Delivery
	ListID int64
	PostID model.PostID
	Email  string
}

// DeliveriesLike gives the latest deliveries that match, newest first.
func (s *Store) DeliveriesLike(ctx context.Context, f DeliveryFilter) ([]TracedDelivery, error) {
	var where []string
	var args []any
	add := func(cond string, v ...any) { where, args = append(where, cond), append(args, v...) }
	switch {
	case f.DistributionID != 0:
		add("d.distribution_id = ?", f.DistributionID)
	case f.RecipientID != 0:
		// The list's distributions are walked: deliveries have no index by
		// recipient, which would cost every copy a second write.
		add("d.recipient_id = ? AND d.distribution_id IN (SELECT id FROM distributions WHERE list_id = ? AND kind = ? ORDER BY id DESC LIMIT 5000)",
			f.RecipientID, f.ListID, model.DistributePost)
	default:
		add("x.recipient = ? AND x.kind = ? AND d.recipient_id = 0", f.Letter, model.DistributeLetter)
	}
	if f.Troubled {
		add("d.state <> ?", model.DeliverySent)
	}
	var rows []TracedDelivery
	err := s.read(ctx).Raw(`SELECT d.*, x.list_id, x.post_id, COALESCE(s.email, x.recipient) AS email
		FROM deliveries d JOIN distributions x ON x.id = d.distribution_id LEFT JOIN subscribers s ON s.id = d.recipient_id
		WHERE `+strings.Join(where, " AND ")+" ORDER BY d.at DESC LIMIT ?", append(args, f.Limit)...).Scan(&rows).Error
	return rows, s.fault(err)
}

// DistributionsOf gives the distributions of a post, oldest first.
func (s *Store) DistributionsOf(ctx context.Context, post model.PostID) ([]model.Distribution, error) {
	var rows []model.Distribution
	err := s.read(ctx).Where("post_id = ?", post).Order("id").Find(&rows).Error
	return rows, s.fault(err)
}
