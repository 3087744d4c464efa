package store

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"plenary/internal/model"
)

// LeaseRange leases the next range of a distribution's audience, up to limit
// people, to lease.Owner until lease.LeaseUntil. d is the distribution as last
// read; its Cursor and State are moved on. A nil chunk means there is nothing to
// lease: the cursor is through, or another node was quicker.
func (s *Store) LeaseRange(ctx context.Context, d *model.Distribution, lease model.Chunk, limit int) (*model.Chunk, []model.Subscriber, error) {
	// Without the turn to write: the cursor is compared when it is moved.
	subs, err := s.nextPeople(ctx, d, limit)
	if err != nil {
		return nil, nil, err
	}
	next, state := d.Cursor, model.DistributionActive
	if len(subs) > 0 {
		next = subs[len(subs)-1].ID
	}
	if len(subs) < limit {
		state = model.DistributionDone
	}
	lease.DistributionID, lease.FirstID, lease.LastID = d.ID, d.Cursor+1, next
	won, err := s.moveCursor(ctx, d, state, lease, len(subs) == 0)
	if err != nil || !won || len(subs) == 0 {
		return nil, nil, err
	}
	d.Cursor, d.State = next, state
	return &lease, subs, nil
}

// moveCursor moves a distribution on to the end of a range, unless another node has
// moved it, and writes the lease of the range; with none in it the distribution may
// owe nothing any more. PostgreSQL does that in one statement, a transaction by
// itself: what is asked one after another costs more there than what is done.
func (s *Store) moveCursor(ctx context.Context, d *model.Distribution, state model.DistributionState, lease model.Chunk, none bool) (won bool, err error) {
	const move = "UPDATE distributions SET cursor = ?, state = ? WHERE id = ? AND state = 0 AND cursor = ?"
	const chunk = "INSERT INTO chunks (distribution_id, first_id, last_id, owner, lease_until) "
	if s.dialect == Postgres && !none {
		return s.writeOne(ctx, "WITH moved AS ("+move+" RETURNING id) "+chunk+
			"SELECT id, CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS TEXT), CAST(? AS BIGINT) FROM moved",
			lease.LastID, state, d.ID, d.Cursor, lease.FirstID, lease.LastID, lease.Owner, lease.LeaseUntil)
	}
	err = s.write(ctx, func(t *tx) error {
		if won, err = changed(t.exec(move, lease.LastID, state, d.ID, d.Cursor)); err != nil || !won {
			return err
		}
		if none { // in a statement of its own, that sees what others ended meanwhile
			return t.finish([]int64{d.ID})
		}
		_, err = t.exec(chunk+"VALUES (?, ?, ?, ?, ?)", lease.DistributionID, lease.FirstID, lease.LastID, lease.Owner, lease.LeaseUntil)
		return err
	})
	return won, err
}

// LeaseLetters leases up to limit house letters of a lane, oldest first, to
// lease.Owner until lease.LeaseUntil.
func (s *Store) LeaseLetters(ctx context.Context, lane model.Lane, lease model.Chunk, limit int) ([]model.Distribution, error) {
	var ds []model.Distribution
	pick := "SELECT d.id FROM distributions d WHERE d.state = 0 AND d.lane = ? AND d.kind = ?" + unpaused + " ORDER BY d.id LIMIT ?"
	// Most looks find nothing, and should cost the writer nothing.
	var some int64
	if err := s.read(ctx).Raw(pick, lane, model.DistributeLetter, 1).Scan(&some).Error; err != nil || some == 0 {
		return nil, s.fault(err)
	}
	if s.dialect == Postgres {
		pick += " FOR UPDATE OF d SKIP LOCKED"
	}
	err := s.write(ctx, func(t *tx) error {
		ds = nil
		if err := t.Raw("UPDATE distributions SET cursor = 1, state = ? WHERE id IN ("+pick+") RETURNING *",
			model.DistributionDone, lane, model.DistributeLetter, limit).Scan(&ds).Error; err != nil || len(ds) == 0 {
			return err
		}
		chunks := make([]model.Chunk, len(ds))
		for i := range ds {
			chunks[i] = model.Chunk{DistributionID: ds[i].ID, Owner: lease.Owner, LeaseUntil: lease.LeaseUntil}
		}
		return t.Create(&chunks).Error
	})
	slices.SortFunc(ds, func(a, b model.Distribution) int { return int(a.ID - b.ID) })
	return ds, err
}

// TakeOver takes one range whose lease ran out before now, with those of its
// audience that are not decided yet. A nil chunk means there is none. For a
// house letter there are no subscribers. Ranges that owe nothing end on the way.
func (s *Store) TakeOver(ctx context.Context, lane model.Lane, lease model.Chunk, now model.Instant) (*model.Distribution, *model.Chunk, []model.Subscriber, error) {
	for {
		c, err := s.takeChunk(ctx, lane, lease, now)
		if err != nil || c == nil {
			return nil, nil, nil, err
		}
		d, err := s.GetDistribution(ctx, c.DistributionID)
		if err != nil {
			return nil, nil, nil, err
		}
		var subs []model.Subscriber
		owes := true
		if d.Kind == model.DistributeLetter {
			var n int64
			err = s.read(ctx).Model(&model.Delivery{}).Where("distribution_id = ?", d.ID).Count(&n).Error
			owes = n == 0
		} else {
			subs, err = s.undecided(s.read(ctx), d, c)
			owes = len(subs) > 0
		}
		if err != nil || owes {
			return d, c, subs, s.fault(err)
		}
		if err := s.RecordDeliveries(ctx, nil, nil, []model.Chunk{*c}); err != nil {
			return nil, nil, nil, err
		}
	}
}

// takeChunk moves one lease that ran out to its new owner; nil when there is
// none.
func (s *Store) takeChunk(ctx context.Context, lane model.Lane, lease model.Chunk, now model.Instant) (*model.Chunk, error) {
	for {
		var c model.Chunk
		err := s.read(ctx).Raw("SELECT c.* FROM chunks c JOIN distributions d ON d.id = c.distribution_id WHERE c.lease_until < ?"+
			" AND d.lane = ? AND d.state IN (0, 2)"+unpaused+" ORDER BY c.distribution_id, c.first_id LIMIT 1", now, lane).Scan(&c).Error
		if err != nil || c.DistributionID == 0 {
			return nil, s.fault(err)
		}
		won := false
		err = s.write(ctx, func(t *tx) error {
			res := t.Exec("UPDATE chunks SET owner = ?, lease_until = ? WHERE distribution_id = ? AND first_id = ? AND lease_until = ?",
				lease.Owner, lease.LeaseUntil, c.DistributionID, c.FirstID, c.LeaseUntil)
			won = res.RowsAffected == 1
			return res.Error
		})
		if err != nil {
			return nil, err
		}
		if won {
			c.Owner, c.LeaseUntil = lease.Owner, lease.LeaseUntil
			return &c, nil
		}
	}
}

// undecided gives the part of a range that has no record yet.
func (s *Store) undecided(db *gorm.DB, d *model.Distribution, c *model.Chunk) ([]model.Subscriber, error) {
	// People before packs: what is recorded between the two reads is seen.
	subs, err := s.people(db, audience+" AND id BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM deliveries x WHERE x.distribution_id = ?"+
		" AND x.recipient_id = s.id) ORDER BY id", d.ListID, d.Seq, d.Seq, c.FirstID, c.LastID, d.ID)
	if err != nil {
		return nil, err
	}
	packed, err := packedIn(db, d.ID, c.FirstID)
	return slices.DeleteFunc(subs, func(s model.Subscriber) bool { return packed[s.ID] }), err
}

// Reclaim frees at once everything that owner holds, ranges, letters and copies
// being tried again: an earlier run of the same node ended without giving them
// back. copies is how many of their recipients are not decided: so many at most
// were on the way.
func (s *Store) Reclaim(ctx context.Context, owner string) (ranges, copies int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		var chunks []model.Chunk
		if err := t.Raw("UPDATE chunks SET owner = '', lease_until = 0 WHERE owner = ? RETURNING *", owner).Scan(&chunks).Error; err != nil {
			return err
		}
		res := t.Exec("DELETE FROM queue_claims WHERE owner = ?", owner)
		if res.Error != nil {
			return res.Error
		}
		ranges, copies = int64(len(chunks)), res.RowsAffected
		for _, c := range chunks {
			var n int64
			if err := t.Raw("SELECT CASE WHEN d.kind = ? THEN 1 ELSE (SELECT count(*) FROM subscribers s WHERE s.list_id = d.list_id"+
				" AND s.began_seq <= d.seq AND (s.ended_seq = 0 OR s.ended_seq > d.seq) AND (s.roles & 1) <> 0 AND s.id BETWEEN ? AND ?) END"+
				" - (SELECT count(*) FROM deliveries x WHERE x.distribution_id = d.id AND x.recipient_id BETWEEN ? AND ?)"+
				" - (SELECT COALESCE(sum(p.copies), 0) FROM delivery_packs p WHERE p.distribution_id = d.id AND p.first_id = ?)"+
				" FROM distributions d WHERE d.id = ?", model.DistributeLetter, c.FirstID, c.LastID, c.FirstID, c.LastID, c.FirstID, c.DistributionID).
				Scan(&n).Error; err != nil {
				return err
			}
			copies += n
		}
		return nil
	})
	return ranges, copies, err
}

// RenewChunks prolongs the leases owner holds on these ranges and gives those
// it has lost: taken over by another node, or cancelled.
func (s *Store) RenewChunks(ctx context.Context, owner string, until model.Instant, chunks []model.Chunk) ([]model.Chunk, error) {
	var kept []model.Chunk
	if len(chunks) == 0 {
		return nil, nil
	}
	err := s.write(ctx, func(t *tx) error {
		kept = nil
		return t.Raw("UPDATE chunks SET lease_until = ? WHERE owner = ? AND (distribution_id, first_id) IN "+pairs(chunks, chunkKey)+
			" RETURNING *", until, owner).Scan(&kept).Error
	})
	if err != nil || len(kept) == len(chunks) {
		return nil, err
	}
	var lost []model.Chunk
	for _, c := range chunks {
		if !slices.ContainsFunc(kept, func(k model.Chunk) bool { return k.DistributionID == c.DistributionID && k.FirstID == c.FirstID }) {
			lost = append(lost, c)
		}
	}
	return lost, nil
}

// ReleaseChunks gives ranges back undone: any node may take them at once.
func (s *Store) ReleaseChunks(ctx context.Context, owner string, chunks []model.Chunk) error {
	if len(chunks) == 0 {
		return nil
	}
	return s.write(ctx, func(t *tx) error {
		t.signal(TopicQueue)
		return t.Exec("UPDATE chunks SET owner = '', lease_until = 0 WHERE owner = ? AND (distribution_id, first_id) IN "+
			pairs(chunks, chunkKey), owner).Error
	})
}
