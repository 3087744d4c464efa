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

// bounced keeps what was refused for good in the SMTP dialogue where mail that came
// back is kept too, in the same transaction: who looks at failures of addresses finds
// both, in the order of time. The rows are those just offered to deliveries: what
// stands there counts, and once, because a record may come again.
func (t *tx) bounced(rows []model.Delivery) error {
	var failed []model.Delivery
	for _, r := range rows {
		if r.State == model.DeliveryFailed && r.Code >= 500 && r.RecipientID != 0 {
			failed = append(failed, r)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return t.Exec("INSERT INTO bounces (list_id, distribution_id, recipient_id, bytes_id, received_at, code, reply)"+
		" SELECT d.list_id, x.distribution_id, x.recipient_id, 0, x.at, x.code, x.reply FROM deliveries x JOIN distributions d ON d.id = x.distribution_id"+
		" WHERE (x.distribution_id, x.recipient_id) IN "+pairs(failed, deliveryKey)+" AND x.state = ? AND x.code >= 500 AND NOT EXISTS (SELECT 1 FROM bounces b"+
		" WHERE b.distribution_id = x.distribution_id AND b.recipient_id = x.recipient_id AND b.code > 0)", model.DeliveryFailed).Error
}

// BouncesOf lists what came back for one recipient of a distribution, by mail or in
// the SMTP dialogue, oldest first.
func (s *Store) BouncesOf(ctx context.Context, distributionID, recipientID int64) ([]model.Bounce, error) {
	var out []model.Bounce
	err := s.read(ctx).Where("distribution_id = ? AND recipient_id = ?", distributionID, recipientID).
		Order("id").Find(&out).Error
	return out, s.fault(err)
}
