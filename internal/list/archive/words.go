package archive

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The index holds words made here, for both databases, so that both find the
// same posts:
//
//   - a word is a run of letters and digits; lower case, accents folded
//     (NFKD, combining marks off, and a few letters that do not decompose);
//   - scripts written without spaces between words (Han, Kana, Hangul, Thai ...)
//     become overlapping pairs of characters, and the last character of a run
//     once more alone: any two characters in a row are one exact word, more are
//     a phrase, a single one is the beginning of a word. Pairs instead of single
//     characters, because those are too common; instead of triples, because most
//     words of these scripts have two characters;
//   - a word is cut at 48 octets, a column at 16,000 words or 256 KB, and a word
//     counts 256 times a column, the bounds of PostgreSQL's tsvector.
const (
	maxColumn  = 256 << 10 // octets of text looked at
	maxWords   = 16000     // a tsvector's positions end at 16,383
	maxWord    = 48        // octets
	maxRepeats = 256       // positions of one word in a tsvector
)

// Filler stands in the index for a word that came too often: it keeps the
// others at their places, so that phrases around it are found, and nothing
// searches for it. It is a private-use character.
const Filler = "\ue000"

// span is a word with its place in the text it was read from.
type span struct {
	word       string
	start, end int
	last       bool // the lone last character of a run without spaces
}

// scanWords calls yield for each word of text until yield returns false. What is
// unseen within a word is no part of it.
func scanWords(text string, yield func(span) bool) { cutWords(text, true, yield) }

// cutWords is scanWords, or with joined false what it once was: what is unseen parts
// words. Hints are kept that were made so (marksOf).
func cutWords(text string, joined bool, yield func(span) bool) {
	text = lowerASCII(text)
	for at := 0; at < len(text); {
		c := text[at]
		if c < utf8.RuneSelf {
			if !asciiWord[c] {
				at++
				continue
			}
			end := asciiRun(text, at)
			if end == len(text) || text[end] < utf8.RuneSelf {
				if !yield(span{cut(text[at:end]), at, end, false}) {
					return
				}
				at = end
				continue
			}
		}
		end := runeRun(text, at, joined)
		if end == at {
			_, n := utf8.DecodeRuneInString(text[at:])
			at += n
			continue
		}
		if !foldedWords(text, at, end, yield) {
			return
		}
		at = end
	}
}

// unseen tells characters that only say how a word is set: soft hyphen, word joiner,
// the joiner without width and what looks like it. U+200B parts words, and U+200C
// parts those of Persian.
func unseen(r rune) bool {
	switch r {
	case 0x00AD, 0x180E, 0x200D, 0x2060, 0xFEFF:
		return true
	}
	return false
}

// seen leaves out what is unseen.
func seen(s string) string {
	if !strings.ContainsFunc(s, unseen) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unseen(r) {
			return -1
		}
		return r
	}, s)
}

var asciiWord = func() (t [utf8.RuneSelf]bool) {
	for c := range t {
		t[c] = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	return t
}()

// lowerASCII makes letters of ASCII small, at once for all words.
func lowerASCII(text string) string {
	at := 0
	for at < len(text) && (text[at] < 'A' || text[at] > 'Z') {
		at++
	}
	if at == len(text) {
		return text
	}
	out := []byte(text)
	for i := at; i < len(out); i++ {
		if c := out[i]; c >= 'A' && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return string(out)
}

// asciiRun gives the end of the ASCII letters and digits from at.
func asciiRun(text string, at int) (end int) {
	for end = at; end < len(text) && text[end] < utf8.RuneSelf && asciiWord[text[end]]; end++ {
	}
	return end
}

// runeRun gives the end of the letters, digits and marks from at; at itself
// when there are none. With joined what is unseen between them belongs to it.
func runeRun(text string, at int, joined bool) int {
	for i, r := range text[at:] {
		if !wordRune(r) && (i == 0 || !unicode.IsMark(r) && !(joined && unseen(r))) {
			return at + i
		}
	}
	return len(text)
}

func wordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return asciiWord[r]
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r))
}

// foldedWords folds text[start:end] and cuts it where the script changes.
func foldedWords(text string, start, end int, yield func(span) bool) bool {
	s := Fold(text[start:end])
	for at := 0; at < len(s); {
		r, n := utf8.DecodeRuneInString(s[at:])
		if !wordRune(r) {
			at += n
			continue
		}
		run := spaceless(r)
		stop := len(s)
		for i, r := range s[at:] {
			if !(wordRune(r) || unicode.IsMark(r)) || spaceless(r) != run {
				stop = at + i
				break
			}
		}
		if run {
			if !pairs(s[at:stop], start, end, yield) {
				return false
			}
		} else if !yield(span{cut(s[at:stop]), start, end, false}) {
			return false
		}
		at = stop
	}
	return true
}

// pairs yields the overlapping pairs of a run and its last character.
func pairs(run string, start, end int, yield func(span) bool) bool {
	for at := 0; at < len(run); {
		_, n := utf8.DecodeRuneInString(run[at:])
		_, m := utf8.DecodeRuneInString(run[at+n:])
		if !yield(span{run[at : at+n+m], start, end, m == 0}) {
			return false
		}
		at += n
	}
	return true
}

// cut shortens a word to what the index keeps.
func cut(w string) string {
	if len(w) <= maxWord {
		return w
	}
	n := maxWord
	for n > 0 && !utf8.RuneStart(w[n]) {
		n--
	}
	return w[:n]
}

// spaceless tells the scripts that put no spaces between words.
func spaceless(r rune) bool {
	if r < 0x0E00 {
		return false
	}
	for _, b := range spacelessBlocks {
		if r <= b[1] {
			return r >= b[0]
		}
	}
	return false
}

var spacelessBlocks = [...][2]rune{
	{0x0E00, 0x0EFF}, // Thai, Lao
	{0x1000, 0x109F}, // Myanmar
	{0x1100, 0x11FF}, // Hangul Jamo
	{0x1780, 0x17FF}, // Khmer
	{0x2E80, 0x2FDF}, // CJK radicals
	{0x3005, 0x3007},
	{0x3040, 0x318F}, // Kana, Bopomofo, Jamo
	{0x31A0, 0x31FF},
	{0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, // Han
	{0xA960, 0xA97F}, {0xAC00, 0xD7FF}, // Hangul
	{0xF900, 0xFAFF}, {0x20000, 0x3FFFF}, // Han
}

// Fold makes spellings of one word the same: lower case, compatibility forms
// and accents off, and what is unseen. It is also what two texts are compared by
// without regard to case.
func Fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return foldSeen(seen(s))
}

// foldSeen is Fold of a text in which nothing is unseen, or in which that stays.
func foldSeen(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	if out, ok := foldLatin(s); ok {
		return out
	}
	return foldAny(s)
}

// foldAny is Fold for any text.
func foldAny(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		if accent(r) {
			continue
		}
		r = unicode.ToLower(r)
		if to, ok := undecomposed[r]; ok {
			b.WriteString(to)
			continue
		}
		b.WriteRune(r)
	}
	return norm.NFC.String(b.String())
}

// endLatin is behind the letters of which each folds by itself, whatever stands
// beside it: most of what is not ASCII in European mail.
const endLatin = 0x180

var latin = sync.OnceValue(func() []string {
	t := make([]string, endLatin)
	for r := range rune(endLatin) {
		t[r] = foldAny(string(r))
	}
	return t
})

// foldLatin folds text of such letters.
func foldLatin(s string) (string, bool) {
	for _, r := range s {
		if r >= endLatin {
			return "", false
		}
	}
	t := latin()
	out := make([]byte, 0, len(s))
	for _, r := range s {
		out = append(out, t[r]...)
	}
	return string(out), true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// accent tells marks that change no word: combining diacritics, Hebrew points,
// Arabic vowel signs. Marks of other scripts are part of the word.
func accent(r rune) bool {
	switch {
	case r < 0x0300:
		return false
	case r <= 0x036F, r >= 0x0591 && r <= 0x05C7, r >= 0x064B && r <= 0x065F, r == 0x0670,
		r >= 0x1AB0 && r <= 0x1AFF, r >= 0x1DC0 && r <= 0x1DFF, r >= 0x20D0 && r <= 0x20FF:
		return true
	}
	return false
}

// undecomposed folds letters that Unicode does not take apart.
var undecomposed = map[rune]string{
	'ß': "ss", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'æ': "ae", 'œ': "oe", 'ı': "i", 'ħ': "h",
	'ŧ': "t", 'ŋ': "n", 'ĸ': "k", 'ς': "σ", 'ـ': "",
}

// IndexWords makes the text of one column of the index: its words in order,
// parted by spaces.
func IndexWords(text string) string {
	if len(text) > maxColumn {
		text = strings.ToValidUTF8(text[:maxColumn], "")
	}
	var counts [1024]uint16 // by hash: a bucket that stays low has no frequent word
	out := make([]byte, 0, len(text)+len(text)/8)
	n, often := 0, false
	scanWords(text, func(w span) bool {
		if n > 0 {
			out = append(out, ' ')
		}
		out = append(out, w.word...)
		h := uint32(2166136261)
		for i := range len(w.word) {
			h = (h ^ uint32(w.word[i])) * 16777619
		}
		b := &counts[(h^h>>16)%uint32(len(counts))]
		*b++
		often = often || *b > maxRepeats
		n++
		return n < maxWords
	})
	if !often {
		return string(out)
	}
	return thin(string(out))
}

// thin puts the filler for each word that came maxRepeats times before.
func thin(words string) string {
	counts := map[string]int{}
	all := strings.Split(words, " ")
	for i, w := range all {
		counts[w]++
		if counts[w] > maxRepeats {
			all[i] = Filler
		}
	}
	return strings.Join(all, " ")
}

// QueryWords makes the words to ask the index for a phrase. prefix is true when
// the last word must be asked for as a beginning. No words: nothing in the
// phrase is in the index.
func QueryWords(phrase string) (words []string, prefix bool) {
	tailRun := false
	scanWords(phrase, func(w span) bool {
		words = append(words, w.word)
		tailRun = w.last
		return len(words) < maxPhrase
	})
	if !tailRun {
		return words, false
	}
	// The run may go on in the text. Its last character alone is only in the
	// index where a run ends; after a pair it adds nothing.
	if n := len(words); n >= 2 && strings.HasSuffix(words[n-2], words[n-1]) && len(words[n-2]) > len(words[n-1]) {
		return words[:n-1], false
	}
	return words, true
}

const maxPhrase = 64 // words of one phrase that are asked for
