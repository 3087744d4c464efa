package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"gorm.io/gorm"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// The full-text index. Words come ready made (list/archive.IndexWords), parted
// by spaces, so that SQLite's FTS5 and PostgreSQL's tsvector hold the same words
// at the same positions and give the same answers.

// searchColumns are the columns in the order of model.SearchColumns.
var searchColumns = [...]string{"subject", "author", "recipients", "body", "quoted", "files"}

// filler keeps a place without being a word (archive.Filler).
const filler = "\ue000"

const (
	maxMatchSteps  = 500  // of one Match
	wordsPerInsert = 1024 // posts whose words one statement writes
)

// insertWords feeds the index with new posts, list by list in the order of UIDs.
func (t *tx) insertWords(posts []*model.NewPost) error {
	for len(posts) > 0 {
		era, room, err := t.newestEra()
		if err != nil {
			return err
		}
		some := posts[:min(room, len(posts))]
		posts = posts[len(some):]
		for i, p := range some {
			if i > 0 && p.Post.ID.List() == some[i-1].Post.ID.List() {
				continue
			}
			if err := t.extend(p.Post.ID, era); err != nil {
				return err
			}
		}
		if err := t.fillEra(era, some); err != nil {
			return err
		}
	}
	return nil
}

// fillEra writes words into an era.
func (t *tx) fillEra(era int64, posts []*model.NewPost) error {
	t.s.eras.wrote(era, len(posts))
	t.writesTo(era)
	if t.s.dialect == Postgres {
		return t.insertVectors(era, posts)
	}
	// Few large statements: FTS5 writes out what it gathered after each.
	for some := range slices.Chunk(posts, wordsPerInsert) {
		args := make([]any, 0, 7*len(some))
		for _, p := range some {
			x := &p.Text
			args = append(args, p.Post.ID, x.Subject, x.Author, x.Recipients, x.Body, x.Quoted, x.Files)
		}
		if _, err := t.exec("INSERT INTO "+eraTable(era)+eraColumns+
			strings.Repeat("(?, ?, ?, ?, ?, ?, ?), ", len(some)-1)+"(?, ?, ?, ?, ?, ?, ?)", args...); err != nil {
			return t.ofIndex(err)
		}
	}
	return nil
}

// MatchPosts gives the posts of a list that satisfy m, in the order it asks
// for, until yield returns false. yield must not wait: the database is being
// read meanwhile.
func (s *Store) MatchPosts(ctx context.Context, listID int64, m model.Match, yield func(model.UID) bool) error {
	from, to := model.MakePostID(listID, m.From), model.MakePostID(listID, 1<<32-1)
	if m.To != 0 {
		to = model.MakePostID(listID, m.To)
	}
	if s.dialect == Postgres {
		return s.matchVectors(ctx, m, from, to, yield)
	}
	expr, err := ftsExpression(m.Steps)
	if err != nil {
		return err
	}
	q := matching{expr: expr, newest: m.Newest, limit: m.Limit, yield: yield}
	// One transaction: posts move between eras, and eras go away.
	err = s.read(ctx).Transaction(func(db *gorm.DB) error {
		t := &tx{DB: db, s: s}
		ranges, err := t.ranges(listID)
		if err != nil {
			return err
		}
		all := parts(ranges, from, to)
		if !m.Newest {
			slices.Reverse(all)
		}
		for _, part := range all {
			if err := q.ask(t, part); err != nil || q.enough {
				return err
			}
		}
		return nil
	})
	return s.fault(err)
}

// matching is a question on its way through the eras of SQLite.
type matching struct {
	expr   string
	newest bool
	limit  int // how many are still wanted; 0: all
	enough bool
	yield  func(model.UID) bool
}

// hit hands on a post, and reports whether more are wanted.
func (q *matching) hit(u model.UID) bool {
	if q.limit > 0 {
		q.limit--
		q.enough = q.limit == 0
	}
	if !q.yield(u) {
		q.enough = true
	}
	return !q.enough
}

// ask asks an era.
func (q *matching) ask(t *tx, p eraPart) error {
	table := eraTable(p.era)
	where := " FROM " + table + " WHERE " + table + " MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid"
	args := []any{q.expr, p.from, p.to}
	if !q.newest && q.limit == 0 {
		return t.matchAll("SELECT group_concat(uid) FROM (SELECT rowid & 4294967295 AS uid"+where+")", args, q.hit)
	}
	if q.newest {
		where += " DESC"
	}
	if q.limit > 0 {
		where += " LIMIT ?"
		args = append(args, q.limit)
	}
	return t.matchRows("SELECT rowid"+where, args, q.hit)
}

// matchRows gives hit the posts of a query, until it has enough.
func (t *tx) matchRows(query string, args []any, hit func(model.UID) bool) error {
	rows, err := t.query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id model.PostID
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if !hit(id.UID()) {
			return nil
		}
	}
	return rows.Err()
}

// matchAll asks for all matches in one row, as numbers with something between:
// handing a row to Go costs several times what finding it did.
func (t *tx) matchAll(query string, args []any, hit func(model.UID) bool) error {
	rows, err := t.query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var all sql.RawBytes
	if rows.Next() {
		if err := rows.Scan(&all); err != nil {
			return err
		}
	}
	uid, within := model.UID(0), false
	for _, c := range all {
		switch digit := c >= '0' && c <= '9'; {
		case digit:
			uid, within = uid*10+model.UID(c-'0'), true
		case within:
			if !hit(uid) {
				return nil
			}
			uid, within = 0, false
		}
	}
	if within {
		hit(uid)
	}
	return rows.Err()
}

// fold runs the postfix steps over a stack of results.
func fold[T any](steps []model.MatchStep, words func(model.MatchStep) T, join func(model.MatchOp, []T) T) (out T, err error) {
	bad := fault.New(fault.Internal, "the search makes no sense")
	if len(steps) > maxMatchSteps {
		return out, fault.New(fault.TooMany, "that is more than can be searched for at once")
	}
	var stack []T
	for _, st := range steps {
		switch st.Op {
		case model.MatchWords:
			if len(st.Words) == 0 || st.Columns&model.InAll == 0 {
				return out, bad
			}
			stack = append(stack, words(st))
		case model.MatchAnd, model.MatchOr, model.MatchNot:
			n := st.N
			if st.Op == model.MatchNot {
				n = 2
			}
			if n < 1 || n > len(stack) {
				return out, bad
			}
			top := len(stack) - n
			stack = append(stack[:top], join(st.Op, stack[top:]))
		default:
			return out, bad
		}
		if len(stack) > maxMatchSteps {
			return out, bad
		}
	}
	if len(stack) != 1 {
		return out, bad
	}
	return stack[0], nil
}

// ftsExpression writes the steps for FTS5: only quoted words of the index and
// operators of ours, never text of a user.
func ftsExpression(steps []model.MatchStep) (string, error) {
	return fold(steps, func(st model.MatchStep) string {
		var b strings.Builder
		if st.Columns&model.InAll != model.InAll {
			b.WriteByte('{')
			for i, c := range searchColumns {
				if st.Columns&(1<<i) != 0 {
					b.WriteString(c + " ")
				}
			}
			b.WriteString("} : ")
		}
		b.WriteString(`"` + strings.ReplaceAll(strings.Join(st.Words, " "), `"`, `""`) + `"`)
		if st.Prefix {
			b.WriteString(" *")
		}
		return b.String()
	}, func(op model.MatchOp, parts []string) string {
		return "(" + strings.Join(parts, map[model.MatchOp]string{model.MatchAnd: " AND ", model.MatchOr: " OR ",
			model.MatchNot: " NOT "}[op]) + ")"
	})
}
