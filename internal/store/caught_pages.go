package store

import "context"

// CaughtRecipients names everybody the catcher holds letters for, sorted.
func (s *Store) CaughtRecipients(ctx context.Context) ([]string, error) {
	var out []string
	err := s.read(ctx).Raw("SELECT DISTINCT recipient FROM caughts ORDER BY recipient").Scan(&out).Error
	return out, s.fault(err)
}

// CaughtPage gives up to limit caught letters with their bytes, newest first,
// older than before (0: from the newest); an empty recipient is everybody.
func (s *Store) CaughtPage(ctx context.Context, recipient string, before int64, limit int) ([]Caught, error) {
	db := s.read(ctx)
	if before > 0 {
		db = db.Where("id < ?", before)
	}
	if recipient != "" {
		db = db.Where("recipient = ?", recipient)
	}
	var rows []Caught
	err := db.Order("id DESC").Limit(limit).Find(&rows).Error
	return rows, s.fault(err)
}
