package store

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"plenary/internal/model"
)

// insertRows is how many rows one SQLite statement inserts: measured best, and
// one statement text to keep prepared.
const insertRows = 32

const (
	insertDelivery = "INSERT INTO deliveries (distribution_id, recipient_id, state, attempts, code, reply, at, next_at, site) "
	// A decided copy stays as it was decided first: two nodes may both have
	// sent it when a lease changed hands.
	upsertDelivery = " ON CONFLICT (distribution_id, recipient_id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts," +
		" code = excluded.code, reply = excluded.reply, at = excluded.at, next_at = excluded.next_at, site = excluded.site WHERE deliveries.state = 2"
	deliveryColumns = 9
)

// RecordDeliveries writes the fate of copies, and ends the ranges of which
// these were the last, in one transaction; it is durable when it returns.
// ranges are outcomes under a lease, rows are all others. Rows that wait for
// another try are overwritten, decided ones never. Claimed says whose claim on the
// copy ends: another's, who took it over meanwhile, stays.
func (s *Store) RecordDeliveries(ctx context.Context, ranges []model.RangeOutcomes, rows []model.Delivery, ended []model.Chunk) error {
	claimed := map[string][]model.Delivery{} // by owner
	var maybe []int64                        // distributions that may be finished by this
	for _, c := range ended {
		maybe = append(maybe, c.DistributionID)
	}
	for _, r := range rows {
		if r.Claimed == "" {
			continue
		}
		claimed[r.Claimed] = append(claimed[r.Claimed], r)
		if r.State != model.DeliveryRetry && (len(maybe) == 0 || maybe[len(maybe)-1] != r.DistributionID) {
			maybe = append(maybe, r.DistributionID)
		}
	}
	slices.Sort(maybe)
	maybe = slices.Compact(maybe)
	packs := make([][]byte, len(ranges))
	for i := range ranges {
		if len(ranges[i].Sent) >= packFrom {
			packs[i] = packCopies(ranges[i].Sent)
		}
	}
	return s.write(ctx, func(t *tx) error {
		if len(maybe) > 0 && s.dialect == Postgres {
			// Two nodes that end the last two ranges at once must see each other.
			var ids []int64
			if err := t.Raw("SELECT id FROM distributions WHERE id IN ? ORDER BY id FOR UPDATE", maybe).Scan(&ids).Error; err != nil {
				return err
			}
		}
		all, err := t.putPacks(ctx, ranges, packs)
		if err != nil {
			return err
		}
		all = append(all, rows...)
		if err := t.putRows(ctx, all); err != nil {
			return err
		}
		if again := triedAgain(all); len(again) > 0 {
			if err := t.skipCancelled(again); err != nil {
				return err
			}
		}
		if err := t.bounced(all); err != nil {
			return err
		}
		for owner, some := range claimed {
			if err := t.Exec("DELETE FROM queue_claims WHERE owner = ? AND (distribution_id, recipient_id) IN "+pairs(some, deliveryKey), owner).Error; err != nil {
				return err
			}
		}
		if err := t.endRanges(ended); err != nil {
			return err
		}
		return t.finish(maybe)
	})
}

// triedAgain gives the copies that wait for another try.
func triedAgain(rows []model.Delivery) (again []model.Delivery) {
	for i := range rows {
		if rows[i].State == model.DeliveryRetry {
			again = append(again, rows[i])
		}
	}
	return again
}

// endRanges removes the leases of ranges that are done: on SQLite one by one, in a
// text that stays prepared, on PostgreSQL in one round trip.
func (t *tx) endRanges(ended []model.Chunk) error {
	if len(ended) == 0 {
		return nil
	}
	if t.s.dialect == Postgres {
		return t.Exec("DELETE FROM chunks WHERE (distribution_id, first_id) IN " + pairs(ended, chunkKey)).Error
	}
	for _, c := range ended {
		if _, err := t.exec("DELETE FROM chunks WHERE distribution_id = ? AND first_id = ?", c.DistributionID, c.FirstID); err != nil {
			return err
		}
	}
	return nil
}

// putRows inserts rows, or overwrites those that wait.
func (t *tx) putRows(ctx context.Context, rows []model.Delivery) error {
	slices.SortFunc(rows, func(a, b model.Delivery) int { // the order of the primary key
		return cmp.Or(cmp.Compare(a.DistributionID, b.DistributionID), cmp.Compare(a.RecipientID, b.RecipientID))
	})
	if t.s.dialect == Postgres {
		return t.insertPostgres(ctx, rows)
	}
	return t.insertSQLite(ctx, rows)
}

// insertSQLite writes the rows in statements of insertRows.
func (t *tx) insertSQLite(ctx context.Context, rows []model.Delivery) error {
	pool := t.Statement.ConnPool
	args := make([]any, 0, min(len(rows), insertRows)*deliveryColumns)
	for len(rows) > 0 {
		n := min(len(rows), insertRows)
		args = args[:0]
		for i := range rows[:n] {
			r := &rows[i]
			args = append(args, r.DistributionID, r.RecipientID, int64(r.State), int64(r.Attempts), int64(r.Code), r.Reply, int64(r.At), int64(r.NextAt), r.Site)
		}
		_, err := pool.ExecContext(ctx, insertText(n), args...)
		if err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func insertText(n int) string {
	row := "(?" + strings.Repeat(",?", deliveryColumns-1) + ")"
	return insertDelivery + "VALUES " + row + strings.Repeat(","+row, n-1) + upsertDelivery
}

// insertPostgres writes all rows in one statement whose text is always the
// same: columns as arrays.
func (t *tx) insertPostgres(ctx context.Context, rows []model.Delivery) error {
	if len(rows) == 0 {
		return nil
	}
	var ints [deliveryColumns - 1][]int64
	for i := range ints {
		ints[i] = make([]int64, len(rows))
	}
	replies := make([]string, len(rows))
	for i := range rows {
		r := &rows[i]
		for c, v := range [...]int64{r.DistributionID, r.RecipientID, int64(r.State), int64(r.Attempts), int64(r.Code), int64(r.At), int64(r.NextAt), r.Site} {
			ints[c][i] = v
		}
		replies[i] = r.Reply
	}
	var b strings.Builder
	b.WriteString(insertDelivery + "SELECT a, b, c, d, e, i, f, g, h FROM unnest(")
	for i := range ints {
		b.WriteString("$" + strconv.Itoa(i+1) + "::bigint[],")
	}
	b.WriteString("$9::text[]) AS x (a, b, c, d, e, f, g, h, i)" + upsertDelivery)
	_, err := t.Statement.ConnPool.ExecContext(ctx, b.String(), ints[0], ints[1], ints[2], ints[3], ints[4], ints[5], ints[6], ints[7], replies)
	return err
}

// finish marks those of these distributions that owe nothing any more.
func (t *tx) finish(ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	these, args := in([]any{t.s.queueNow()}, ids)
	_, err := t.exec("UPDATE distributions SET done_at = ? WHERE id IN "+these+" AND state = 2 AND done_at = 0"+
		" AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.distribution_id = distributions.id)"+
		" AND NOT EXISTS (SELECT 1 FROM deliveries x WHERE x.distribution_id = distributions.id AND x.state = 2)", args...)
	return err
}
