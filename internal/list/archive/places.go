package archive

import (
	"sort"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// placed is a word with the very place it has in the text: that of a pair of
// characters is not the whole run it was cut from.
type placed struct {
	span
	first    string // of a pair: its first character, which a single one that is sought finds
	firstEnd int
}

// placedWords gives the words of a text with their places.
func placedWords(text string) (all []placed) {
	scanWords(text, func(s span) bool {
		all = append(all, placed{span: s})
		return true
	})
	for at := 0; at < len(all); {
		n := 1
		for at+n < len(all) && all[at+n].start == all[at].start {
			n++
		}
		if n > 1 {
			placeWithin(text, all[at:at+n])
		}
		at += n
	}
	return all
}

// placeWithin finds the places of words that were cut from one run.
func placeWithin(text string, words []placed) {
	start := words[0].start
	u, ok := unfold(text[start:words[0].end])
	if !ok {
		return // they keep the place of the run
	}
	at := 0
	for i := range words {
		w := &words[i]
		n := strings.Index(u.folded[at:], w.word)
		if n < 0 {
			return
		}
		at += n
		w.start, w.end = start+u.before(at), start+u.behind(at+len(w.word))
		r, size := utf8.DecodeRuneInString(w.word)
		if !spaceless(r) {
			at += len(w.word)
			continue
		}
		w.first, w.firstEnd = w.word[:size], start+u.behind(at+size)
		at += size
	}
}

// unfolded knows where the pieces of a folded text were before.
type unfolded struct {
	folded    string
	from, was []int // where each piece begins, folded and before; the end of both last
}

// unfold folds text piece by piece; false where that is not how it folds as a whole.
func unfold(text string) (u unfolded, ok bool) {
	var b strings.Builder
	for at := 0; at < len(text); {
		u.from, u.was = append(u.from, b.Len()), append(u.was, at)
		n := max(norm.NFKC.NextBoundaryInString(text[at:], true), 1)
		b.WriteString(Fold(text[at : at+n]))
		at += n
	}
	u.from, u.was = append(u.from, b.Len()), append(u.was, len(text))
	u.folded = b.String()
	return u, u.folded == Fold(text)
}

// before gives the beginning of the piece that has octet at of the folded text.
func (u unfolded) before(at int) int { return u.was[sort.SearchInts(u.from, at+1)-1] }

// behind gives the end of the piece that has the octet before at.
func (u unfolded) behind(at int) int { return u.was[sort.SearchInts(u.from, at)] }
