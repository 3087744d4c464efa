package store

import (
	"context"

	"plenary/internal/model"
)

// Depth counts the copies that unfinished distributions still owe, those that
// wait for another try or a person included. It remembers audiences, which do
// not change; the zero value is ready. It is for one goroutine at a time.
type Depth struct {
	audience map[int64]int64
}

// QueueMoves reports whether anything is left that sends itself: not what waits
// for a person.
func (s *Store) QueueMoves(ctx context.Context) (moves bool, err error) {
	err = s.read(ctx).Raw("SELECT EXISTS (SELECT 1 FROM distributions d WHERE (d.state = 0 OR d.state = 2 AND d.done_at = 0"+
		" AND (EXISTS (SELECT 1 FROM chunks c WHERE c.distribution_id = d.id)"+
		" OR EXISTS (SELECT 1 FROM deliveries x WHERE x.distribution_id = d.id AND x.state = 2 AND x.next_at < ?)))"+unpaused+")", model.Never).Row().Scan(&moves)
	return moves, s.fault(err)
}

// Progress is how far what is unfinished has come, in copies.
type Progress struct {
	All     int64 // recipients
	Decided int64 // of them, for good
	Retry   int64 // wait for another try, or their turn
}

// QueueProgress counts how far what is unfinished has come.
func (s *Store) QueueProgress(ctx context.Context, known *Depth) (p Progress, err error) {
	err = s.unfinished(ctx, known, func(all, decided, retry int64) {
		p.All, p.Decided, p.Retry = p.All+all, p.Decided+decided, p.Retry+retry
	})
	return p, err
}

// QueueDepth counts.
func (s *Store) QueueDepth(ctx context.Context, known *Depth) (total int64, err error) {
	err = s.unfinished(ctx, known, func(all, decided, _ int64) { total += max(0, all-decided) })
	return total, err
}

// unfinished gives the counts of each distribution that is not done.
func (s *Store) unfinished(ctx context.Context, known *Depth, each func(all, decided, retry int64)) error {
	var open []struct {
		ID, ListID, Decided, Retry int64
		Seq                        int64
		Kind                       model.DistributionKind
	}
	err := s.read(ctx).Raw("SELECT d.id, d.list_id, d.seq, d.kind,"+
		" (SELECT count(*) FROM deliveries x WHERE x.distribution_id = d.id AND x.state <> ?)"+
		" + (SELECT COALESCE(sum(p.copies), 0) FROM delivery_packs p WHERE p.distribution_id = d.id) AS decided,"+
		" (SELECT count(*) FROM deliveries x WHERE x.distribution_id = d.id AND x.state = 2) AS retry"+
		" FROM distributions d WHERE (d.state IN (0, 1) OR d.state = 2 AND d.done_at = 0)", model.DeliveryRetry).Scan(&open).Error
	if err != nil {
		return s.fault(err)
	}
	audience := map[int64]int64{}
	for _, o := range open {
		n, have := known.audience[o.ID]
		if !have {
			if n, err = s.Audience(ctx, &model.Distribution{ListID: o.ListID, Seq: o.Seq, Kind: o.Kind}); err != nil {
				return err
			}
		}
		audience[o.ID] = n
		each(n, o.Decided, o.Retry)
	}
	known.audience = audience
	return nil
}
