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
	at     map[string]int32 // word: its lexeme, of one column
	words  []string         // of each lexeme
	count  []int32          // of each lexeme: its positions, later the place behind them
	order  []int32          // the lexemes in the order of the text
	pos    []uint16         // of each of order
	places []uint16         // pos, by lexeme
	sorted []sortedLexeme
	out    [len(vectorLetters)][]byte // of each column
}

// sortedLexeme is a lexeme with the beginning of its word, which nearly always tells
// which of two comes first.
type sortedLexeme struct {
	begin  uint64
	lexeme int32
}

// vector makes the tsvector of a post: column by column, because the letter of its
// column is the first octet of each lexeme.
func (m *vectorMaker) vector(x *model.SearchText) vector {
	room, lexemes := maxVector, 0
	size := 4
	for i, words := range [...]string{x.Subject, x.Author, x.Recipients, x.Body, x.Quoted, x.Files} {
		m.out[i] = m.out[i][:0]
		room = m.read(words, room)
		lexemes += len(m.words)
		m.write(i)
		size += len(m.out[i])
	}
	out := binary.BigEndian.AppendUint32(make(vector, 0, size), uint32(lexemes))
	for _, letter := range []byte("abfqrs") {
		out = append(out, m.out[strings.IndexByte(vectorLetters, letter)]...)
	}
	return out
}

// read parts the text of a column into words, as many as there is room for, and gives
// the room that is left.
func (m *vectorMaker) read(words string, room int) int {
	if m.at == nil {
		m.at = map[string]int32{}
	}
	clear(m.at)
	m.words, m.count, m.order, m.pos = m.words[:0], m.count[:0], m.order[:0], m.pos[:0]
	for pos := uint16(1); words != ""; pos++ {
		var w string
		w, words, _ = strings.Cut(words, " ")
		if w == filler || w == "" {
			continue
		}
		l, known := m.at[w]
		if room -= 2; !known {
			room -= 4 + len(w)
		}
		if room < 0 {
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
	return room
}

// write writes a column's lexemes in the order of their octets.
func (m *vectorMaker) write(column int) {
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
	for i, w := range m.words {
		m.sorted = append(m.sorted, sortedLexeme{beginning(w), int32(i)})
	}
	slices.SortFunc(m.sorted, func(a, b sortedLexeme) int {
		if a.begin != b.begin {
			return cmp.Compare(a.begin, b.begin)
		}
		return cmp.Compare(m.words[a.lexeme], m.words[b.lexeme])
	})
	out := m.out[column]
	for _, s := range m.sorted {
		first := int32(0)
		if s.lexeme > 0 {
			first = m.count[s.lexeme-1]
		}
		some := m.places[first:m.count[s.lexeme]]
		out = append(append(append(out, vectorLetters[column]), m.words[s.lexeme]...), 0)
		out = binary.BigEndian.AppendUint16(out, uint16(len(some)))
		for _, p := range some {
			out = binary.BigEndian.AppendUint16(out, p) // the two bits of its weight are zero
		}
	}
	m.out[column] = out
}

// beginning is the first eight octets of a word as a number that is less where the word
// comes first.
func beginning(w string) (n uint64) {
	if len(w) >= 8 {
		return uint64(w[7]) | uint64(w[6])<<8 | uint64(w[5])<<16 | uint64(w[4])<<24 |
			uint64(w[3])<<32 | uint64(w[2])<<40 | uint64(w[1])<<48 | uint64(w[0])<<56
	}
	for i := range len(w) {
		n |= uint64(w[i]) << (56 - 8*i)
	}
	return n
}

// makeVectors is the work of making the vectors of posts before their transaction;
// none on SQLite.
func (s *Store) makeVectors(posts []*model.NewPost) (work []func() error) {
	if s.dialect != Postgres {
		return nil
	}
	for some := range slices.Chunk(posts, vectorsPerInsert) {
		work = append(work, func() error { fillVectors(some); return nil })
	}
	return work
}

func fillVectors(posts []*model.NewPost) {
	var maker vectorMaker
	for _, p := range posts {
		p.Vector = maker.vector(&p.Text)
	}
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
