package store

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"plenary/internal/model"
)

// On PostgreSQL a post's words are one tsvector. Each begins with the letter of
// its column, so that one index serves them all; positions count within a column,
// and a phrase, whose words have one letter, is found in one column only.

// vectorLetters are the letters of the columns, as searchColumns.
const vectorLetters = "sarbqf"

const (
	maxVector        = 1_000_000 // octets of a tsvector, which may have 1,048,575: what a post has beyond is not found
	vectorsPerInsert = 256       // posts whose words one statement writes
	newestPage       = 1000      // hits that are asked for at once when nobody knows how many are wanted
)

// insertVectors feeds the index.
func (t *tx) insertVectors(posts []*model.NewPost) error {
	var maker vectorMaker
	for some := range slices.Chunk(posts, vectorsPerInsert) {
		ids, vectors := make([]int64, len(some)), make([]pgtype.TSVector, len(some))
		for i, p := range some {
			ids[i], vectors[i] = int64(p.Post.ID), maker.vector(&p.Text)
		}
		if err := t.Exec("INSERT INTO post_fts (id, words) SELECT * FROM unnest(CAST(? AS bigint[]), CAST(? AS tsvector[]))",
			pgArray(ids), pgArray(vectors)).Error; err != nil {
			return err
		}
	}
	return nil
}

// pgArray is one parameter, where a slice would become many.
func pgArray[T any](all []T) pgtype.Array[T] {
	return pgtype.Array[T]{Elements: all, Dims: []pgtype.ArrayDimension{{Length: int32(len(all)), LowerBound: 1}}, Valid: true}
}

// vectorMaker makes tsvectors; it keeps its memory for the next.
type vectorMaker struct {
	at    map[string]int32 // word: its lexeme
	order []int32          // the lexemes in the order of the text
	pos   []uint16         // of each of order
	count []int32          // of each lexeme
}

// vector makes the tsvector of a post.
func (m *vectorMaker) vector(x *model.SearchText) pgtype.TSVector {
	if m.at == nil {
		m.at = map[string]int32{}
	}
	clear(m.at)
	m.order, m.pos, m.count = m.order[:0], m.pos[:0], m.count[:0]
	size := 0
	v := pgtype.TSVector{Valid: true}
	for i, words := range [...]string{x.Subject, x.Author, x.Recipients, x.Body, x.Quoted, x.Files} {
		if words == "" {
			continue
		}
		letter := vectorLetters[i : i+1]
		words = letter + strings.ReplaceAll(words, " ", " "+letter)
		for pos := uint16(1); words != ""; pos++ {
			var w string
			w, words, _ = strings.Cut(words, " ")
			if w[1:] == filler || len(w) == 1 {
				continue
			}
			n, known := m.at[w]
			if size += 2; !known {
				size += 3 + len(w)
			}
			if size > maxVector {
				break
			}
			if !known {
				n = int32(len(v.Lexemes))
				m.at[w] = n
				v.Lexemes, m.count = append(v.Lexemes, pgtype.TSVectorLexeme{Word: w}), append(m.count, 0)
			}
			m.count[n]++
			m.order, m.pos = append(m.order, n), append(m.pos, pos)
		}
	}
	all := make([]pgtype.TSVectorPosition, len(m.order))
	for i, n := range m.count {
		v.Lexemes[i].Positions, all = all[:0:n], all[n:]
	}
	for i, n := range m.order {
		l := &v.Lexemes[n]
		l.Positions = append(l.Positions, pgtype.TSVectorPosition{Position: m.pos[i]})
	}
	return v
}

// vectorsWhere takes the tsquery and the first and the last post. It is a function
// (migration 13), or the planner would read every post's words.
const vectorsWhere = " FROM post_fts_hits(CAST(? AS tsquery), ?, ?) AS id"

// matchVectors is MatchPosts for PostgreSQL.
func (s *Store) matchVectors(ctx context.Context, m model.Match, from, to model.PostID, yield func(model.UID) bool) error {
	q, err := tsQuery(m.Steps)
	if err != nil {
		return err
	}
	if !m.Newest && m.Limit == 0 {
		var all []model.UID
		if err := s.matchAll(ctx, "SELECT CAST(array_agg(id & 4294967295) AS text)"+vectorsWhere, []any{q, from, to}, func(u model.UID) bool {
			all = append(all, u)
			return true
		}); err != nil {
			return err
		}
		slices.Sort(all) // they come nearly in order
		for _, u := range all {
			if !yield(u) {
				break
			}
		}
		return nil
	}
	if !m.Newest {
		_, err := s.matchRows(ctx, "SELECT id"+vectorsWhere+" ORDER BY id LIMIT ?", []any{q, from, to, m.Limit}, yield)
		return err
	}
	page := m.Limit
	if page == 0 {
		page = newestPage
	}
	for {
		n, last := 0, to
		more, err := s.matchRows(ctx, "SELECT id"+vectorsWhere+" ORDER BY id DESC LIMIT ?", []any{q, from, to, page}, func(u model.UID) bool {
			n, last = n+1, model.MakePostID(from.List(), u)
			return yield(u)
		})
		if err != nil || !more || n < page || n == m.Limit {
			return err
		}
		to, page = last-1, 1<<31-1 // few were enough, or else all are
	}
}

// tsQuery writes the steps as a tsquery: only quoted words of the index and
// operators of ours, never text of a user.
func tsQuery(steps []model.MatchStep) (string, error) {
	return fold(steps, func(st model.MatchStep) string {
		var any []string
		for i := range searchColumns {
			if st.Columns&(1<<i) == 0 {
				continue
			}
			quoted := make([]string, len(st.Words))
			for k, w := range st.Words {
				quoted[k] = "'" + vectorLetters[i:i+1] + strings.ReplaceAll(strings.ReplaceAll(w, `\`, `\\`), "'", "''") + "'"
			}
			q := strings.Join(quoted, " <-> ")
			if st.Prefix {
				q += ":*"
			}
			any = append(any, "("+q+")")
		}
		return "(" + strings.Join(any, " | ") + ")"
	}, func(op model.MatchOp, parts []string) string {
		return "(" + strings.Join(parts, map[model.MatchOp]string{model.MatchAnd: " & ", model.MatchOr: " | ", model.MatchNot: " & !"}[op]) + ")"
	})
}
