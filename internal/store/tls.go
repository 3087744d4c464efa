package store

import (
	"context"
	"time"

	"gorm.io/gorm/clause"

	"plenary/internal/model"
)

// keepTLSCounts is how long counts of TLS sessions are kept.
const keepTLSCounts = 60 * 24 * time.Hour

// FindSTSPolicy gives the policy saved last for a domain, or nil.
func (s *Store) FindSTSPolicy(ctx context.Context, domain string) (*model.STSPolicy, error) {
	p, err := first[model.STSPolicy](s.read(ctx).Where("domain = ?", domain))
	return p, s.fault(err)
}

// SaveSTSPolicy saves a policy, in the place of an older one.
func (s *Store) SaveSTSPolicy(ctx context.Context, p *model.STSPolicy) error {
	return s.write(ctx, func(t *tx) error {
		return t.Clauses(clause.OnConflict{UpdateAll: true}).Create(p).Error
	})
}

// AddTLSCounts adds sessions to those counted already, and forgets old days.
func (s *Store) AddTLSCounts(ctx context.Context, rows []model.TLSCount) error {
	if len(rows) == 0 {
		return nil
	}
	return s.write(ctx, func(t *tx) error {
		for _, r := range rows {
			if err := t.Exec("INSERT INTO tls_counts (day, domain, policy, mx_host, ip, result, sessions) VALUES (?, ?, ?, ?, ?, ?, ?)"+
				" ON CONFLICT (day, domain, policy, mx_host, ip, result) DO UPDATE SET sessions = tls_counts.sessions + excluded.sessions",
				r.Day, r.Domain, r.Policy, r.MXHost, r.IP, r.Result, r.Sessions).Error; err != nil {
				return err
			}
		}
		return t.Exec("DELETE FROM tls_counts WHERE day < ?", s.Now().Add(-keepTLSCounts).UTC().Format("2006-01-02")).Error
	})
}

// TLSCounts gives what was counted on a day (2006-01-02, UTC), by policy domain.
func (s *Store) TLSCounts(ctx context.Context, day string) ([]model.TLSCount, error) {
	var rows []model.TLSCount
	err := s.read(ctx).Where("day = ?", day).Order("domain, policy, mx_host, ip, result").Find(&rows).Error
	return rows, s.fault(err)
}
