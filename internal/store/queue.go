package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// The way of a distribution. It is made Active, or Done for a list that has nobody; ranges of its audience are
// leased (a chunk row each, the cursor moves in the same transaction) until the
// cursor is through, then it is Done; DoneAt is set when the last of its copies
// is decided. A copy gets its record when its fate is known, a row in deliveries
// or a place in a pack (queue_pack.go), so what a range still owes is its
// audience without records. A house letter is leased
// whole: its chunk is the range 0 to 0.

// audience says who is meant by a distribution: its parameters are list, seq
// and seq. Who left after it was made is in it, and is skipped by who sends.
// PostgreSQL has it a second time, in the function of step 20.
const audience = "list_id = ? AND began_seq <= ? AND (ended_seq = 0 OR ended_seq > ?) AND (roles & 1) <> 0"

// unpaused keeps what a person has paused out of a query over distributions d.
const unpaused = " AND NOT EXISTS (SELECT 1 FROM queue_notes n WHERE n.name = 'pause')" +
	" AND NOT EXISTS (SELECT 1 FROM queue_notes n WHERE n.name = 'pause/list/' || d.list_id)"

// SaveLetter queues one house letter: d names lane, reverse path and recipient,
// and optionally a list; data is the whole message with CRLF line ends. It is
// durable when SaveLetter returns, and d carries its ID.
func (s *Store) SaveLetter(ctx context.Context, d *model.Distribution, data []byte) error {
	var made model.Distribution
	err := s.write(ctx, func(t *tx) error {
		made = *d
		return t.saveLetter(&made, data)
	})
	if err == nil {
		*d = made
	}
	return err
}

func (t *tx) saveLetter(d *model.Distribution, data []byte) error {
	id, err := t.putBytes(data)
	if err != nil {
		return err
	}
	d.ID, d.Kind, d.State, d.BytesID, d.Cursor = 0, model.DistributeLetter, model.DistributionActive, id, 0
	if d.CreatedAt.IsZero() {
		d.CreatedAt = t.s.queueNow()
	}
	t.signal(TopicQueue)
	return t.Create(d).Error
}

// WatchQueue is Watch of the queue's topic, for the engine.
func (s *Store) WatchQueue() (wake <-chan struct{}, cancel func()) { return s.Watch(TopicQueue) }

// GetDistribution gives the distribution with this id, or NotFound.
func (s *Store) GetDistribution(ctx context.Context, id int64) (*model.Distribution, error) {
	d, err := first[model.Distribution](s.read(ctx).Where("id = ?", id))
	if err == nil && d == nil {
		return nil, fault.New(fault.NotFound, "there is no such distribution")
	}
	return d, s.fault(err)
}

// Audience gives the number of recipients a distribution was made for.
func (s *Store) Audience(ctx context.Context, d *model.Distribution) (int64, error) {
	if d.Kind == model.DistributeLetter {
		return 1, nil
	}
	var n int64
	err := s.read(ctx).Raw("SELECT count(*) FROM subscribers WHERE "+audience, d.ListID, d.Seq, d.Seq).Row().Scan(&n)
	return n, s.fault(err)
}

// DeliveriesOf gives up to limit deliveries of a distribution, by recipient, from
// the one after afterID (-1: from the first).
func (s *Store) DeliveriesOf(ctx context.Context, distributionID, afterID int64, limit int) ([]model.Delivery, error) {
	var rows []model.Delivery
	db := s.read(ctx)
	if err := db.Where("distribution_id = ? AND recipient_id > ?", distributionID, afterID).
		Order("recipient_id").Limit(limit).Find(&rows).Error; err != nil {
		return nil, s.fault(err)
	}
	// Ranges do not overlap: once there is enough, only the range begun matters.
	own, last := len(rows), int64(0)
	where := "p.distribution_id = ? AND p.first_id >= (SELECT COALESCE(max(q.first_id), 0) FROM delivery_packs q WHERE q.distribution_id = ?" +
		" AND q.first_id <= ?) ORDER BY p.first_id"
	err := eachPack(db, where, []any{distributionID, distributionID, max(afterID+1, 0)}, func(p *packRow) bool {
		if len(rows)-own >= limit && p.first != last {
			return false
		}
		last = p.first
		for i := range p.copies {
			if p.copies[i].RecipientID > afterID {
				rows = append(rows, p.copies[i].Delivery(distributionID))
			}
		}
		return true
	})
	if err != nil {
		return nil, s.fault(err)
	}
	own = len(rows)
	err = s.folded(ctx, func(d *model.Delivery) {
		if d.RecipientID > afterID && len(rows) < own+limit {
			rows = append(rows, *d)
		}
	}, "distribution_id = ? AND last_id > ?", distributionID, afterID)
	slices.SortFunc(rows, func(a, b model.Delivery) int { return cmp.Compare(a.RecipientID, b.RecipientID) })
	return rows[:min(len(rows), limit)], err
}

// PostAuthorKey gives the identity of a post's author, empty when there is no
// such post.
func (s *Store) PostAuthorKey(ctx context.Context, id model.PostID) (string, error) {
	var key string
	err := s.hot(ctx).row("SELECT author_key FROM posts WHERE id = ?", int64(id)).Scan(&key)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return key, s.fault(err)
}

// ActiveDistributions gives up to limit distributions of a lane, house letters
// apart, that still have ranges to lease, by id from the one after afterID.
func (s *Store) ActiveDistributions(ctx context.Context, lane model.Lane, afterID int64, limit int) ([]model.Distribution, error) {
	rows, err := s.hot(ctx).query("SELECT id, list_id, kind, lane, state, post_id, bytes_id, reverse_path, recipient, options, seq, cursor, created_at, "+
		"done_at FROM distributions d WHERE d.state = 0 AND d.lane = ? AND d.id > ? AND d.kind <> ?"+unpaused+" ORDER BY d.id LIMIT ?",
		lane, afterID, model.DistributeLetter, limit)
	if err != nil {
		return nil, s.fault(err)
	}
	var ds []model.Distribution
	for rows.Next() {
		var d model.Distribution
		if err := rows.Scan(&d.ID, &d.ListID, &d.Kind, &d.Lane, &d.State, &d.PostID, &d.BytesID, &d.ReversePath, &d.Recipient, &d.Options, &d.Seq,
			&d.Cursor, &d.CreatedAt, &d.DoneAt); err != nil {
			_ = rows.Close()
			return nil, s.fault(err)
		}
		ds = append(ds, d)
	}
	return ds, s.fault(errors.Join(rows.Err(), rows.Close()))
}

// Recipients gives these subscribers as they are now, ended or not, by id.
func (s *Store) Recipients(ctx context.Context, ids []int64) ([]model.Subscriber, error) {
	subs, err := s.people(s.read(ctx), "id IN ? ORDER BY id", ids)
	return subs, s.fault(err)
}

// Halted gives those of these distributions that must not go on now: paused,
// cancelled, or held by a pause of their list or of everything.
func (s *Store) Halted(ctx context.Context, ids []int64) ([]int64, error) {
	var going []int64
	err := s.read(ctx).Raw("SELECT d.id FROM distributions d WHERE d.id IN ? AND d.state IN (0, 2)"+unpaused, ids).Scan(&going).Error
	if err != nil {
		return nil, s.fault(err)
	}
	have := make(map[int64]bool, len(going))
	for _, id := range going {
		have[id] = true
	}
	var out []int64
	for _, id := range ids {
		if !have[id] {
			out = append(out, id)
		}
	}
	return out, nil
}

// pairs writes keys of two numbers as the right side of an IN.
func pairs[T any](rows []T, key func(T) (int64, int64)) string {
	var b strings.Builder
	b.WriteString("(VALUES ")
	for i, r := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		x, y := key(r)
		fmt.Fprintf(&b, "(%d,%d)", x, y)
	}
	b.WriteByte(')')
	return b.String()
}

func chunkKey(c model.Chunk) (int64, int64)       { return c.DistributionID, c.FirstID }
func deliveryKey(d model.Delivery) (int64, int64) { return d.DistributionID, d.RecipientID }
