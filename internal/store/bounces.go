package store

import (
	"context"

	"plenary/internal/model"
)

// SaveBounce keeps mail that came to a bounce address, byte for byte, with the
// delivery it names; b.ID and b.BytesID are set. A ListID of 0 is filled in
// from the distribution.
func (s *Store) SaveBounce(ctx context.Context, b *model.Bounce, raw []byte) error {
	return s.write(ctx, func(t *tx) error {
		row := *b
		if row.ReceivedAt.IsZero() {
			row.ReceivedAt = model.Instant(s.now())
		}
		if row.ListID == 0 && row.DistributionID != 0 {
			d, err := first[model.Distribution](t.Where("id = ?", row.DistributionID))
			if err != nil {
				return err
			}
			if d != nil {
				row.ListID = d.ListID
			}
		}
		var err error
		if row.BytesID, err = t.putBytes(raw); err != nil {
			return err
		}
		err = t.Raw(`INSERT INTO bounces (list_id, distribution_id, recipient_id, bytes_id, received_at)
			VALUES (?, ?, ?, ?, ?) RETURNING id`,
			row.ListID, row.DistributionID, row.RecipientID, row.BytesID, row.ReceivedAt).Row().Scan(&row.ID)
		if err == nil {
			*b = row
		}
		return err
	})
}

// BouncesOf lists what came back for one recipient of a distribution, oldest
// first.
func (s *Store) BouncesOf(ctx context.Context, distributionID, recipientID int64) ([]model.Bounce, error) {
	var out []model.Bounce
	err := s.read(ctx).Where("distribution_id = ? AND recipient_id = ?", distributionID, recipientID).
		Order("id").Find(&out).Error
	return out, s.fault(err)
}
