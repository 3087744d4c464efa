package store

import (
	"context"
	"time"

	"gorm.io/gorm/clause"

	"plenary/internal/model"
)

// keepTLSCounts is how long counts of TLS sessions are kept.
const keepTLSCounts = 60 * 24 * time.Hour

// tlsBatch is how many counts one transaction writes.
const tlsBatch = 64

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

// AddTLSCounts adds sessions to those counted already, and forgets old days. A
// large list has thousands of rows: they are written a few at a time, so that
// nobody waits long.
func (s *Store) AddTLSCounts(ctx context.Context, rows []model.TLSCount) error {
	for len(rows) > 0 {
		n := min(len(rows), tlsBatch)
		if err := s.addTLSCounts(ctx, rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (s *Store) addTLSCounts(ctx context.Context, rows []model.TLSCount) error {
	return s.write(ctx, func(t *tx) error {
		for _, r := range rows {
			if err := t.Exec("INSERT INTO tls_counts (day, domain, policy, mx_host, ip, result, sessions) VALUES (?, ?, ?, ?, ?, ?, ?)"+
				" ON CONFLICT (day, domain, policy, mx_host, ip, result) DO UPDATE SET sessions = tls_counts.sessions + excluded.sessions",
				r.Day, r.Domain, r.Policy, r.MXHost, r.IP, r.Result, r.Sessions).Error; err != nil {
				return err
			}
		}
		old := s.Now().Add(-keepTLSCounts).UTC().Format("2006-01-02")
		if err := t.Exec("DELETE FROM tls_reports WHERE day < ?", old).Error; err != nil {
			return err
		}
		return t.Exec("DELETE FROM tls_counts WHERE day < ?", old).Error
	})
}

// TLSCounts gives what was counted on a day (2006-01-02, UTC), by policy domain.
func (s *Store) TLSCounts(ctx context.Context, day string) ([]model.TLSCount, error) {
	var rows []model.TLSCount
	err := s.read(ctx).Where("day = ?", day).Order("domain, policy, mx_host, ip, result").Find(&rows).Error
	return rows, s.fault(err)
}

// TLSCountsOf gives what was counted on a day for one policy domain.
func (s *Store) TLSCountsOf(ctx context.Context, day, domain string) ([]model.TLSCount, error) {
	var rows []model.TLSCount
	err := s.read(ctx).Where("day = ? AND domain = ?", day, domain).Order("policy, mx_host, ip, result").Find(&rows).Error
	return rows, s.fault(err)
}

// UnreportedTLS gives up to limit policy domains with counts of a day for which
// no report was made, by name from the one after the given.
func (s *Store) UnreportedTLS(ctx context.Context, day, after string, limit int) ([]string, error) {
	var domains []string
	err := s.read(ctx).Raw("SELECT DISTINCT c.domain FROM tls_counts c WHERE c.day = ? AND c.domain > ? AND NOT EXISTS"+
		" (SELECT 1 FROM tls_reports r WHERE r.day = c.day AND r.domain = c.domain) ORDER BY c.domain LIMIT ?", day, after, limit).Scan(&domains).Error
	return domains, s.fault(err)
}

// ReportLetter is a report on its way by mail.
type ReportLetter struct {
	model.Distribution
	Data []byte
}

// SaveTLSReport notes that a report was made, and queues the letters that carry
// it in the same transaction. When it had been noted before, perhaps by another
// node, nothing is queued and fresh is false.
func (s *Store) SaveTLSReport(ctx context.Context, r model.TLSReport, letters []ReportLetter) (fresh bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		n, err := t.noteReports(r)
		if fresh = n == 1; err != nil || !fresh {
			return err
		}
		for _, l := range letters {
			d := l.Distribution
			if err := t.saveLetter(&d, l.Data); err != nil {
				return err
			}
		}
		return nil
	})
	return fresh && err == nil, err
}

// SkipTLSReports notes domains that want no report of a day.
func (s *Store) SkipTLSReports(ctx context.Context, day string, domains []string) error {
	if len(domains) == 0 {
		return nil
	}
	return s.write(ctx, func(t *tx) error {
		for _, d := range domains {
			if _, err := t.noteReports(model.TLSReport{Day: day, Domain: d, At: model.At(s.Now())}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) noteReports(r model.TLSReport) (int64, error) {
	res := t.Exec("INSERT INTO tls_reports (day, domain, sent_to, at) VALUES (?, ?, ?, ?) ON CONFLICT (day, domain) DO NOTHING", r.Day, r.Domain, r.SentTo, r.At)
	return res.RowsAffected, res.Error
}
