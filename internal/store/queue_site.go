package store

import (
	"context"
	"time"

	"plenary/internal/model"
)

// restHalted is how long a copy is left alone whose distribution may not go on.
const restHalted = 10 * time.Minute

// WaitingSites looks at up to limit sites that copies wait for, by number from
// the one after afterSite (-1: from the first). It costs an index look for each,
// however many copies wait.
func (s *Store) WaitingSites(ctx context.Context, now model.Instant, afterSite int64, limit int) ([]model.SiteDue, error) {
	var out []model.SiteDue
	err := s.read(ctx).Raw("WITH RECURSIVE w(site, n) AS (SELECT (SELECT d.site FROM deliveries d WHERE d.state = 2 AND d.site > ? ORDER BY d.site LIMIT 1), 1"+
		" UNION ALL SELECT (SELECT d.site FROM deliveries d WHERE d.state = 2 AND d.site > w.site ORDER BY d.site LIMIT 1), w.n + 1"+
		" FROM w WHERE w.site IS NOT NULL AND w.n < ?)"+
		" SELECT w.site AS site, EXISTS (SELECT 1 FROM deliveries x WHERE x.state = 2 AND x.site = w.site AND x.next_at <= ?) AS due"+
		" FROM w WHERE w.site IS NOT NULL ORDER BY w.site", afterSite, limit, now).Scan(&out).Error
	return out, s.fault(err)
}

// ClaimSites claims copies that wait for these sites and whose next try is due,
// of each as many as there is room for, the longest waiting first: nobody else
// gets them while the claim lasts. Those of distributions that may not go on are
// put off for a while. It is one transaction, because many sites have few copies.
func (s *Store) ClaimSites(ctx context.Context, sites []model.SiteRoom, lease model.Chunk, now model.Instant) (*model.SiteClaim, error) {
	var out model.SiteClaim
	err := s.write(ctx, func(t *tx) error {
		out = model.SiteClaim{}
		var claimed []model.Delivery // ids only
		for _, site := range sites {
			some, err := t.claimSite(site, lease, now)
			if err != nil {
				return err
			}
			claimed = append(claimed, some...)
		}
		if len(claimed) == 0 {
			return nil
		}
		var ids []int64
		seen := map[int64]bool{}
		for _, r := range claimed {
			if !seen[r.DistributionID] {
				seen[r.DistributionID] = true
				ids = append(ids, r.DistributionID)
			}
		}
		if err := t.Raw("SELECT d.* FROM distributions d WHERE d.id IN ? AND d.state IN (0, 2)"+unpaused, ids).Scan(&out.Distributions).Error; err != nil {
			return err
		}
		going := map[int64]bool{}
		for i := range out.Distributions {
			going[out.Distributions[i].ID] = true
		}
		var free []model.Delivery
		for _, r := range claimed {
			if !going[r.DistributionID] {
				free = append(free, r)
			}
		}
		if len(free) > 0 {
			if err := t.Exec("UPDATE deliveries SET next_at = ? WHERE state = 2 AND next_at <= ? AND (distribution_id, recipient_id) IN "+
				pairs(free, deliveryKey), now.Add(restHalted), now).Error; err != nil {
				return err
			}
		}
		// Read again under the claim: another node may have been through with a
		// copy just before.
		if err := t.Where("state = 2 AND next_at <= ? AND (distribution_id, recipient_id) IN "+pairs(claimed, deliveryKey), now).
			Find(&out.Rows).Error; err != nil {
			return err
		}
		return t.claimedSite(&out, claimed, lease.Owner)
	})
	return &out, err
}

// claimSite claims copies of one site and gives their ids.
func (t *tx) claimSite(site model.SiteRoom, lease model.Chunk, now model.Instant) (claimed []model.Delivery, err error) {
	err = t.Raw("INSERT INTO queue_claims (distribution_id, recipient_id, owner, until) SELECT r.distribution_id, r.recipient_id, CAST(? AS TEXT), CAST(? AS BIGINT)"+
		" FROM deliveries r WHERE r.site = ? AND r.state = 2 AND r.next_at <= ? AND NOT EXISTS (SELECT 1 FROM queue_claims c"+
		" WHERE c.distribution_id = r.distribution_id AND c.recipient_id = r.recipient_id AND c.until >= ?) ORDER BY r.next_at LIMIT ?"+
		" ON CONFLICT (distribution_id, recipient_id) DO UPDATE SET owner = excluded.owner, until = excluded.until WHERE queue_claims.until < ?"+
		" RETURNING distribution_id, recipient_id", lease.Owner, lease.LeaseUntil, site.Site, now, now, site.Room, now).Scan(&claimed).Error
	return claimed, err
}

// claimedSite gives back claims without rows and reads the people of the rest.
func (t *tx) claimedSite(out *model.SiteClaim, claimed []model.Delivery, owner string) error {
	have := map[[2]int64]bool{}
	var ids []int64
	for _, r := range out.Rows {
		have[[2]int64{r.DistributionID, r.RecipientID}] = true
		ids = append(ids, r.RecipientID)
	}
	var free []model.Delivery
	for _, r := range claimed {
		if !have[[2]int64{r.DistributionID, r.RecipientID}] {
			free = append(free, r)
		}
	}
	if len(free) > 0 {
		if err := t.Exec("DELETE FROM queue_claims WHERE owner = ? AND (distribution_id, recipient_id) IN "+pairs(free, deliveryKey), owner).Error; err != nil {
			return err
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var err error
	out.People, err = t.s.people(t.DB, "id IN ? ORDER BY id", ids)
	return err
}
