package store

import (
	"context"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// SaveDKIMKeys stores new keys, all or none, and sets ID and CreatedAt. A
// selector the domain has already is a Conflict.
func (s *Store) SaveDKIMKeys(ctx context.Context, keys ...*model.DKIMKey) error {
	return s.write(ctx, func(t *tx) error {
		for _, k := range keys {
			k.CreatedAt = model.At(s.Now())
			err := t.Raw(`INSERT INTO dkim_keys (domain, selector, algorithm, record, private, created_at, active_at)
				VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
				k.Domain, k.Selector, k.Algorithm, k.Record, k.Private, k.CreatedAt, k.ActiveAt).Row().Scan(&k.ID)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// DKIMKeys gives all keys of all domains, those of one domain together and in
// the order they were made.
func (s *Store) DKIMKeys(ctx context.Context) ([]model.DKIMKey, error) {
	var keys []model.DKIMKey
	err := s.read(ctx).Order("domain, id").Find(&keys).Error
	return keys, s.fault(err)
}

// ActivateDKIMKey sets from when on a key signs, or answers NotFound.
func (s *Store) ActivateDKIMKey(ctx context.Context, id int64, at model.Instant) error {
	return s.write(ctx, func(t *tx) error {
		res := t.Exec("UPDATE dkim_keys SET active_at = ? WHERE id = ?", at, id)
		if res.Error == nil && res.RowsAffected == 0 {
			return fault.New(fault.NotFound, "there is no such DKIM key")
		}
		return res.Error
	})
}

// RemoveDKIMKey forgets a key, or answers NotFound.
func (s *Store) RemoveDKIMKey(ctx context.Context, id int64) error {
	return s.write(ctx, func(t *tx) error {
		res := t.Exec("DELETE FROM dkim_keys WHERE id = ?", id)
		if res.Error == nil && res.RowsAffected == 0 {
			return fault.New(fault.NotFound, "there is no such DKIM key")
		}
		return res.Error
	})
}
