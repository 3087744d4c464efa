package store

import (
	"context"
	"strconv"
	"strings"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// keepNotes is how long a person's yes to an old distribution is remembered, and
// the trouble of a node that is not heard of any more.
const keepNotes = 30 * 24 * time.Hour

// queueNow is the time the queue is kept by. Nodes compare with the database's clock;
// that of the machine where a person says something may be wrong.
func (s *Store) queueNow() model.Instant { return model.At(s.Clock()) }

// QueueScope chooses a part of the queue; the zero value is all of it. Only one
// of the fields may be set.
type QueueScope struct {
	ListID         int64
	DistributionID int64
	Destination    string // a recipients' domain (A-labels), or a site by the registered domain or name of its hosts
}

func (q QueueScope) note() string {
	switch {
	case q.ListID != 0:
		return "pause/list/" + strconv.FormatInt(q.ListID, 10)
	case q.Destination != "":
		return "pause/to/" + q.Destination
	}
	return "pause"
}

// where narrows a query over distributions d.
func (q QueueScope) where() (string, []any) {
	switch {
	case q.DistributionID != 0:
		return "d.id = ?", []any{q.DistributionID}
	case q.ListID != 0:
		return "d.list_id = ?", []any{q.ListID}
	}
	return "1 = 1", nil
}

// putNote sets or replaces a note.
func (t *tx) putNote(name, text string) error {
	return t.Exec("INSERT INTO queue_notes (name, text, at) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET text = excluded.text, at = excluded.at",
		name, text, t.s.queueNow()).Error
}

// PauseQueue stops sending for everything, a list, a destination or one distribution, on all
// nodes, until ResumeQueue. Copies on the wire are finished. by is who asked,
// for the status.
func (s *Store) PauseQueue(ctx context.Context, q QueueScope, by string) error {
	return s.write(ctx, func(t *tx) error {
		t.signal(TopicQueue)
		if q.DistributionID == 0 {
			if q.Destination != "" {
				if err := t.noteSite(pausedSite(q.Destination, s.queueNow())); err != nil {
					return err
				}
			}
			return t.putNote(q.note(), by)
		}
		return t.pauseDistribution(q.DistributionID)
	})
}

// PauseDistribution pauses one distribution that cannot go on, for the engine;
// why stands in the status.
func (s *Store) PauseDistribution(ctx context.Context, id int64, why string) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.putNote("stopped/"+strconv.FormatInt(id, 10), why); err != nil {
			return err
		}
		return t.pauseDistribution(id)
	})
}

func (t *tx) pauseDistribution(id int64) error {
	res := t.Exec("UPDATE distributions SET state = ? WHERE id = ? AND state IN (0, 2) AND done_at = 0", model.DistributionPaused, id)
	if res.Error == nil && res.RowsAffected == 0 {
		return fault.New(fault.Conflict, "distribution %d is not being sent", id)
	}
	return res.Error
}

// ResumeQueue takes a pause back and says yes to distributions of that scope
// that waited because of their age. It gives the number of distributions that
// go on; a pause of everything or of a list counts for none.
func (s *Store) ResumeQueue(ctx context.Context, q QueueScope, by string) (int64, error) {
	if q.Destination != "" {
		return 0, s.resumeDestination(ctx, q.Destination)
	}
	var ids []int64
	err := s.write(ctx, func(t *tx) error {
		ids = nil
		t.signal(TopicQueue)
		where, args := q.where()
		if q.DistributionID == 0 {
			if err := t.Exec("DELETE FROM queue_notes WHERE name = ?", q.note()).Error; err != nil {
				return err
			}
			where += " AND EXISTS (SELECT 1 FROM queue_notes n WHERE n.name = 'stale/' || d.id)"
		}
		if err := t.Raw("SELECT d.id FROM distributions d WHERE d.state = 1 AND "+where+" ORDER BY d.id", args...).Scan(&ids).Error; err != nil {
			return err
		}
		return t.resume(ids, by)
	})
	return int64(len(ids)), err
}

// resume lets paused distributions go on. A letter, and what was through
// already, has only its retries and ranges left.
func (t *tx) resume(ids []int64, by string) error {
	for len(ids) > 0 {
		n := min(len(ids), 500)
		part := ids[:n]
		ids = ids[n:]
		if err := t.Exec("UPDATE distributions SET state = CASE WHEN kind = ? AND cursor > 0 THEN 2 ELSE 0 END WHERE state = 1 AND id IN ?",
			model.DistributeLetter, part).Error; err != nil {
			return err
		}
		if err := t.Exec("UPDATE deliveries SET next_at = ? WHERE state = 2 AND distribution_id IN ?", t.s.queueNow(), part).Error; err != nil {
			return err
		}
		for _, id := range part {
			name := strconv.FormatInt(id, 10)
			if err := t.Exec("DELETE FROM queue_notes WHERE name IN (?, ?)", "stale/"+name, "stopped/"+name).Error; err != nil {
				return err
			}
			if err := t.putNote("approved/"+name, by); err != nil {
				return err
			}
		}
		if err := t.finish(part); err != nil {
			return err
		}
	}
	return nil
}

// CancelDistribution ends a distribution: what has no outcome yet is not sent.
// Copies that waited for another try are recorded as skipped.
func (s *Store) CancelDistribution(ctx context.Context, id int64, by string) error {
	return s.write(ctx, func(t *tx) error {
		t.signal(TopicQueue)
		res := t.Exec("UPDATE distributions SET state = ?, done_at = ? WHERE id = ? AND state <> ? AND done_at = 0",
			model.DistributionCancelled, s.queueNow(), id, model.DistributionCancelled)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.New(fault.Conflict, "distribution %d is not being sent", id)
		}
		for _, table := range []string{"chunks", "queue_claims"} {
			if err := t.Exec("DELETE FROM "+table+" WHERE distribution_id = ?", id).Error; err != nil {
				return err
			}
		}
		if err := t.forgetNotes(id); err != nil {
			return err
		}
		return t.Exec("UPDATE deliveries SET state = ?, reply = ?, at = ?, next_at = 0 WHERE distribution_id = ? AND state = 2",
			model.DeliverySkipped, "cancelled by "+model.Who(by), s.queueNow(), id).Error
	})
}

// skipCancelled records as skipped what was on its way when its distribution was
// cancelled and would be tried again: nobody does.
func (t *tx) skipCancelled(rows []model.Delivery) error {
	return t.Exec("UPDATE deliveries SET state = ?, reply = CASE reply WHEN '' THEN 'cancelled' ELSE 'cancelled; before: ' || reply END, next_at = 0, site = 0"+
		" WHERE state = 2 AND (distribution_id, recipient_id) IN "+pairs(rows, deliveryKey)+
		" AND EXISTS (SELECT 1 FROM distributions x WHERE x.id = deliveries.distribution_id AND x.state = ?)",
		model.DeliverySkipped, model.DistributionCancelled).Error
}

// skipLate is skipCancelled for copies that PostgreSQL recorded beside the cancelling.
func (s *Store) skipLate(ctx context.Context) error {
	if s.dialect != Postgres {
		return nil
	}
	var late []model.Delivery
	if err := s.read(ctx).Raw("SELECT d.distribution_id, d.recipient_id FROM deliveries d JOIN distributions x ON x.id = d.distribution_id"+
		" WHERE d.state = 2 AND x.state = ? LIMIT ?", model.DistributionCancelled, pruneBatch).Scan(&late).Error; err != nil || len(late) == 0 {
		return s.fault(err)
	}
	return s.write(ctx, func(t *tx) error { return t.skipCancelled(late) })
}

// forgetNotes removes what is noted of a distribution that is over.
func (t *tx) forgetNotes(id int64) error {
	name := strconv.FormatInt(id, 10)
	return t.Exec("DELETE FROM queue_notes WHERE name IN (?, ?, ?, ?) OR name LIKE ?", "stale/"+name, "stopped/"+name, "approved/"+name, retryOf+name,
		"refused/"+name+"/%").Error
}

// forgetRefused removes notes of distributions that a site refused until their
// time was over.
func (t *tx) forgetRefused() error {
	var names []string
	if err := t.Raw("SELECT name FROM queue_notes WHERE name LIKE 'refused/%'").Scan(&names).Error; err != nil {
		return err
	}
	for _, name := range names {
		text, _, _ := strings.Cut(strings.TrimPrefix(name, "refused/"), "/")
		id, _ := strconv.ParseInt(text, 10, 64)
		if err := t.Exec("DELETE FROM queue_notes WHERE name = ? AND NOT EXISTS (SELECT 1 FROM distributions WHERE id = ? AND done_at = 0)", name, id).Error; err != nil {
			return err
		}
	}
	return nil
}

// TidyQueue is run when a node starts. Distributions made before that have
// something left to send are paused until ResumeQueue says yes: the database
// may be an old copy, and mail this old must not leave by itself. A lease that
// lasts shows that it is none: some node is sending this. Copies that wait for
// another try, as they may for days, are no reason as long as the queue was at work
// lately (dueBefore). It also marks what owes nothing any more. The ids are those it
// paused.
func (s *Store) TidyQueue(ctx context.Context, before model.Instant) ([]int64, error) {
	var held []int64
	err := s.write(ctx, func(t *tx) error {
		held = nil
		t.signal(TopicQueue)
		var ids []int64
		if err := t.Raw("SELECT id FROM distributions WHERE state = 2 AND done_at = 0 AND created_at < ?", s.queueNow()).Scan(&ids).Error; err != nil {
			return err
		}
		if err := t.finish(ids); err != nil {
			return err
		}
		if err := t.Exec("DELETE FROM queue_notes WHERE (name LIKE 'approved/%' OR name LIKE 'node/%' OR name LIKE 'at-work/%' OR name LIKE 'retry/distribution/%') AND at < ?", s.queueNow().Add(-keepNotes)).Error; err != nil {
			return err
		}
		if err := t.forgetRefused(); err != nil {
			return err
		}
		if err := t.Exec("DELETE FROM queue_claims WHERE until < ?", s.queueNow().Add(-keepNotes)).Error; err != nil {
			return err
		}
		due, err := t.dueBefore(before)
		if err != nil {
			return err
		}
		err = t.Raw("UPDATE distributions SET state = 1 WHERE created_at < ? AND done_at = 0 AND (state = 0 OR state = 2 AND ("+
			"EXISTS (SELECT 1 FROM chunks c WHERE c.distribution_id = distributions.id) OR "+
			"EXISTS (SELECT 1 FROM deliveries x WHERE x.distribution_id = distributions.id AND x.state = 2 AND x.next_at < ?)))"+
			" AND NOT EXISTS (SELECT 1 FROM queue_notes n WHERE n.name = 'approved/' || distributions.id)"+
			" AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.distribution_id = distributions.id AND c.lease_until > ?) RETURNING id",
			before, due, s.queueNow()).Scan(&held).Error
		if err != nil {
			return err
		}
		for _, id := range held {
			if err := t.putNote("stale/"+strconv.FormatInt(id, 10), "older than the queue may be"); err != nil {
				return err
			}
		}
		return t.noteAtWork()
	})
	return held, err
}

// NoteNode says how a node's way out is, for the status, which tells since when
// it has had trouble; empty text is all is well, or it stops.
func (s *Store) NoteNode(ctx context.Context, node, text string) error {
	return s.write(ctx, func(t *tx) error {
		if text == "" {
			return t.Exec("DELETE FROM queue_notes WHERE name = ?", "node/"+node).Error
		}
		return t.Exec("INSERT INTO queue_notes (name, text, at) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET text = excluded.text",
			"node/"+node, text, t.s.queueNow()).Error
	})
}
