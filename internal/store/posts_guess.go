package store

import (
	"context"
	"database/sql"
	"errors"

	"plenary/internal/model"
)

// Guessed parents (model.ThreadHint). A post that comes may answer one that is
// there, and one that is there may have waited for it: both are looked up by
// topic, at most model.GuessNumber hints each.

const hintColumns = "list_id, era, topic, sent_at, key, own, answered"

// guess writes the hints of new posts, and finds parents for those that seek
// one and for older ones that a new post may be the parent of.
func (g *graph) guess(posts []*model.NewPost) error {
	var rows []any
	var seekers []model.ThreadHint
	first, last := map[int64]model.Instant{}, map[int64]model.Instant{} // by topic, when the new ones were sent
	for _, p := range posts {
		h := &p.Hint
		if !h.Useful() {
			continue
		}
		h.ListID, h.Era, h.SentAt = g.list, model.GuessEra(p.Post.SentAt), p.Post.SentAt
		keep, err := g.kept(*h)
		if err != nil {
			return err
		}
		if keep.Useful() {
			rows = append(rows, h.ListID, h.Era, h.Topic, h.SentAt, h.Key, blob(keep.Own), blob(keep.Answered))
		}
		if keep.Seeks() {
			seekers = append(seekers, keep)
		}
		if at, ok := first[h.Topic]; !ok || h.SentAt < at {
			first[h.Topic] = h.SentAt
		}
		last[h.Topic] = max(last[h.Topic], h.SentAt)
	}
	if err := g.t.insertMany("INSERT INTO thread_hints ("+hintColumns+") VALUES ", "(?, ?, ?, ?, ?, ?, ?)",
		` ON CONFLICT (list_id, era, topic, sent_at, key) DO UPDATE SET own = excluded.own, answered = excluded.answered`, rows); err != nil {
		return err
	}
	older, err := g.waitingFor(posts, first, last)
	if err != nil {
		return err
	}
	if err := g.loadSeekers(older); err != nil {
		return err
	}
	seekers = append(seekers, older...)
	done := map[int64]bool{}
	for i := range seekers {
		if h := &seekers[i]; !done[h.Key] {
			done[h.Key] = true
			if err := g.seek(h); err != nil {
				return err
			}
		}
	}
	return nil
}

// kept is what is kept of the hint of a new post. What it quotes is of no use once
// it has its place, for it never loses that again.
func (g *graph) kept(h model.ThreadHint) (model.ThreadHint, error) {
	if !h.Seeks() {
		return h, nil
	}
	n, err := g.seeker(g.nodes[h.Key])
	if n == nil {
		h.Answered = nil
	}
	return h, err
}

// loadSeekers reads the nodes of hints, and those they claim.
func (g *graph) loadSeekers(hints []model.ThreadHint) error {
	var keys []int64
	want := func(k int64) {
		if k != 0 && g.nodes[k] == nil {
			keys = append(keys, k)
		}
	}
	for _, h := range hints {
		want(h.Key)
	}
	if err := g.loadKeys(keys); err != nil || len(hints) == 0 {
		return err
	}
	keys = keys[:0]
	for _, h := range hints {
		if n := g.nodes[h.Key]; n != nil {
			want(n.Claim)
		}
	}
	return g.loadKeys(keys)
}

// seeker gives the node that is hung where the words of n belong: n, when it
// claims nobody, or the missing message it answers, when that claims nobody and n
// alone answers it. nil: n has its place.
func (g *graph) seeker(n *node) (*node, error) {
	if n == nil || n.Claim == 0 {
		return n, nil
	}
	up := g.nodes[n.Claim]
	if up == nil || up.PostID != 0 || up.Claim != 0 {
		return nil, nil
	}
	keys, err := g.answersTo(up)
	if err != nil || len(keys) != 1 {
		return nil, err
	}
	return up, nil
}

// answersText finds two posts that claim a node. Without the order of the joins SQLite
// reads every node of the list.
const answersText = `SELECT key FROM (SELECT n.key FROM thread_nodes c CROSS JOIN thread_nodes n WHERE c.list_id = ? AND c.parent_key = ?
		AND n.list_id = ? AND n.key = c.key AND n.claim = ? AND n.post_id <> 0 LIMIT 2) a
	UNION SELECT key FROM (SELECT n.key FROM thread_rulings r CROSS JOIN thread_nodes n WHERE r.list_id = ?
		AND n.list_id = ? AND n.key = r.key AND n.claim = ? AND n.post_id <> 0 LIMIT 2) b`

// answersTo gives posts that claim a node, two at the least where there are more.
// One that a moderator moved hangs elsewhere.
func (g *graph) answersTo(up *node) (keys map[int64]bool, err error) {
	keys = map[int64]bool{}
	for k, n := range g.nodes {
		if n.PostID != 0 && n.Claim == up.Key {
			keys[k] = true
		}
	}
	if up.fresh || len(keys) > 1 {
		return keys, nil
	}
	rows, err := g.t.query(answersText, g.list, up.Key, g.list, up.Key, g.list, g.list, up.Key)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var k int64
		if err := rows.Scan(&k); err != nil {
			_ = rows.Close()
			return nil, err
		}
		keys[k] = true
	}
	return keys, errors.Join(rows.Err(), rows.Close())
}

// waitingFor gives the seekers that one of the new posts may be the parent of.
// After a single new post those that have more than GuessNumber others in between
// cannot look as far back, so a few posts are asked about one by one.
func (g *graph) waitingFor(posts []*model.NewPost, first, last map[int64]model.Instant) (out []model.ThreadHint, err error) {
	if len(posts) > maxGathered {
		return g.waiting(first, last, false)
	}
	if g.t.s.dialect == Postgres {
		return g.waitingForEach(posts)
	}
	for _, p := range posts {
		if h := &p.Hint; h.Useful() {
			sent := map[int64]model.Instant{h.Topic: h.SentAt}
			some, err := g.waiting(sent, sent, true)
			if err != nil {
				return nil, err
			}
			out = append(out, some...)
		}
	}
	return out, nil
}

// waitingForEach is waitingFor for PostgreSQL: one way there and back.
func (g *graph) waitingForEach(posts []*model.NewPost) ([]model.ThreadHint, error) {
	var topics, sent []int64
	for _, p := range posts {
		if p.Hint.Useful() {
			topics, sent = append(topics, p.Hint.Topic), append(sent, int64(p.Hint.SentAt))
		}
	}
	if len(topics) == 0 {
		return nil, nil
	}
	window := model.Instant(0).Add(model.GuessWindow)
	return g.t.hintsBy("SELECT found.* FROM unnest(CAST(? AS bigint[]), CAST(? AS bigint[])) AS new (topic, sent) CROSS JOIN LATERAL (SELECT "+
		hintColumns+" FROM thread_hints WHERE list_id = ? AND topic = new.topic AND sent_at > new.sent AND sent_at <= new.sent + ? AND length(answered) > 0"+
		" ORDER BY sent_at, key LIMIT ?) AS found", pgArray(topics), pgArray(sent), g.list, window, model.GuessNumber)
}

// waiting gives the seekers of these topics that were sent after new posts of
// theirs, within the window.
func (g *graph) waiting(first, last map[int64]model.Instant, single bool) (out []model.ThreadHint, err error) {
	limit := int64(1) << 40
	if single {
		limit = model.GuessNumber
	}
	table := "thread_hints"
	if g.t.s.dialect == SQLite { // its planner goes through all hints of the list when there are several topics
		table += " INDEXED BY thread_hints_seek"
	}
	var topics []int64
	from, to := model.Instant(1<<62), model.Instant(0)
	for topic := range first {
		topics = append(topics, topic)
		from, to = min(from, first[topic]), max(to, last[topic])
	}
	for len(topics) > 0 {
		n := min(len(topics), maxInList)
		these, args := in([]any{g.list}, topics[:n])
		some, err := g.t.hintsOf(table, "list_id = ? AND topic IN "+these+" AND sent_at > ? AND sent_at <= ? AND length(answered) > 0 ORDER BY sent_at, key LIMIT ?",
			append(args, from, to.Add(model.GuessWindow), limit)...)
		if err != nil {
			return nil, err
		}
		for _, h := range some {
			if h.SentAt > first[h.Topic] && h.SentAt <= last[h.Topic].Add(model.GuessWindow) {
				out = append(out, h)
			}
		}
		topics = topics[n:]
	}
	return out, nil
}

// seek hangs a post where it seems to belong, or the missing message it answers.
func (g *graph) seek(h *model.ThreadHint) error {
	if n := g.nodes[h.Key]; n != nil && n.PostID == 0 {
		return g.seekAbove(n)
	}
	if !h.Seeks() {
		return nil
	}
	n, err := g.seeker(g.nodes[h.Key])
	if err != nil || n == nil || n.Link == model.LinkModerator {
		return err
	}
	era := model.GuessEra(h.SentAt)
	before, err := g.t.hints("list_id = ? AND era IN (?, ?) AND topic = ? AND sent_at < ? AND sent_at >= ? ORDER BY sent_at DESC, key DESC LIMIT ?",
		g.list, era-1, era, h.Topic, h.SentAt, h.SentAt.Add(-model.GuessWindow), model.GuessNumber)
	if err != nil {
		return err
	}
	parent, link := h.Guess(before), model.LinkGuessed
	if parent == 0 {
		link = model.LinkReferences
	}
	g.hang(n, parent, link)
	return nil
}

// seekAbove hangs a missing message by the words of the post that answers it, when
// a moderator's word about it is taken back.
func (g *graph) seekAbove(ghost *node) error {
	keys, err := g.answersTo(ghost)
	if err != nil || len(keys) != 1 || ghost.Claim != 0 {
		return err
	}
	if err := g.loadSeekers([]model.ThreadHint{{Key: sortedKeys(keys)[0]}}); err != nil {
		return err
	}
	n := g.nodes[sortedKeys(keys)[0]]
	var sent model.Instant
	if err := g.t.Raw("SELECT sent_at FROM posts WHERE id = ?", n.PostID).Row().Scan(&sent); err != nil {
		return err
	}
	hints, err := g.t.hints("list_id = ? AND era = ? AND sent_at = ? AND key = ?", g.list, model.GuessEra(sent), sent, n.Key)
	if err != nil || len(hints) == 0 {
		return err
	}
	return g.seek(&hints[0])
}

// hints reads hints.
func (t *tx) hints(where string, args ...any) ([]model.ThreadHint, error) {
	return t.hintsOf("thread_hints", where, args...)
}

func (t *tx) hintsOf(table, where string, args ...any) ([]model.ThreadHint, error) {
	return t.hintsBy("SELECT "+hintColumns+" FROM "+table+" WHERE "+where, args...)
}

func (t *tx) hintsBy(query string, args ...any) ([]model.ThreadHint, error) {
	rows, err := t.query(query, args...)
	if err != nil {
		return nil, err
	}
	var out []model.ThreadHint
	for rows.Next() {
		var h model.ThreadHint
		if err := rows.Scan(&h.ListID, &h.Era, &h.Topic, &h.SentAt, &h.Key, &h.Own, &h.Answered); err != nil {
			_ = rows.Close()
			return nil, err
		}
		out = append(out, h)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// ThreadHints gives what guessing keeps of a list, ordered by era, topic, date
// and key. The hint is good until yield returns.
func (s *Store) ThreadHints(ctx context.Context, listID int64, yield func(*model.ThreadHint) error) error {
	after := model.ThreadHint{Era: -1 << 62}
	for {
		t := &tx{DB: s.read(ctx), s: s}
		page, err := t.hints("list_id = ? AND (era, topic, sent_at, key) > (?, ?, ?, ?) ORDER BY era, topic, sent_at, key LIMIT ?",
			listID, after.Era, after.Topic, after.SentAt, after.Key, 4*pageRows)
		if err != nil {
			return s.fault(err)
		}
		for i := range page {
			if err := yield(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < 4*pageRows {
			return nil
		}
		after = page[len(page)-1]
	}
}

// SaveThreadHints takes away and adds hints of a list.
func (s *Store) SaveThreadHints(ctx context.Context, listID int64, wrong, missing []model.ThreadHint) error {
	return s.write(ctx, func(t *tx) error {
		for _, h := range wrong {
			if err := t.Exec("DELETE FROM thread_hints WHERE list_id = ? AND era = ? AND topic = ? AND sent_at = ? AND key = ?",
				listID, h.Era, h.Topic, h.SentAt, h.Key).Error; err != nil {
				return err
			}
		}
		var rows []any
		for _, h := range missing {
			rows = append(rows, listID, h.Era, h.Topic, h.SentAt, h.Key, blob(h.Own), blob(h.Answered))
		}
		return t.insertMany("INSERT INTO thread_hints ("+hintColumns+") VALUES ", "(?, ?, ?, ?, ?, ?, ?)",
			` ON CONFLICT (list_id, era, topic, sent_at, key) DO UPDATE SET own = excluded.own, answered = excluded.answered`, rows)
	})
}

// ThreadLinks gives the nodes of a list that hang where they do for another
// reason than references, by key, each with the post it hangs below, unless
// nothing changed since seq.
func (s *Store) ThreadLinks(ctx context.Context, listID, since int64, yield func(n *model.ThreadNode, parent model.PostID)) (seq int64, err error) {
	db := s.read(ctx)
	err = db.Raw("SELECT thread_seq FROM list_counters WHERE list_id = ?", listID).Row().Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) || err == nil && seq == since {
		return seq, nil
	}
	if err != nil {
		return 0, s.fault(err)
	}
	rows, err := db.Raw(`SELECT n.key, n.post_id, n.parent_key, n.link, COALESCE(p.post_id, 0) FROM thread_nodes n
		LEFT JOIN thread_nodes p ON p.list_id = n.list_id AND p.key = n.parent_key
		WHERE n.list_id = ? AND n.link <> 0 ORDER BY n.key`, listID).Rows()
	if err != nil {
		return 0, s.fault(err)
	}
	for rows.Next() {
		n := model.ThreadNode{ListID: listID}
		var parent model.PostID
		if err := rows.Scan(&n.Key, &n.PostID, &n.ParentKey, &n.Link, &parent); err != nil {
			_ = rows.Close()
			return 0, s.fault(err)
		}
		yield(&n, parent)
	}
	return seq, s.fault(errors.Join(rows.Err(), rows.Close()))
}
