package archive

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sort"
	"strings"
)

// dictionary holds each different value of a kind of header field once. Values
// repeat: authors, threads' subjects, the copies of a discussion. A value is cut
// at its commas, a subject at its spaces, into tokens, which repeat even more, so
// that a substring is sought once in each token and not in each post. Everything
// is only appended to: a copy of the slices is a snapshot.
type dictionary struct {
	parted string   // at what values are cut, one octet
	tokens texts    // folded, each followed by 0
	toks   []uint32 // of the values one after another; boundary between variants
	tokEnd []uint32 // of each value; value 0 is the absent field
	reply  []bool   // of each value: a subject that says answer or forwarded
	sorted keySet   // what values are sorted by (RFC 5256 section 3)
	shown  keySet   // and by as they are shown (RFC 5957)

	seed                 maphash.Seed
	hashes               []uint64 // of each value, as kept: two with one hash are taken for one
	values, tokenNumbers numbers
	read                 reading
}

// reading finds in a field what its value is sorted by; shown is for addresses,
// reply for subjects.
type reading func(field []byte) (key, shown string, reply bool)

// boundary parts the values and forms of one field: nothing is found across it.
const boundary = ^uint32(0)

func newDictionary(parted string, read reading) *dictionary {
	d := &dictionary{parted: parted, sorted: newKeySet(), shown: newKeySet(), seed: maphash.MakeSeed(), read: read}
	d.tokEnd, d.reply, d.hashes = []uint32{0}, []bool{false}, []uint64{0}
	d.sorted.add("")
	d.shown.add("")
	return d
}

// add gives the number of a value. Different values get different numbers but
// for collisions of 64-bit hashes.
func (d *dictionary) add(field []byte) uint32 {
	if len(field) == 0 {
		return 0
	}
	h := maphash.Bytes(d.seed, field)
	if n, ok := d.values.find(h, func(n uint32) bool { return d.hashes[n] == h }); ok {
		return n
	}
	for form := range bytes.FieldsFuncSeq(field, func(r rune) bool { return r == 0 || r == 1 }) {
		for tok := range strings.SplitSeq(Fold(string(form)), d.parted) {
			d.toks = append(d.toks, d.token(tok))
		}
		d.toks = append(d.toks, boundary)
	}
	key, shown, reply := d.read(field)
	n := uint32(len(d.tokEnd))
	d.tokEnd = append(d.tokEnd, uint32(len(d.toks)))
	d.sorted.add(key)
	d.shown.add(shown)
	d.reply, d.hashes = append(d.reply, reply), append(d.hashes, h)
	d.values.add(n, func(n uint32) uint64 { return d.hashes[n] })
	return n
}

func (d *dictionary) token(tok string) uint32 {
	if n, ok := d.tokenNumbers.find(maphash.String(d.seed, tok), func(n uint32) bool { return string(d.tokenText(n)) == tok }); ok {
		return n
	}
	n := d.tokens.add(tok + "\x00")
	d.tokenNumbers.add(n, func(n uint32) uint64 { return maphash.Bytes(d.seed, d.tokenText(n)) })
	return n
}

// snapshot is the dictionary as it is now, for reading only.
func (d *dictionary) snapshot() *dictionary {
	return &dictionary{parted: d.parted, tokens: d.tokens, toks: d.toks, tokEnd: d.tokEnd, reply: d.reply, sorted: d.sorted, shown: d.shown}
}

// containing gives the values in which the folded text stands; empty text
// stands in every value but the absent one.
func (d *dictionary) containing(text string) bitset {
	found := newBitset(len(d.tokEnd))
	switch {
	case text == "":
		for v := 1; v < len(d.tokEnd); v++ {
			found.add(v)
		}
	case strings.IndexByte(text, 0) >= 0:
	case strings.Contains(text, d.parted):
		if a, some := d.across(strings.Split(text, d.parted)); some {
			for v := 1; v < len(d.tokEnd); v++ {
				if a.in(d.toks[d.tokEnd[v-1]:d.tokEnd[v]]) {
					found.add(v)
				}
			}
		}
	default:
		toks := d.tokensWith(text)
		if _, _, some := toks.bounds(); some {
			d.valuesWith(toks, found)
		}
	}
	return found
}

// valuesWith adds the values that have one of the tokens.
func (d *dictionary) valuesWith(toks, found bitset) {
	v := 1
	for i, t := range d.toks {
		if t == boundary || toks.words[t/64]&(1<<(t%64)) == 0 {
			continue
		}
		for int(d.tokEnd[v]) <= i {
			v++
		}
		found.add(v)
	}
}

// holds says of one value what containing says of all.
func (d *dictionary) holds(value uint32, text string) bool {
	if value == 0 || text == "" || strings.IndexByte(text, 0) >= 0 {
		return value != 0 && text == ""
	}
	own := d.toks[d.tokEnd[value-1]:d.tokEnd[value]]
	if strings.Contains(text, d.parted) {
		return d.acrossIn(own, strings.Split(text, d.parted))
	}
	sought := []byte(text)
	return slices.ContainsFunc(own, func(t uint32) bool { return t != boundary && bytes.Contains(d.tokenText(t), sought) })
}

// tokensWith gives the tokens that contain text.
func (d *dictionary) tokensWith(text string) bitset {
	found, sought := newBitset(len(d.tokens.end)), []byte(text)
	for at, t := 0, 0; at < len(d.tokens.text); t++ {
		n := bytes.Index(d.tokens.text[at:], sought)
		if n < 0 {
			break
		}
		t = d.tokenAt(at+n, t)
		found.add(t)
		at = int(d.tokens.end[t])
	}
	return found
}

// tokenAt gives the token that octet at of the text belongs to, which is least
// or one behind it: the next one found is mostly near.
func (d *dictionary) tokenAt(at, least int) int {
	most := least
	for step := 1; most < len(d.tokens.end) && int(d.tokens.end[most]) <= at; step *= 2 {
		least, most = most+1, most+step
	}
	most = min(most, len(d.tokens.end))
	return least + sort.Search(most-least, func(i int) bool { return int(d.tokens.end[least+i]) > at })
}

// across is text that stands in several tokens: its first piece ends one, its last
// begins one, those between are tokens.
type across struct {
	first, last bitset
	between     []uint32
}

// across looks for the tokens that the pieces of a text may stand in; none: no
// value has it.
func (d *dictionary) across(pieces []string) (a across, some bool) {
	n, last := len(d.tokens.end), len(pieces)-1
	a = across{newBitset(n), newBitset(n), slices.Repeat([]uint32{boundary}, last-1)}
	begin, end := []byte(pieces[0]), []byte(pieces[last])
	for t := range n {
		text := d.tokenText(uint32(t))
		if bytes.HasSuffix(text, begin) {
			a.first.add(t)
		}
		if bytes.HasPrefix(text, end) {
			a.last.add(t)
		}
		for i, piece := range pieces[1:last] {
			if string(text) == piece {
				a.between[i] = uint32(t)
			}
		}
	}
	return a, !slices.Contains(a.between, boundary)
}

// in reports whether the text stands in the tokens of a value.
func (a *across) in(own []uint32) bool {
	last := len(a.between) + 1
	for at := 0; at+last < len(own); at++ {
		if own[at] != boundary && own[at+last] != boundary && a.first.has(int(own[at])) && a.last.has(int(own[at+last])) &&
			slices.Equal(own[at+1:at+last], a.between) {
			return true
		}
	}
	return false
}

// acrossIn says of one value what across.in says of all.
func (d *dictionary) acrossIn(own []uint32, pieces []string) bool {
	last := len(pieces) - 1
	for at := 0; at+last < len(own); at++ {
		if slices.Contains(own[at:at+last+1], boundary) ||
			!bytes.HasSuffix(d.tokenText(own[at]), []byte(pieces[0])) || !bytes.HasPrefix(d.tokenText(own[at+last]), []byte(pieces[last])) {
			continue
		}
		same := true
		for i := 1; i < last && same; i++ {
			same = string(d.tokenText(own[at+i])) == pieces[i]
		}
		if same {
			return true
		}
	}
	return false
}

func (d *dictionary) tokenText(t uint32) []byte {
	text := d.tokens.at(t)
	return text[:len(text)-1]
}
