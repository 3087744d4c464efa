package store

import (
	"context"

	"plenary/internal/model"
)

// superseded marks a pending request that a newer one of the same list, address
// and kind replaced: its token was sent to the same address and stands for the
// newer one.
const superseded model.Instant = 1

// SavePending stores a request that waits for its confirmation and sets ID and
// CreatedAt. An unused one of the same list, address and kind is replaced.
func (s *Store) SavePending(ctx context.Context, p *model.Pending) error {
	made := *p
	err := s.write(ctx, func(t *tx) error {
		made = *p
		made.ID, made.CreatedAt, made.UsedAt = 0, model.At(s.Now()), 0
		// The list's row orders two requests of one address that come at once.
		var list int64
		lock := t.Model(&model.List{}).Select("id").Where("id = ?", p.ListID)
		if err := s.forUpdate(lock).Take(&list).Error; err != nil {
			return err
		}
		err := t.Exec("UPDATE pendings SET used_at = ? WHERE list_id = ? AND email_key = ? AND kind = ? AND used_at = 0",
			superseded, p.ListID, p.EmailKey, p.Kind).Error
		if err != nil {
			return err
		}
		return t.Create(&made).Error
	})
	if err == nil {
		*p = made
	}
	return err
}

// FindPending finds a request by its token's hash, used and expired ones
// included; nil when no request has that token. The token of a request that was
// replaced finds the newer one, until its own end.
func (s *Store) FindPending(ctx context.Context, hash []byte) (*model.Pending, error) {
	p, err := first[model.Pending](s.read(ctx).Where("token_hash = ?", hash))
	if err != nil || p == nil || p.UsedAt != superseded {
		return p, s.fault(err)
	}
	newer, err := first[model.Pending](s.read(ctx).Where("list_id = ? AND email_key = ? AND kind = ? AND id > ? AND used_at <> ?",
		p.ListID, p.EmailKey, p.Kind, p.ID, superseded).Order("id"))
	if err != nil || newer == nil {
		return p, s.fault(err)
	}
	newer.ExpiresAt = min(newer.ExpiresAt, p.ExpiresAt)
	return newer, nil
}

// OpenPending finds the unused request of an address on a list, expired or not;
// nil when there is none.
func (s *Store) OpenPending(ctx context.Context, listID int64, emailKey string, kind model.PendingKind) (*model.Pending, error) {
	p, err := first[model.Pending](s.read(ctx).Where("list_id = ? AND email_key = ? AND kind = ? AND used_at = 0", listID, emailKey, kind))
	return p, s.fault(err)
}

// UsePending marks a request as used and reports whether this call was the first
// to do so.
func (s *Store) UsePending(ctx context.Context, id int64) (first bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		res := t.Exec("UPDATE pendings SET used_at = ? WHERE id = ? AND used_at = 0", s.now(), id)
		first = res.RowsAffected == 1
		return res.Error
	})
	return first, err
}
