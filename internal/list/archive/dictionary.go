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
// at its commas into tokens, which repeat even more, so that a substring is
// sought once in each token and not in each post. Everything is only appended
// to: a copy of the slices is a snapshot.
type dictionary struct {
	text    []byte   // the tokens, folded, each followed by 0
	textEnd []uint32 // of each token, its 0 included
	toks    []uint32 // of the values one after another; boundary between variants
	tokEnd  []uint32 // of each value; value 0 is the absent field
	key     []uint32 // of each value: its place in keys
	reply   []bool   // of each value: a subject that says answer or forwarded
	keys    []string // what values are sorted by (RFC 5256 section 3)

	ranking *ranking // shared by all snapshots: a key's number never changes

	seed    maphash.Seed
	values  map[uint64]uint32 // by hash of the bytes as kept
	tokens  map[uint64]uint32
	sortKey map[string]uint32
	keyOf   func(field []byte) (key string, reply bool)
}

// boundary parts the values and forms of one field: nothing is found across it.
const boundary = ^uint32(0)

func newDictionary(keyOf func([]byte) (string, bool)) *dictionary {
	d := &dictionary{ranking: &ranking{}, seed: maphash.MakeSeed(), values: map[uint64]uint32{}, tokens: map[uint64]uint32{}, sortKey: map[string]uint32{}, keyOf: keyOf}
	d.tokEnd, d.key, d.reply = []uint32{0}, []uint32{d.intern("")}, []bool{false}
	return d
}

// add gives the number of a value. Different values get different numbers but
// for collisions of 64-bit hashes.
func (d *dictionary) add(field []byte) uint32 {
	if len(field) == 0 {
		return 0
	}
	h := maphash.Bytes(d.seed, field)
	if n, ok := d.values[h]; ok {
		return n
	}
	for form := range bytes.FieldsFuncSeq(field, func(r rune) bool { return r == 0 || r == 1 }) {
		for tok := range strings.SplitSeq(Fold(string(form)), ",") {
			d.toks = append(d.toks, d.token(tok))
		}
		d.toks = append(d.toks, boundary)
	}
	key, reply := d.keyOf(field)
	n := uint32(len(d.tokEnd))
	d.tokEnd = append(d.tokEnd, uint32(len(d.toks)))
	d.key, d.reply = append(d.key, d.intern(key)), append(d.reply, reply)
	d.values[h] = n
	return n
}

func (d *dictionary) token(tok string) uint32 {
	h := maphash.String(d.seed, tok)
	if n, ok := d.tokens[h]; ok {
		return n
	}
	n := uint32(len(d.textEnd))
	d.text = append(append(d.text, tok...), 0)
	d.textEnd = append(d.textEnd, uint32(len(d.text)))
	d.tokens[h] = n
	return n
}

func (d *dictionary) intern(key string) uint32 {
	if n, ok := d.sortKey[key]; ok {
		return n
	}
	n := uint32(len(d.keys))
	d.keys = append(d.keys, key)
	d.sortKey[key] = n
	return n
}

// snapshot is the dictionary as it is now, for reading only.
func (d *dictionary) snapshot() *dictionary {
	return &dictionary{text: d.text, textEnd: d.textEnd, toks: d.toks, tokEnd: d.tokEnd, key: d.key, reply: d.reply, keys: d.keys, ranking: d.ranking}
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
	case strings.Contains(text, ","):
		pieces := strings.Split(text, ",")
		d.each(func(v int, own []uint32) {
			if d.acrossIn(own, pieces) {
				found.add(v)
			}
		})
	default:
		toks := d.tokensWith(text)
		d.each(func(v int, own []uint32) {
			for _, t := range own {
				if t != boundary && toks.has(int(t)) {
					found.add(v)
					return
				}
			}
		})
	}
	return found
}

// holds says of one value what containing says of all.
func (d *dictionary) holds(value uint32, text string) bool {
	if value == 0 || text == "" || strings.IndexByte(text, 0) >= 0 {
		return value != 0 && text == ""
	}
	own := d.toks[d.tokEnd[value-1]:d.tokEnd[value]]
	if strings.Contains(text, ",") {
		return d.acrossIn(own, strings.Split(text, ","))
	}
	sought := []byte(text)
	return slices.ContainsFunc(own, func(t uint32) bool { return t != boundary && bytes.Contains(d.tokenText(t), sought) })
}

func (d *dictionary) each(look func(v int, toks []uint32)) {
	for v := 1; v < len(d.tokEnd); v++ {
		look(v, d.toks[d.tokEnd[v-1]:d.tokEnd[v]])
	}
}

// tokensWith gives the tokens that contain text.
func (d *dictionary) tokensWith(text string) bitset {
	found, sought := newBitset(len(d.textEnd)), []byte(text)
	for at, t := 0, 0; at < len(d.text); t++ {
		n := bytes.Index(d.text[at:], sought)
		if n < 0 {
			break
		}
		t = d.tokenAt(at+n, t)
		found.add(t)
		at = int(d.textEnd[t])
	}
	return found
}

// tokenAt gives the token that octet at of the text belongs to, which is least
// or one behind it: the next one found is mostly near.
func (d *dictionary) tokenAt(at, least int) int {
	most := least
	for step := 1; most < len(d.textEnd) && int(d.textEnd[most]) <= at; step *= 2 {
		least, most = most+1, most+step
	}
	most = min(most, len(d.textEnd))
	return least + sort.Search(most-least, func(i int) bool { return int(d.textEnd[least+i]) > at })
}

// acrossIn finds text with commas in the tokens of a value: the first piece ends a
// token, the last begins one, those between are tokens.
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
	start := uint32(0)
	if t > 0 {
		start = d.textEnd[t-1]
	}
	return d.text[start : d.textEnd[t]-1]
}
