package store

import (
	"context"
	"slices"
	"time"
)

// Lease takes the named lease for d, or prolongs it when owner holds it.
// It answers false while another owner holds it. Time is the database's.
func (s *Store) Lease(ctx context.Context, name, owner string, d time.Duration) (bool, error) {
	mine := false
	err := s.write(ctx, func(t *tx) error {
		now := s.Clock().UnixMicro()
		res := t.Exec(`INSERT INTO leases (name, owner, until) VALUES (?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
			WHERE leases.owner = excluded.owner OR leases.until < ?`, name, owner, now+d.Microseconds(), now)
		mine = res.RowsAffected > 0
		return res.Error
	})
	return mine && err == nil, err
}

// LeaseSlot is Lease of a place among those who do the same: it takes or
// prolongs the owner's own and gives its number, from 0, and how many live.
func (s *Store) LeaseSlot(ctx context.Context, kind, owner string, d time.Duration) (slot, all int, err error) {
	err = s.write(ctx, func(t *tx) error {
		slot, all = 0, 0
		now := s.Clock().UnixMicro()
		if err := t.Exec("DELETE FROM leases WHERE name LIKE ? AND until < ?", kind+"/%", now).Error; err != nil {
			return err
		}
		if err := t.Exec("INSERT INTO leases (name, owner, until) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET until = excluded.until",
			kind+"/"+owner, owner, now+d.Microseconds()).Error; err != nil {
			return err
		}
		var owners []string
		if err := t.Raw("SELECT owner FROM leases WHERE name LIKE ? ORDER BY name", kind+"/%").Scan(&owners).Error; err != nil {
			return err
		}
		slot, all = slices.Index(owners, owner), len(owners)
		return nil
	})
	return slot, all, err
}

// LeaveSlot gives such a place up.
func (s *Store) LeaveSlot(ctx context.Context, kind, owner string) error {
	return s.write(ctx, func(t *tx) error { return t.Exec("DELETE FROM leases WHERE name = ?", kind+"/"+owner).Error })
}
