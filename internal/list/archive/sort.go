package archive

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"plenary/internal/model"
)

// SortBy is what posts are put in order by (RFC 5256 section 3).
type SortBy uint8

// The keys of SORT.
const (
	SortArrival SortBy = iota // internal date
	SortDate                  // the Date field, else the internal date
	SortSize
	SortFrom // mailbox name of the first author
	SortTo
	SortCc
	SortSubject // base subject
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
		f = func(p uint32) int64 { return s.cols.rows[p].date }
	case SortSize:
		f = func(p uint32) int64 { return int64(s.rows[p].Size) }
	case SortFrom, SortTo, SortCc, SortSubject:
		column := int(k.By-SortFrom) + inFrom
		if s.cols == nil {
			return func(uint32) int64 { return 0 }
		}
		d := s.cols.dictionary(column)
		ranks := d.rank()
		f = func(p uint32) int64 { return int64(ranks[d.key[s.cols.rows[p].fields[column]]]) }
	default:
		f = func(p uint32) int64 { return int64(s.rows[p].ReceivedAt) }
	}
	if k.Reverse {
		return func(p uint32) int64 { return ^f(p) }
	}
	return f
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

// ranking is the order of a dictionary's sort keys.
type ranking struct {
	mu    sync.Mutex
	order []uint32 // keys, smallest first
	ranks []uint32 // of each key
}

// rank gives the rank of each sort key. New keys are merged into the order of
// those known.
func (d *dictionary) rank() []uint32 {
	r := d.ranking
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ranks) >= len(d.keys) {
		return r.ranks
	}
	fresh := make([]uint32, 0, len(d.keys)-len(r.order))
	for k := len(r.order); k < len(d.keys); k++ {
		fresh = append(fresh, uint32(k))
	}
	slices.SortFunc(fresh, func(a, b uint32) int { return strings.Compare(d.keys[a], d.keys[b]) })
	order := make([]uint32, 0, len(d.keys))
	old := r.order
	for len(old) > 0 && len(fresh) > 0 {
		if d.keys[old[0]] < d.keys[fresh[0]] {
			order, old = append(order, old[0]), old[1:]
		} else {
			order, fresh = append(order, fresh[0]), fresh[1:]
		}
	}
	r.order = append(append(order, old...), fresh...)
	r.ranks = make([]uint32, len(r.order))
	for i, k := range r.order {
		r.ranks[k] = uint32(i)
	}
	return r.ranks
}
