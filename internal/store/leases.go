package store

import (
	"context"
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
