package store

import (
	"context"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Bans gives the bans that hold now on a list: its own and those of the site.
func (s *Store) Bans(ctx context.Context, listID int64) ([]model.Ban, error) {
	var rows []model.Ban
	err := s.read(ctx).Where("list_id IN ? AND (expires_at = 0 OR expires_at > ?)", []int64{0, listID}, s.now()).
		Order("list_id, pattern").Find(&rows).Error
	return rows, s.fault(err)
}

// AllBans gives every ban, also those that are over: the site's first, then by
// list and pattern.
func (s *Store) AllBans(ctx context.Context) ([]model.Ban, error) {
	var rows []model.Ban
	err := s.read(ctx).Order("list_id, pattern").Find(&rows).Error
	return rows, s.fault(err)
}

// SaveBan stores a ban, in place of one with the same list and pattern, and sets
// ID and CreatedAt.
func (s *Store) SaveBan(ctx context.Context, b *model.Ban) error {
	return s.write(ctx, func(t *tx) error {
		b.CreatedAt = model.At(s.Now())
		return t.Raw(`INSERT INTO bans (list_id, pattern, reason, created_by, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (list_id, pattern) DO UPDATE SET reason = excluded.reason, created_by = excluded.created_by,
			created_at = excluded.created_at, expires_at = excluded.expires_at RETURNING id`,
			b.ListID, b.Pattern, b.Reason, b.CreatedBy, b.CreatedAt, b.ExpiresAt).Row().Scan(&b.ID)
	})
}

// RemoveBan lifts a ban, or answers NotFound.
func (s *Store) RemoveBan(ctx context.Context, id int64) error {
	return s.write(ctx, func(t *tx) error {
		res := t.Exec("DELETE FROM bans WHERE id = ?", id)
		if res.Error == nil && res.RowsAffected == 0 {
			return fault.New(fault.NotFound, "there is no such ban")
		}
		return res.Error
	})
}
