package store

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"plenary/internal/model"
)

// vectorLetters are the letters of the columns, as searchColumns.
const vectorLetters = "sarbqf"

// maxVector bounds the octets of a tsvector, which may have 1,048,575: what a post
// has beyond is not found.
const maxVector = 1_000_000

// vector is a tsvector as PostgreSQL receives it: how many lexemes there are, and of
// each its octets, a zero, how many positions it has, and those. They come in the
// order of their octets, which spares PostgreSQL sorting them.
type vector []byte

// vectorMaker makes tsvectors; it keeps its memory for the next.
type vectorMaker struct {
	at     map[string]int32 // word: its lexeme
	words  []string         // of each lexeme
	count  []int32          // of each lexeme: its positions, later the place behind them
	order  []int32          // the lexemes in the order of the text
	pos    []uint16         // of each of order
	places []uint16         // pos, by lexeme
	sorted []int32          // the lexemes by their words
}

// vector makes the tsvector of a post.
func (m *vectorMaker) vector(x *model.SearchText) vector {
	m.read(x)
	end := int32(0)
	for i, n := range m.count {
		m.count[i], end = end, end+n
	}
	m.places = slices.Grow(m.places[:0], len(m.pos))[:len(m.pos)]
	for i, l := range m.order {
		m.places[m.count[l]] = m.pos[i]
		m.count[l]++
	}
	m.sorted = m.sorted[:0]
	size := 4 + 2*len(m.pos)
	for i, w := range m.words {
		m.sorted, size = append(m.sorted, int32(i)), size+len(w)+3
	}
	slices.SortFunc(m.sorted, func(a, b int32) int { return cmp.Compare(m.words[a], m.words[b]) })
	out := binary.BigEndian.AppendUint32(make(vector, 0, size), uint32(len(m.words)))
	for _, l := range m.sorted {
		var some []uint16
		if l == 0 {
			some = m.places[:m.count[0]]
		} else {
			some = m.places[m.count[l-1]:m.count[l]]
		}
		out = append(append(out, m.words[l]...), 0)
		out = binary.BigEndian.AppendUint16(out, uint16(len(some)))
		for _, p := range some {
			out = binary.BigEndian.AppendUint16(out, p) // the two bits of its weight are zero
		}
	}
	return out
}

// read parts the text of a post into words.
func (m *vectorMaker) read(x *model.SearchText) {
	if m.at == nil {
		m.at = map[string]int32{}
	}
	clear(m.at)
	m.words, m.count, m.order, m.pos = m.words[:0], m.count[:0], m.order[:0], m.pos[:0]
	size := 0
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
			l, known := m.at[w]
			if size += 2; !known {
				size += 3 + len(w)
			}
			if size > maxVector {
				break
			}
			if !known {
				l = int32(len(m.words))
				m.at[w] = l
				m.words, m.count = append(m.words, w), append(m.count, 0)
			}
			m.count[l]++
			m.order, m.pos = append(m.order, l), append(m.pos, pos)
		}
	}
}

// makeVectors is the work of making the vectors of posts before their transaction;
// none on SQLite.
func (s *Store) makeVectors(posts []*model.NewPost) (work []func() error) {
	if s.dialect != Postgres {
		return nil
	}
	for some := range slices.Chunk(posts, vectorsPerInsert) {
		work = append(work, func() error {
			var maker vectorMaker
			for _, p := range some {
				p.Vector = maker.vector(&p.Text)
			}
			return nil
		})
	}
	return work
}

// vectorCodec hands vectors to PostgreSQL as they are.
type vectorCodec struct{ pgtype.TSVectorCodec }

func (c vectorCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(vector); ok && format == pgtype.BinaryFormatCode {
		return encodeVector{}
	}
	return c.TSVectorCodec.PlanEncode(m, oid, format, value)
}

type encodeVector struct{}

func (encodeVector) Encode(value any, buf []byte) ([]byte, error) {
	return append(buf, value.(vector)...), nil
}

// learnVectors teaches a connection to send them.
func learnVectors(m *pgtype.Map) {
	one := &pgtype.Type{Name: "tsvector", OID: pgtype.TSVectorOID, Codec: vectorCodec{}}
	m.RegisterType(one)
	m.RegisterType(&pgtype.Type{Name: "_tsvector", OID: pgtype.TSVectorArrayOID, Codec: &pgtype.ArrayCodec{ElementType: one}})
}
