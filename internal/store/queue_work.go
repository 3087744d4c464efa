package store

import (
	"context"
	"database/sql"
	"strconv"

	"plenary/internal/model"
)

const (
	workAbandoned = 16 // bits; those below are lanes
	workRetries   = 17
)

// readWork is one look that answers with bits: most looks find nothing, and one
// comes with every post.
var readWork = hotText{workText("?1"), workText("$1")}

func workText(now string) string {
	bit := func(n int, from string) string {
		return " + CASE WHEN EXISTS (SELECT 1 FROM " + from + ") THEN " + strconv.Itoa(1<<n) + " ELSE 0 END"
	}
	text := "SELECT CASE WHEN EXISTS (SELECT 1 FROM queue_notes WHERE name = 'pause') THEN 0 ELSE 0"
	for lane := range int(model.LaneLetters) + 1 {
		text += bit(lane, "distributions d WHERE d.state = 0 AND d.lane = "+strconv.Itoa(lane)+
			" AND NOT EXISTS (SELECT 1 FROM queue_notes n WHERE n.name = 'pause/list/' || d.list_id)")
	}
	return text + bit(workAbandoned, "chunks WHERE lease_until < "+now) + bit(workRetries, "deliveries WHERE state = 2 AND next_at <= "+now) + " END"
}

// QueueWork looks for what there is to lease at this moment.
func (s *Store) QueueWork(ctx context.Context, now model.Instant) (model.QueueWork, error) {
	var bits int64
	var w model.QueueWork
	if err := s.readHot(ctx, readWork, int64(now)).Scan(&bits); err != nil {
		return w, s.fault(err)
	}
	for lane := range w.Open {
		w.Open[lane] = bits&(1<<lane) != 0
	}
	w.Abandoned, w.Retries = bits&(1<<workAbandoned) != 0, bits&(1<<workRetries) != 0
	return w, nil
}

// readHot reads one row outside of any transaction.
func (s *Store) readHot(ctx context.Context, text hotText, args ...any) *sql.Row {
	return s.r.ConnPool.QueryRowContext(ctx, text.of(s.dialect), args...)
}
