package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"plenary/internal/model"
)

// On PostgreSQL a post's words are one tsvector. Each begins with the letter of
// its column, so that one index serves them all; positions count within a column,
// and a phrase, whose words have one letter, is found in one column only.

const (
	vectorsPerInsert = 256  // posts whose words one statement writes
	newestPage       = 1000 // hits that are asked for at first when nobody knows how many are wanted
)

// insertVectors feeds the index.
func (t *tx) insertVectors(era int64, posts []*model.NewPost) error {
	var maker vectorMaker
	for some := range slices.Chunk(posts, vectorsPerInsert) {
		ids, vectors := make([]int64, len(some)), make([]vector, len(some))
		for i, p := range some {
			ids[i] = int64(p.Post.ID)
			if vectors[i] = p.Vector; vectors[i] == nil {
				vectors[i] = maker.vector(&p.Text)
			}
		}
		if err := t.later("INSERT INTO "+eraTable(era)+" (id, words) SELECT * FROM unnest(CAST(? AS bigint[]), CAST(? AS tsvector[]))",
			pgArray(ids), pgArray(vectors)); err != nil {
			return err
		}
	}
	return nil
}

// pgArray is one parameter, where a slice would become many.
func pgArray[T any](all []T) pgtype.Array[T] {
	return pgtype.Array[T]{Elements: all, Dims: []pgtype.ArrayDimension{{Length: int32(len(all)), LowerBound: 1}}, Valid: true}
}

// postgresEra makes an era's table like the one before; why it is so is told in
// step 12, in step 17 why nothing is counted in it, and in step 18 what pads its rows.
func postgresEra(table, before string) []string {
	return []string{
		"CREATE TABLE " + table + " (LIKE " + before + " INCLUDING ALL) WITH (toast_tuple_target = 128)",
		"ALTER TABLE " + table + " ADD COLUMN IF NOT EXISTS pad TEXT GENERATED ALWAYS AS (repeat(' ', 2000)) STORED",
		"ALTER TABLE " + table + " ALTER COLUMN words SET STATISTICS 0",
	}
}

// matchVectors is MatchPosts for PostgreSQL, where a function walks through the
// eras (step 15): one way there and back.
func (s *Store) matchVectors(ctx context.Context, m model.Match, from, to model.PostID, yield func(model.UID) bool) error {
	q, err := tsQuery(m.Steps)
	if err != nil {
		return err
	}
	find := vectorQuery{expr: q.text, from: from, to: to, newest: m.Newest, wanted: m.Limit}
	if len(q.excluded) > 0 {
		doubt := strings.Join(q.excluded, " | ")
		find.doubt = &doubt
	}
	if m.Newest && m.Limit == 0 {
		find.wanted = newestPage
	}
	for {
		all, err := s.findVectors(ctx, find)
		if err != nil {
			return s.fault(err)
		}
		for _, u := range all {
			if !yield(u) {
				return nil
			}
		}
		if find.wanted == m.Limit || len(all) < find.wanted {
			return nil
		}
		find.to, find.wanted = model.MakePostID(from.List(), all[len(all)-1]-1), 0 // few were enough, or else all are
	}
}

// vectorQuery asks for posts from one to another, as many as wanted or, with 0, all.
type vectorQuery struct {
	expr     string
	from, to model.PostID
	newest   bool
	wanted   int
	doubt    *string // what expr excludes, any of it; nil: nothing (step 16)
}

// findVectors gives the posts a query finds. An era that was dropped while it was
// being asked has its posts in another by now.
func (s *Store) findVectors(ctx context.Context, q vectorQuery) (all []model.UID, err error) {
	for range writeAttempts {
		all, err = s.hot(ctx).findVectors(q)
		var gone *pgconn.PgError
		if !errors.As(err, &gone) || gone.Code != "42P01" {
			break
		}
	}
	return all, err
}

func (t *tx) findVectors(q vectorQuery) (all []model.UID, err error) {
	rows, err := t.query("SELECT post_fts_find(?, CAST(? AS tsquery), ?, ?, ?, ?, CAST(? AS tsquery))",
		q.from.List(), q.expr, q.from, q.to, q.newest, q.wanted, q.doubt)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var sent sql.RawBytes
		if err := rows.Scan(&sent); err != nil {
			_ = rows.Close()
			return nil, err
		}
		all = appendSent(all, sent)
	}
	slices.Sort(all) // they are nearly in order
	if q.newest {
		slices.Reverse(all)
	}
	return all, errors.Join(rows.Err(), rows.Close())
}

// appendSent reads what array_send made of ids: 20 octets about the array, then of
// each its length, which is 8, and itself.
func appendSent(all []model.UID, sent []byte) []model.UID {
	const head, each = 20, 4 + 8
	for at := head; at+each <= len(sent); at += each {
		all = append(all, model.PostID(binary.BigEndian.Uint64(sent[at+4:])).UID())
	}
	return all
}

// vectorExpr is a tsquery: only quoted words of the index and operators of ours,
// never text of a user.
type vectorExpr struct {
	text     string
	words    []string // its parts without operators
	excluded []string // those of them that stand in what is taken away
}

// tsQuery writes the steps as a tsquery.
func tsQuery(steps []model.MatchStep) (vectorExpr, error) {
	return fold(steps, func(st model.MatchStep) vectorExpr {
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
		text := "(" + strings.Join(any, " | ") + ")"
		return vectorExpr{text: text, words: []string{text}}
	}, func(op model.MatchOp, parts []vectorExpr) (out vectorExpr) {
		texts := make([]string, len(parts))
		for i, p := range parts {
			texts[i] = p.text
			out.words, out.excluded = append(out.words, p.words...), append(out.excluded, p.excluded...)
		}
		if op == model.MatchNot {
			out.excluded = append(out.excluded, parts[1].words...)
		}
		out.text = "(" + strings.Join(texts, map[model.MatchOp]string{model.MatchAnd: " & ", model.MatchOr: " | ", model.MatchNot: " & !"}[op]) + ")"
		return out
	})
}
