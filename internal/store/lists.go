package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// CreateList stores a new list with its counters and sets its ID, CreatedAt,
// Version and, unless given, UIDValidity. An address that is taken is a Conflict.
func (s *Store) CreateList(ctx context.Context, l *model.List) error {
	made := *l
	err := s.write(ctx, func(t *tx) (err error) {
		made = *l
		made.ID, made.CreatedAt, made.Version = 0, model.At(t.s.Now()), 1
		if made.UIDValidity == 0 {
			if made.UIDValidity, err = t.newUIDValidity(); err != nil {
				return err
			}
		}
		if err := t.Create(&made).Error; err != nil {
			return err
		}
		return t.Exec("INSERT INTO list_counters (list_id, uid_next, seq) VALUES (?, 1, 0)", made.ID).Error
	})
	if fault.Is(err, fault.Conflict) {
		return fault.Wrap(fault.Conflict, err, "the list %s exists already", l.Address())
	}
	if err == nil {
		*l = made
	}
	return err
}

// FindList finds a list by its address; nil when there is none. local must be
// lower case, domain in A-labels.
func (s *Store) FindList(ctx context.Context, local, domain string) (*model.List, error) {
	var id, version int64
	err := s.hot(ctx).row("SELECT id, version FROM lists WHERE domain = ? AND local = ?", domain, local).Scan(&id, &version)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, s.fault(err)
	}
	if l := s.lists.find(id, version); l != nil {
		return l, nil
	}
	l, err := first[model.List](s.read(ctx).Where("domain = ? AND local = ?", domain, local))
	if err == nil && l != nil {
		s.lists.keep(l)
	}
	return l, s.fault(err)
}

// listCache has lists as they were read last. A list with the version the
// database has is what the database has, whoever changed it, so only that is
// asked for each post.
type listCache struct {
	mu   sync.Mutex
	byID map[int64]model.List
}

const maxCachedLists = 1000

func (c *listCache) find(id, version int64) *model.List {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok := c.byID[id]; ok && l.Version == version {
		return &l
	}
	return nil
}

func (c *listCache) keep(l *model.List) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil || len(c.byID) >= maxCachedLists {
		c.byID = map[int64]model.List{}
	}
	c.byID[l.ID] = *l
}

// GetList gives the list with this id, or NotFound.
func (s *Store) GetList(ctx context.Context, id int64) (*model.List, error) {
	l, err := first[model.List](s.read(ctx).Where("id = ?", id))
	if err == nil && l == nil {
		return nil, fault.New(fault.NotFound, "there is no such list")
	}
	return l, s.fault(err)
}

// Lists gives all lists, by domain and local part.
func (s *Store) Lists(ctx context.Context) ([]model.List, error) {
	var all []model.List
	err := s.read(ctx).Order("domain, local").Find(&all).Error
	return all, s.fault(err)
}

// ListsMark gives the mark of all lists as they are now, and those on which any
// of these addresses has a role, sorted: one question, because one comes whenever
// a mailbox is opened. Who has read the lists at the same mark need not read them
// again: numbers are never used twice, and each change of settings counts a
// version on. g, when it is not nil, gets what LastFlagChange gives.
func (s *Store) ListsMark(ctx context.Context, emailKeys []string, g *model.Glance) (m model.ListsMark, memberOf []int64, err error) {
	const mark = "SELECT count(*) AS n, COALESCE(max(id), 0) AS last, COALESCE(sum(id), 0) AS ids, COALESCE(sum(version), 0) AS versions FROM lists"
	t := s.hot(ctx)
	if len(emailKeys) == 0 {
		err = t.row(mark).Scan(&m.Count, &m.LastID, &m.IDs, &m.Versions)
		return m, nil, s.fault(err)
	}
	these, args := in(nil, emailKeys)
	text := "SELECT m.n, m.last, m.ids, m.versions, COALESCE(s.list_id, 0)"
	from := " FROM (" + mark + ") AS m LEFT JOIN" +
		" (SELECT DISTINCT list_id FROM subscribers WHERE email_key IN " + these + " AND ended_seq = 0 AND roles <> 0) AS s ON 1 = 1"
	var id int64
	into := []any{&m.Count, &m.LastID, &m.IDs, &m.Versions, &id}
	if g != nil {
		text += ", COALESCE(f.next, 0), COALESCE(f.seq, 0), COALESCE(f.at, 0)"
		from += " LEFT JOIN (" + lastChange + ") AS f ON 1 = 1"
		args = append(args, lastChangeOf(g.Account, g.ListID)...)
		into = append(into, &g.NextUID, &g.Last.Seq, &g.Last.UIDNext)
	}
	rows, err := t.query(text+from+" ORDER BY s.list_id", args...)
	if err != nil {
		return m, nil, s.fault(err)
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			_ = rows.Close()
			return m, nil, s.fault(err)
		}
		if id != 0 {
			memberOf = append(memberOf, id)
		}
	}
	return m, memberOf, s.fault(errors.Join(rows.Err(), rows.Close()))
}

// Domains gives the domains that have lists, sorted.
func (s *Store) Domains(ctx context.Context) ([]string, error) {
	var all []string
	err := s.read(ctx).Raw("SELECT DISTINCT domain FROM lists ORDER BY domain").Scan(&all).Error
	return all, s.fault(err)
}

// SaveList stores changed settings. The list's Version must be the one that is
// stored, otherwise somebody else was quicker and the answer is Conflict; it
// grows by one. UIDValidity and CreatedAt never change.
func (s *Store) SaveList(ctx context.Context, l *model.List) error {
	next := *l
	next.Version++
	err := s.write(ctx, func(t *tx) error {
		res := t.Model(&model.List{}).Where("id = ? AND version = ?", l.ID, l.Version).
			Select("*").Omit("id", "uid_validity", "created_at").Updates(&next)
		if res.Error != nil || res.RowsAffected == 1 {
			return res.Error
		}
		var n int64
		if err := t.Model(&model.List{}).Where("id = ?", l.ID).Count(&n).Error; err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.NotFound, "there is no such list")
		}
		return fault.New(fault.Conflict, "the settings of %s were changed by someone else meanwhile, look at them again", l.Address())
	})
	if err == nil {
		l.Version = next.Version
	}
	return err
}

// RemoveList removes a list with everything that is only its own: people,
// requests, posts with their bytes, threads, index and flags, held posts,
// deliveries, bounces. The trace of events stays, and gets these in the same
// transaction. NotFound when there is no such list.
func (s *Store) RemoveList(ctx context.Context, id int64, events ...*model.Event) error {
	err := s.write(ctx, func(t *tx) error {
		if err := s.forUpdate(t.DB).Take(&model.List{}, id).Error; err != nil {
			return err
		}
		if err := t.removeWords(id); err != nil {
			return err
		}
		for _, q := range removals(id) {
			if err := t.Exec(q.sql, q.args...).Error; err != nil {
				return err
			}
		}
		t.signal(TopicList(id))
		return t.saveEvent(events...)
	})
	if err != nil {
		return err
	}
	return s.dropEras(ctx)
}

type statement struct {
	sql  string
	args []any
}

// removals gives the statements that empty a list, what refers before what is
// referred to. Tables with a foreign key on lists follow by its cascade.
func removals(id int64) []statement {
	from, to := model.MakePostID(id, 0), model.MakePostID(id+1, 0)
	ofList, ofPosts := []any{id}, []any{from, to}
	const inDistributions = " WHERE distribution_id IN (SELECT id FROM distributions WHERE list_id = ?)"
	return []statement{
		{"DELETE FROM message_bytes WHERE id IN (SELECT bytes_id FROM posts WHERE id >= ? AND id < ?)", ofPosts},
		{"DELETE FROM message_bytes WHERE id IN (SELECT bytes_id FROM helds WHERE list_id = ?)", ofList},
		{"DELETE FROM message_bytes WHERE id IN (SELECT bytes_id FROM bounces WHERE list_id = ?)", ofList},
		{"DELETE FROM message_bytes WHERE id IN (SELECT bytes_id FROM distributions WHERE list_id = ? AND bytes_id <> 0)", ofList},
		{"DELETE FROM post_envelopes WHERE id >= ? AND id < ?", ofPosts},
		{"DELETE FROM post_headers WHERE id >= ? AND id < ?", ofPosts},
		{"DELETE FROM post_columns WHERE id >= ? AND id < ?", ofPosts},
		{"DELETE FROM posts WHERE id >= ? AND id < ?", ofPosts},
		{"DELETE FROM post_keys WHERE list_id = ?", ofList},
		{"DELETE FROM post_flags WHERE list_id = ?", ofList},
		{"DELETE FROM thread_nodes WHERE list_id = ?", ofList},
		{"DELETE FROM thread_hints WHERE list_id = ?", ofList},
		{"DELETE FROM thread_rulings WHERE list_id = ?", ofList},
		{"DELETE FROM imports WHERE list_id = ?", ofList},
		{"DELETE FROM bounces WHERE list_id = ?", ofList},
		{"DELETE FROM chunks" + inDistributions, ofList},
		{"DELETE FROM deliveries" + inDistributions, ofList},
		{"DELETE FROM delivery_packs" + inDistributions, ofList},
		{"DELETE FROM delivery_folds" + inDistributions, ofList},
		{"DELETE FROM distributions WHERE list_id = ?", ofList},
		{"DELETE FROM bans WHERE list_id = ?", ofList},
		{"DELETE FROM lists WHERE id = ?", ofList},
	}
}
