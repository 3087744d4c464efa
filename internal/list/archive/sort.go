package archive

import (
	"bytes"
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"sync"

	"plenary/internal/model"
)

// SortBy is what posts are put in order by (RFC 5256 section 3, RFC 5957).
type SortBy uint8

// The keys of SORT.
const (
	SortArrival SortBy = iota // internal date
	SortDate                  // the Date field, else the internal date
	SortSize
	SortFrom // mailbox name of the first author
	SortTo
	SortCc
	SortSubject   // base subject
	SortShownFrom // name of the first author, else the address
	SortShownTo
)

// SortKey is one key of an order.
type SortKey struct {
	By      SortBy
	Reverse bool
}

// Sort puts posts of a list in the order of the keys, the first one counting
// most; posts that are alike stay in the order of UIDs, under reversed keys too
// (RFC 5256 section 3). Text is compared by i;unicode-casemap. UIDs that are not
// in the list are left out. The first call that needs header fields loads them.
func (r *Reader) Sort(ctx context.Context, listID int64, keys []SortKey, uids []model.UID) ([]model.UID, error) {
	ix, err := r.Open(ctx, listID)
	if err != nil {
		return nil, err
	}
	rows := ix.Rows()
	places := make([]uint32, 0, len(uids))
	for _, u := range uids {
		if i, ok := find(rows, u); ok {
			places = append(places, uint32(i))
		}
	}
	slices.Sort(places)
	s := sorting{rows: rows}
	for _, k := range keys {
		if k.By != SortArrival && k.By != SortSize && s.cols == nil && len(rows) > 0 {
			if s.cols, err = r.columns(ctx, ix, rows); err != nil {
				return nil, err
			}
		}
	}
	for _, k := range keys {
		s.values = append(s.values, s.value(k))
	}
	s.sort(places)
	out := make([]model.UID, len(places))
	for i, p := range places {
		out[i] = rows[p].UID
	}
	return out, nil
}

// sorting is one SORT at work.
type sorting struct {
	rows   []Row
	cols   *columnSet
	values []func(place uint32) int64
}

// value makes a key a number for each place; a reversed one is turned round.
func (s *sorting) value(k SortKey) func(uint32) int64 {
	var f func(uint32) int64
	switch k.By {
	case SortDate:
		f = func(p uint32) int64 { return s.cols.dates[p] }
	case SortSize:
		f = func(p uint32) int64 { return int64(s.rows[p].Size) }
	case SortFrom, SortTo, SortCc, SortSubject:
		column := int(k.By-SortFrom) + inFrom
		f = s.ranked(column, func(d *dictionary) *keySet { return &d.sorted })
	case SortShownFrom, SortShownTo:
		column := int(k.By-SortShownFrom) + inFrom
		f = s.ranked(column, func(d *dictionary) *keySet { return &d.shown })
	default:
		f = func(p uint32) int64 { return int64(s.rows[p].ReceivedAt) }
	}
	if k.Reverse {
		return func(p uint32) int64 { return ^f(p) }
	}
	return f
}

// ranked is the rank of a post's field among all values of its dictionary.
func (s *sorting) ranked(column int, keys func(*dictionary) *keySet) func(uint32) int64 {
	if s.cols == nil {
		return func(uint32) int64 { return 0 }
	}
	k := keys(s.cols.dictionary(column))
	ranks := k.rank()
	return func(p uint32) int64 { return int64(ranks[k.of[s.cols.fields[column][p]]]) }
}

// sort orders places, which come in ascending order.
func (s *sorting) sort(places []uint32) {
	if len(s.values) == 0 {
		return
	}
	type item struct {
		key   int64
		place uint32
	}
	items := make([]item, len(places))
	first, ordered := s.values[0], true
	for i, p := range places {
		items[i] = item{first(p), p}
		ordered = ordered && (i == 0 || items[i-1].key <= items[i].key)
	}
	compare := func(a, b item) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		for _, v := range s.values[1:] {
			if c := cmp.Compare(v(a.place), v(b.place)); c != 0 {
				return c
			}
		}
		return cmp.Compare(a.place, b.place)
	}
	if !ordered || len(s.values) > 1 {
		slices.SortFunc(items, compare)
	}
	for i := range items {
		places[i] = items[i].place
	}
}

// keySet holds each different sort key of a dictionary once. A copy of it is a
// snapshot.
type keySet struct {
	of      []uint32 // of each value: its place in keys
	keys    texts
	ranking *ranking // shared by all snapshots: a key's number never changes
	seed    maphash.Seed
	numbers numbers
}

func newKeySet() keySet { return keySet{ranking: &ranking{}, seed: maphash.MakeSeed()} }

// add gives the next value its key.
func (s *keySet) add(key string) {
	n, ok := s.numbers.find(maphash.String(s.seed, key), func(n uint32) bool { return string(s.keys.at(n)) == key })
	if !ok {
		n = s.keys.add(key)
		s.numbers.add(n, func(n uint32) uint64 { return maphash.Bytes(s.seed, s.keys.at(n)) })
	}
	s.of = append(s.of, n)
}

// ranking is the order of a set of keys.
type ranking struct {
	mu    sync.Mutex
	ranks []uint32 // of each key
}

// rank gives the rank of each sort key. New keys are merged into the order of
// those known.
func (s *keySet) rank() []uint32 {
	r := s.ranking
	r.mu.Lock()
	defer r.mu.Unlock()
	count, known := len(s.keys.end), len(r.ranks)
	if known >= count {
		return r.ranks
	}
	compare := func(a, b uint32) int { return bytes.Compare(s.keys.at(a), s.keys.at(b)) }
	order := make([]uint32, count) // keys, smallest first: first the known ones, then the others
	for k, rank := range r.ranks {
		order[rank] = uint32(k)
	}
	for k := known; k < count; k++ {
		order[k] = uint32(k)
	}
	old, fresh := order[:known], order[known:]
	slices.SortFunc(fresh, compare)
	ranks := make([]uint32, count)
	for at := range uint32(count) {
		if len(fresh) == 0 || len(old) > 0 && compare(old[0], fresh[0]) < 0 {
			ranks[old[0]], old = at, old[1:]
		} else {
			ranks[fresh[0]], fresh = at, fresh[1:]
		}
	}
	r.ranks = ranks
	return ranks
}
