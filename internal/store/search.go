package store

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

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

// insertWords feeds the index.
func (t *tx) insertWords(posts []*model.NewPost) error {
	stmt, row := "INSERT INTO post_fts (rowid, subject, author, recipients, body, quoted, files) VALUES ", "(?, ?, ?, ?, ?, ?, ?)"
	words := func(s string) string { return s }
	if t.s.dialect == Postgres {
		v := "CAST(? AS tsvector)"
		stmt = "INSERT INTO post_fts (id, subject, author, recipients, body, quoted, files) VALUES "
		row = "(?" + strings.Repeat(", "+v, len(searchColumns)) + ")"
		words = tsvector
	}
	// Few large statements: FTS5 writes out what it gathered after each.
	for some := range slices.Chunk(posts, wordsPerInsert) {
		args := make([]any, 0, 7*len(some))
		for _, p := range some {
			x := &p.Text
			args = append(args, p.Post.ID, words(x.Subject), words(x.Author), words(x.Recipients), words(x.Body),
				words(x.Quoted), words(x.Files))
		}
		if err := t.Exec(stmt+strings.Repeat(row+", ", len(some)-1)+row, args...).Error; err != nil {
			return err
		}
	}
	return nil
}

// tsvector writes words with their positions as PostgreSQL reads them. Words
// hold letters, digits and marks only, so quoting is enough.
func tsvector(words string) string {
	if words == "" {
		return ""
	}
	at := map[string][]int32{}
	var order []string
	for i, pos := 0, int32(1); i < len(words); pos++ {
		end := strings.IndexByte(words[i:], ' ')
		if end < 0 {
			end = len(words) - i
		}
		w := words[i : i+end]
		i += end + 1
		if w == filler || w == "" {
			continue
		}
		if at[w] == nil {
			order = append(order, w)
		}
		at[w] = append(at[w], pos)
	}
	out := make([]byte, 0, 2*len(words))
	for _, w := range order {
		out = append(out, '\'')
		out = append(out, w...)
		out = append(out, "':"...)
		for i, pos := range at[w] {
			if i > 0 {
				out = append(out, ',')
			}
			out = strconv.AppendInt(out, int64(pos), 10)
		}
		out = append(out, ' ')
	}
	return string(out)
}

// MatchPosts gives the posts of a list that satisfy m, in the order it asks
// for, until yield returns false. yield must not wait: the database is being
// read meanwhile.
func (s *Store) MatchPosts(ctx context.Context, listID int64, m model.Match, yield func(model.UID) bool) error {
	from, to := model.MakePostID(listID, m.From), model.MakePostID(listID, 1<<32-1)
	if m.To != 0 {
		to = model.MakePostID(listID, m.To)
	}
	id, condition := "rowid", "post_fts MATCH ?"
	var args []any
	var err error
	if s.dialect == Postgres {
		id = "id"
		condition, args, err = tsCondition(m.Steps)
	} else {
		var expr string
		expr, err = ftsExpression(m.Steps)
		args = []any{expr}
	}
	if err != nil {
		return err
	}
	where := " FROM post_fts WHERE " + condition + " AND " + id + " BETWEEN ? AND ? ORDER BY " + id
	args = append(args, from, to)
	if s.dialect == SQLite && !m.Newest && m.Limit == 0 {
		return s.matchAll(ctx, where, args, yield)
	}
	if m.Newest {
		where += " DESC"
	}
	if m.Limit > 0 {
		where += " LIMIT ?"
		args = append(args, m.Limit)
	}
	rows, err := s.read(ctx).Raw("SELECT "+id+where, args...).Rows()
	if err != nil {
		return s.fault(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id model.PostID
		if err := rows.Scan(&id); err != nil {
			return s.fault(err)
		}
		if !yield(id.UID()) {
			return nil
		}
	}
	return s.fault(rows.Err())
}

// matchAll asks SQLite for all matches in one row: handing a row to Go costs
// several times what finding it did.
func (s *Store) matchAll(ctx context.Context, where string, args []any, yield func(model.UID) bool) error {
	var all sql.RawBytes
	rows, err := s.read(ctx).Raw("SELECT group_concat(uid) FROM (SELECT rowid & 4294967295 AS uid"+where+")", args...).Rows()
	if err != nil {
		return s.fault(err)
	}
	defer rows.Close()
	if rows.Next() {
		if err := rows.Scan(&all); err != nil {
			return s.fault(err)
		}
		uid := model.UID(0)
		for i, c := range all {
			if c != ',' {
				uid = uid*10 + model.UID(c-'0')
			}
			if c == ',' || i == len(all)-1 {
				if !yield(uid) {
					return nil
				}
				uid = 0
			}
		}
	}
	return s.fault(rows.Err())
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

type condition struct {
	sql  string
	args []any
}

// tsCondition writes the steps as conditions on the tsvector columns.
func tsCondition(steps []model.MatchStep) (string, []any, error) {
	c, err := fold(steps, func(st model.MatchStep) condition {
		quoted := make([]string, len(st.Words))
		for i, w := range st.Words {
			quoted[i] = "'" + strings.ReplaceAll(strings.ReplaceAll(w, `\`, `\\`), "'", "''") + "'"
		}
		q := strings.Join(quoted, " <-> ")
		if st.Prefix {
			q += ":*"
		}
		var any condition
		for i, c := range searchColumns {
			if st.Columns&(1<<i) != 0 {
				any.sql += " OR " + c + " @@ CAST(? AS tsquery)"
				any.args = append(any.args, q)
			}
		}
		any.sql = "(" + strings.TrimPrefix(any.sql, " OR ") + ")"
		return any
	}, func(op model.MatchOp, parts []condition) condition {
		word := map[model.MatchOp]string{model.MatchAnd: " AND ", model.MatchOr: " OR ", model.MatchNot: " AND NOT "}[op]
		var all condition
		for i, p := range parts {
			if i > 0 {
				all.sql += word
			}
			all.sql += p.sql
			all.args = append(all.args, p.args...)
		}
		all.sql = "(" + all.sql + ")"
		return all
	})
	return c.sql, c.args, err
}
