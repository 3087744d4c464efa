package store

import (
	"context"
	"errors"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Bans gives the bans that hold now on a list: its own and those of the site.
func (s *Store) Bans(ctx context.Context, listID int64) ([]model.Ban, error) {
	rows, err := s.hot(ctx).query("SELECT id, list_id, pattern, reason, created_by, created_at, expires_at FROM bans "+
		"WHERE list_id IN (0, ?) AND (expires_at = 0 OR expires_at > ?) ORDER BY list_id, pattern", listID, s.now())
	if err != nil {
		return nil, s.fault(err)
	}
	var out []model.Ban
	for rows.Next() {
		var b model.Ban
		if err := rows.Scan(&b.ID, &b.ListID, &b.Pattern, &b.Reason, &b.CreatedBy, &b.CreatedAt, &b.ExpiresAt); err != nil {
			_ = rows.Close()
			return nil, s.fault(err)
		}
		out = append(out, b)
	}
	return out, s.fault(errors.Join(rows.Err(), rows.Close()))
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
