package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"plenary/internal/model"
)

// TestVectors: what is sent to PostgreSQL has each word of each column with its
// places, in the order of the words' octets, and a maker keeps nothing of the post
// before.
func TestVectors(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(n int) string {
		words := make([]string, n)
		for i := range words {
			words[i] = []string{filler, "a", "ab", "b", "über", "日本", "w" + fmt.Sprint(r.IntN(50))}[r.IntN(7)]
		}
		return strings.Join(words, " ")
	}
	var maker vectorMaker
	for range 200 {
		x := model.SearchText{Subject: text(r.IntN(5)), Author: text(r.IntN(3)), Recipients: text(r.IntN(3)),
			Body: text(r.IntN(200)), Quoted: text(r.IntN(30)), Files: text(r.IntN(2))}
		want := map[string][]uint16{}
		for i, words := range []string{x.Subject, x.Author, x.Recipients, x.Body, x.Quoted, x.Files} {
			for pos, w := range strings.Split(words, " ") {
				if w != "" && w != filler {
					w = vectorLetters[i:i+1] + w
					want[w] = append(want[w], uint16(pos+1))
				}
			}
		}
		var got pgtype.TSVector
		if err := pgtype.NewMap().Scan(pgtype.TSVectorOID, pgtype.BinaryFormatCode, maker.vector(&x), &got); err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(got.Lexemes, func(a, b pgtype.TSVectorLexeme) int { return strings.Compare(a.Word, b.Word) }) {
			t.Fatal("not in order", got.Lexemes)
		}
		if len(got.Lexemes) != len(want) {
			t.Fatalf("%d words, want %d", len(got.Lexemes), len(want))
		}
		for _, l := range got.Lexemes {
			var places []uint16
			for _, p := range l.Positions {
				if places = append(places, p.Position); p.Weight != pgtype.TSVectorWeightD {
					t.Fatal(l)
				}
			}
			if !slices.Equal(places, want[l.Word]) {
				t.Fatalf("%s at %v, want %v", l.Word, places, want[l.Word])
			}
		}
	}
}

// BenchmarkVectors makes the vectors of posts of two hundred words.
func BenchmarkVectors(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(n int) string {
		words := make([]string, n)
		for i := range words {
			words[i] = "word"[:1+r.IntN(4)] + fmt.Sprint(int(2000*r.ExpFloat64()))
		}
		return strings.Join(words, " ")
	}
	var posts []model.SearchText
	for range 64 {
		posts = append(posts, model.SearchText{Subject: text(6), Author: text(4), Recipients: text(4), Body: text(200), Quoted: text(100)})
	}
	var maker vectorMaker
	for i := 0; b.Loop(); i++ {
		maker.vector(&posts[i%len(posts)])
	}
}
