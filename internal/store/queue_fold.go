package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// foldRows is how many recipients one packed row holds, and one transaction
// moves: few milliseconds, so that nobody who writes waits for long.
const foldRows = 1000

// foldLook is how many distributions are looked up at a time.
const foldLook = 100

// FoldDeliveries packs the records of distributions that were finished before
// before: a hundred octets a recipient as rows, fifteen in the packs of their
// commits, become one to five. Readers of deliveries see no difference but this:
// times are whole seconds, and of the reply to a copy that was taken only its
// status code is left. House letters are not folded, Prune removes them. It
// gives the number of recipients folded; an error leaves what is done so far.
func (s *Store) FoldDeliveries(ctx context.Context, before time.Time) (n int64, err error) {
	after := int64(0)
	for {
		var ids []int64
		// What lies before the first record of all was folded long ago.
		err := s.read(ctx).Raw("SELECT d.id FROM distributions d WHERE d.id >= (SELECT min(least) FROM (SELECT min(distribution_id) AS least FROM deliveries UNION ALL SELECT min(distribution_id) FROM delivery_packs) x)"+
			" AND d.id > ? AND d.kind <> ? AND d.done_at > 0 AND d.done_at < ?"+
			" AND (EXISTS (SELECT 1 FROM deliveries x WHERE x.distribution_id = d.id) OR EXISTS (SELECT 1 FROM delivery_packs p WHERE p.distribution_id = d.id))"+
			" ORDER BY d.id LIMIT ?", after, model.DistributeLetter, model.At(before), foldLook).Scan(&ids).Error
		if err != nil || len(ids) == 0 {
			return n, s.fault(err)
		}
		for _, id := range ids {
			k, err := s.foldDistribution(ctx, id)
			n += k
			if err != nil {
				return n, err
			}
		}
		after = ids[len(ids)-1]
	}
}

// foldDistribution folds what one distribution has in rows and packs, in the
// order of its recipients. Each step is whole by itself: after a crash the rest
// is still there as it was.
func (s *Store) foldDistribution(ctx context.Context, id int64) (n int64, err error) {
	last := int64(-1)
	for {
		part, err := s.nextToFold(ctx, id, last)
		if err != nil || len(part.copies) == 0 {
			return n, err
		}
		last = part.copies[len(part.copies)-1].RecipientID
		if slices.ContainsFunc(part.copies, func(d model.Delivery) bool { return d.State == model.DeliveryRetry }) {
			continue // it came after the end; not ours to decide
		}
		if err := s.fold(ctx, id, &part); err != nil {
			return n, err
		}
		n += int64(len(part.copies))
	}
}

// foldable is what one transaction folds.
type foldable struct {
	copies []model.Delivery // by recipient
	packs  int64            // the range whose packs have the rest; 0: none
}

// nextToFold gives what comes after a recipient: the records of the next leased
// range that has packs, or rows before that. Ranges do not overlap.
func (s *Store) nextToFold(ctx context.Context, id, after int64) (part foldable, err error) {
	var next int64
	db := s.read(ctx)
	if err := db.Raw("SELECT COALESCE(min(first_id), 0) FROM delivery_packs WHERE distribution_id = ? AND first_id > ?", id, after).Row().Scan(&next); err != nil {
		return part, s.fault(err)
	}
	rows := db.Where("distribution_id = ? AND recipient_id > ?", id, after)
	if next > 0 {
		rows = rows.Where("recipient_id < ?", next)
	}
	if err := rows.Order("recipient_id").Limit(foldRows).Find(&part.copies).Error; err != nil || len(part.copies) > 0 || next == 0 {
		return part, s.fault(err)
	}
	part.packs = next
	if err := eachPack(db, "p.distribution_id = ? AND p.first_id = ?", []any{id, part.packs}, func(p *packRow) bool {
		for i := range p.copies {
			part.copies = append(part.copies, p.copies[i].Delivery(id))
		}
		return true
	}); err != nil {
		return part, s.fault(err)
	}
	last := part.packs
	for i := range part.copies {
		last = max(last, part.copies[i].RecipientID)
	}
	var among []model.Delivery // the rest of the range, what failed or took longer
	if err := db.Where("distribution_id = ? AND recipient_id BETWEEN ? AND ?", id, part.packs, last).Find(&among).Error; err != nil {
		return part, s.fault(err)
	}
	part.copies = append(part.copies, among...)
	slices.SortFunc(part.copies, func(a, b model.Delivery) int { return cmp.Compare(a.RecipientID, b.RecipientID) })
	return part, nil
}

// fold replaces records by their folded form.
func (s *Store) fold(ctx context.Context, id int64, part *foldable) error {
	c, err := s.coders.get()
	if err != nil {
		return err
	}
	counts := map[model.DeliveryState]int{}
	for i := range part.copies {
		counts[part.copies[i].State]++
	}
	first, last := part.copies[0].RecipientID, part.copies[len(part.copies)-1].RecipientID
	packed := c.enc.EncodeAll(packDeliveries(part.copies), nil)
	return s.write(ctx, func(t *tx) error {
		rows := t.Exec("DELETE FROM deliveries WHERE distribution_id = ? AND recipient_id BETWEEN ? AND ? AND state <> ?",
			id, first, last, model.DeliveryRetry)
		if rows.Error != nil {
			return rows.Error
		}
		taken := rows.RowsAffected
		if part.packs > 0 {
			var copies []int64
			if err := t.Raw("DELETE FROM delivery_packs WHERE distribution_id = ? AND first_id = ? RETURNING copies", id, part.packs).Scan(&copies).Error; err != nil {
				return err
			}
			for _, n := range copies {
				taken += n
			}
		}
		if taken != int64(len(part.copies)) { // somebody else folds, or a late record came
			return fault.New(fault.Conflict, "the deliveries of distribution %d changed while they were folded", id)
		}
		return t.Exec("INSERT INTO delivery_folds (distribution_id, first_id, last_id, sent, failed, skipped, packed) VALUES (?, ?, ?, ?, ?, ?, ?)",
			id, first, last, counts[model.DeliverySent], counts[model.DeliveryFailed], counts[model.DeliverySkipped], packed).Error
	})
}

// foldRow is a row of delivery_folds.
type foldRow struct {
	DistributionID        int64
	Sent, Failed, Skipped int64
	Packed                []byte
}

// folded walks the folded deliveries that a condition on delivery_folds chooses,
// by distribution and recipient.
func (s *Store) folded(ctx context.Context, visit func(*model.Delivery), where string, args ...any) error {
	c, err := s.coders.get()
	if err != nil {
		return err
	}
	rows, err := s.read(ctx).Raw("SELECT distribution_id, packed FROM delivery_folds WHERE "+where+" ORDER BY distribution_id, first_id", args...).Rows()
	if err != nil {
		return s.fault(err)
	}
	defer rows.Close()
	var raw []byte
	for rows.Next() {
		var f foldRow
		if err := rows.Scan(&f.DistributionID, &f.Packed); err != nil {
			return s.fault(err)
		}
		if raw, err = c.dec.DecodeAll(f.Packed, raw[:0]); err != nil {
			return fault.Wrap(fault.Internal, err, "a folded delivery is damaged")
		}
		if err := unpackDeliveries(raw, f.DistributionID, visit); err != nil {
			return err
		}
	}
	return s.fault(rows.Err())
}

// foldCounts adds what is folded of a distribution to the counts of an entry.
func (s *Store) foldCounts(ctx context.Context, e *QueueEntry) error {
	var f foldRow
	err := s.read(ctx).Raw("SELECT COALESCE(sum(sent), 0) AS sent, COALESCE(sum(failed), 0) AS failed, COALESCE(sum(skipped), 0) AS skipped"+
		" FROM delivery_folds WHERE distribution_id = ?", e.ID).Scan(&f).Error
	e.Sent, e.Failed, e.Skipped = e.Sent+f.Sent, e.Failed+f.Failed, e.Skipped+f.Skipped
	return s.fault(err)
}
