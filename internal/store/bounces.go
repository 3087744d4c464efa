package store

import (
	"context"
	"slices"

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
// both, in the order of time.
func (t *tx) bounced(rows []model.Delivery) error {
	var failed []model.Delivery
	var ids []int64
	for _, r := range rows {
		if r.State == model.DeliveryFailed && r.Code >= 500 && r.RecipientID != 0 {
			failed, ids = append(failed, r), append(ids, r.DistributionID)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	slices.Sort(ids)
	var distributions []model.Distribution
	if err := t.Select("id", "list_id").Where("id IN ?", slices.Compact(ids)).Find(&distributions).Error; err != nil {
		return err
	}
	list := map[int64]int64{}
	for i := range distributions {
		list[distributions[i].ID] = distributions[i].ListID
	}
	var args []any
	for _, r := range failed {
		args = append(args, list[r.DistributionID], r.DistributionID, r.RecipientID, int64(r.At), r.Code, r.Reply)
	}
	return t.insertMany("INSERT INTO bounces (list_id, distribution_id, recipient_id, bytes_id, received_at, code, reply) VALUES ", "(?, ?, ?, 0, ?, ?, ?)", "", args)
}

// BouncesOf lists what came back for one recipient of a distribution, by mail or in
// the SMTP dialogue, oldest first.
func (s *Store) BouncesOf(ctx context.Context, distributionID, recipientID int64) ([]model.Bounce, error) {
	var out []model.Bounce
	err := s.read(ctx).Where("distribution_id = ? AND recipient_id = ?", distributionID, recipientID).
		Order("id").Find(&out).Error
	return out, s.fault(err)
}
