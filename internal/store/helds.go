package store

import (
	"context"
	"database/sql"
	"errors"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// errDuplicate rolls a transaction back that found its work done already.
var errDuplicate = errors.New("store: done already")

// SaveHeld keeps a post for a human, with its bytes and the trace line, in one
// transaction; h.ID and h.BytesID are set. When a post with the same message
// key waits on that list already, nothing is written: dup is true and h.ID
// names the one that waits. A nil event writes no trace.
func (s *Store) SaveHeld(ctx context.Context, h *model.Held, raw []byte, event *model.Event) (dup bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		bytesID, err := t.putBytes(raw)
		if err != nil {
			return err
		}
		row := *h
		row.BytesID, row.State = bytesID, model.HeldPending
		if row.CreatedAt.IsZero() {
			row.CreatedAt = model.Instant(s.now())
		}
		if row.UID, err = t.takeHeldUID(row.ListID); err != nil {
			return err
		}
		if row.ID, err = t.insertHeld(&row); err != nil {
			return err
		}
		*h = row
		t.signal(TopicList(row.ListID))
		return t.saveEvent(event)
	})
	if !errors.Is(err, errDuplicate) {
		return false, err
	}
	waiting, err := first[model.Held](s.read(ctx).
		Where("list_id = ? AND message_key = ? AND state = ?", h.ListID, h.MessageKey, model.HeldPending))
	if err == nil && waiting != nil {
		*h = *waiting
	}
	return true, s.fault(err)
}

// takeHeldUID takes the next UID of what waits on a list. It locks the list's
// counters until the commit: UIDs appear in the order of commits.
func (t *tx) takeHeldUID(listID int64) (model.UID, error) {
	var next int64
	err := t.Raw("UPDATE list_counters SET held_uid_next = held_uid_next + 1 WHERE list_id = ? RETURNING held_uid_next", listID).
		Row().Scan(&next)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, fault.New(fault.NotFound, "there is no such list")
	case err == nil && next > 1<<32-1:
		return 0, fault.New(fault.TooMany, "too many posts have waited on the list")
	}
	return model.UID(next - 1), err
}

// insertHeld gives errDuplicate when the post waits already.
func (t *tx) insertHeld(h *model.Held) (id int64, err error) {
	err = t.Raw(`INSERT INTO helds (list_id, message_key, reverse_path, author, author_key, subject, size, bytes_id,
		reasons, trace, token_hash, state, created_at, expires_at, decided_at, decided_by, comment, uid)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', '', ?)
		ON CONFLICT (list_id, message_key) WHERE state = 0 DO NOTHING RETURNING id`,
		h.ListID, h.MessageKey, h.ReversePath, h.Author, h.AuthorKey, h.Subject, h.Size, h.BytesID,
		h.Reasons, h.Trace, h.TokenHash, h.State, h.CreatedAt, h.ExpiresAt, h.UID).Row().Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, errDuplicate
	}
	return id, err
}

// GetHeld finds a held post by its number; NotFound when there is none.
func (s *Store) GetHeld(ctx context.Context, id int64) (*model.Held, error) {
	h, err := first[model.Held](s.read(ctx).Where("id = ?", id))
	if err == nil && h == nil {
		return nil, fault.New(fault.NotFound, "there is no held post %d", id)
	}
	return h, s.fault(err)
}

// FindHeldByToken finds the held post a moderators' token belongs to, decided
// or not; nil when there is none.
func (s *Store) FindHeldByToken(ctx context.Context, hash []byte) (*model.Held, error) {
	if len(hash) == 0 {
		return nil, nil
	}
	h, err := first[model.Held](s.read(ctx).Where("token_hash = ?", hash))
	return h, s.fault(err)
}

// HeldOf lists held posts in this state, oldest first: of one list, or of all
// when listID is 0.
func (s *Store) HeldOf(ctx context.Context, listID int64, state model.HeldState) ([]model.Held, error) {
	q := s.read(ctx).Where("state = ?", state)
	if listID != 0 {
		q = q.Where("list_id = ?", listID)
	}
	var out []model.Held
	return out, s.fault(q.Order("id").Find(&out).Error)
}

// PendingHeld gives what waits on a list in the order of UIDs, at most limit
// posts, and a UID above theirs that the next one will have at least.
func (s *Store) PendingHeld(ctx context.Context, listID int64, limit int) (waiting []model.Held, next model.UID, err error) {
	var n int64
	err = s.read(ctx).Raw("SELECT held_uid_next FROM list_counters WHERE list_id = ?", listID).Row().Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, fault.New(fault.NotFound, "there is no such list")
	}
	if err != nil {
		return nil, 0, s.fault(err)
	}
	err = s.read(ctx).Where("list_id = ? AND state = ?", listID, model.HeldPending).Order("uid").Limit(limit + 1).Find(&waiting).Error
	next = model.UID(n)
	if len(waiting) > limit {
		next, waiting = waiting[limit].UID, waiting[:limit]
	}
	if len(waiting) > 0 {
		next = max(next, waiting[len(waiting)-1].UID+1) // one came between the two questions
	}
	return waiting, next, s.fault(err)
}

// RenewHeldToken replaces the moderators' token of a post that still waits; the
// former token is worth nothing from then on.
func (s *Store) RenewHeldToken(ctx context.Context, id int64, hash []byte) error {
	return s.write(ctx, func(t *tx) error {
		return t.Exec("UPDATE helds SET token_hash = ? WHERE id = ? AND state = ?", hash, id, model.HeldPending).Error
	})
}

// DecideHeld settles a waiting post. Only the first decision wins; for the
// others won is false and nothing changes.
func (s *Store) DecideHeld(ctx context.Context, id int64, state model.HeldState, by, comment string) (won bool, err error) {
	if state == model.HeldPending {
		return false, fault.New(fault.Internal, "a decision cannot be to wait")
	}
	err = s.write(ctx, func(t *tx) error {
		var list int64
		err := t.Raw("UPDATE helds SET state = ?, decided_at = ?, decided_by = ?, comment = ? WHERE id = ? AND state = ? RETURNING list_id",
			state, s.now(), by, comment, id, model.HeldPending).Row().Scan(&list)
		if won = err == nil; won {
			t.signal(TopicList(list))
		}
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return err
	})
	return won && err == nil, err
}

// ExpireHeld ends the waiting of every post whose time is over and gives those
// it ended.
func (s *Store) ExpireHeld(ctx context.Context, now model.Instant) ([]model.Held, error) {
	var out []model.Held
	err := s.write(ctx, func(t *tx) error {
		out = nil
		err := t.Raw(`UPDATE helds SET state = ?, decided_at = ?, decided_by = 'rule' 
			WHERE state = ? AND expires_at > 0 AND expires_at <= ? RETURNING *`,
			model.HeldExpired, now, model.HeldPending, now).Scan(&out).Error
		for i := range out {
			t.signal(TopicList(out[i].ListID))
		}
		return err
	})
	return out, err
}
