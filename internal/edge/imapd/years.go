package imapd

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// A list with very many posts has a folder for each year beside the whole:
// Lists/talk/2019 has the posts that came in 2019, by UTC. They are the same
// messages with the same UIDs, and a flag set in one is set in the other. Programs
// that show all folders show them; they count as not subscribed, so that those
// which copy or search whatever is subscribed do not do it twice.

// view is what a mailbox shows at one moment.
type view struct {
	rows []archive.Row
	next model.UID // UIDNEXT
	gone uint64    // how many messages of the list were taken away
	part bool      // a year: rows are not all of the list
}

func viewOf(ix Index) view {
	if y, ok := ix.(*yearly); ok {
		return y.view()
	}
	rows, next := ix.Snapshot()
	return view{rows: rows, next: next, gone: uint64(next) - 1 - uint64(len(rows))}
}

// yearly is the index of one year of a list.
type yearly struct {
	Index
	year year

	mu    sync.Mutex
	taken int       // rows of the whole that were gone through
	last  model.UID // of the last of them
	rows  []archive.Row
}

func (y *yearly) view() view {
	v := viewOf(y.Index)
	v.part = true
	all := v.rows
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.taken > len(all) || y.taken > 0 && all[y.taken-1].UID != y.last { // some were taken away
		y.taken, y.rows = 0, nil
	}
	for _, r := range all[y.taken:] {
		if y.year.has(r) {
			y.rows = append(y.rows, r)
		}
	}
	if y.taken = len(all); y.taken > 0 {
		y.last = all[y.taken-1].UID
	}
	v.rows = y.rows[:len(y.rows):len(y.rows)]
	return v
}

// year is a year as it bounds times.
type year struct {
	number   int
	from, to model.Instant
}

func yearNumber(n int) year {
	return year{n, model.At(time.Date(n, 1, 1, 0, 0, 0, 0, time.UTC)), model.At(time.Date(n+1, 1, 1, 0, 0, 0, 0, time.UTC))}
}

func (y year) has(r archive.Row) bool { return r.ReceivedAt >= y.from && r.ReceivedAt < y.to }

// yearsOf remembers which years each large list has.
type yearsOf struct {
	mu    sync.Mutex
	lists map[int64]knownYears
}

type knownYears struct {
	n     int // rows that were gone through
	years []int
}

func (z *yearsOf) of(list int64, rows []archive.Row) []int {
	z.mu.Lock()
	defer z.mu.Unlock()
	k := z.lists[list]
	if k.n > len(rows) {
		k = knownYears{}
	}
	var last year
	for _, r := range rows[k.n:] {
		if last.number == 0 || !last.has(r) {
			last = yearNumber(r.ReceivedAt.Time().UTC().Year())
			if at, found := slices.BinarySearch(k.years, last.number); !found {
				k.years = slices.Insert(slices.Clone(k.years), at, last.number)
			}
		}
	}
	k.n = len(rows)
	if z.lists == nil {
		z.lists = map[int64]knownYears{}
	}
	z.lists[list] = k
	return k.years
}

// years are those of a list that is large, else none. The index of a small list is
// not loaded for it.
func (s *session) years(ctx context.Context, list int64) ([]int, error) {
	srv := s.front.srv
	next, err := srv.opt.Archive.NextUID(ctx, list)
	if err != nil || int(next) <= srv.opt.YearsFrom {
		return nil, err
	}
	index, err := srv.opt.Archive.Open(ctx, list, next)
	if err != nil {
		return nil, err
	}
	return srv.years.of(list, index.Rows()), nil
}

// withYears adds the folders of years behind each large list.
func (s *session) withYears(ctx context.Context, all []node) ([]node, error) {
	var out []node
	for _, n := range all {
		if !n.archive() {
			out = append(out, n)
			continue
		}
		years, err := s.years(ctx, n.list.ID)
		if err != nil {
			return nil, s.failed("list the mailboxes", err)
		}
		n.leaf = len(years) == 0
		out = append(out, n)
		for _, y := range years {
			out = append(out, node{name: n.name + string(delimiter) + strconv.Itoa(y), list: n.list, leaf: true, year: y})
		}
	}
	return out, nil
}

// findYear gives the folder of a year.
func (s *session) findYear(ctx context.Context, name string) (n node, ok bool, err error) {
	at := strings.LastIndexByte(name, delimiter)
	if strings.Count(name, string(delimiter)) != 2 {
		return node{}, false, nil
	}
	number, err := strconv.Atoi(name[at+1:])
	if err != nil || len(name[at+1:]) != 4 {
		return node{}, false, nil
	}
	if n, err = s.find(ctx, name[:at]); err != nil || !n.archive() {
		return node{}, false, nil // that there is none is said of the whole name
	}
	years, err := s.years(ctx, n.list.ID)
	if err != nil || !slices.Contains(years, number) {
		return node{}, false, err
	}
	n.name, n.year, n.leaf = n.name+name[at:], number, true
	return n, true, nil
}

// sums are what STATUS tells of some rows.
type sums struct {
	messages, unseen uint32
	size             int64
}

// countYear goes through the whole list once, and looks at the flags of the year.
func countYear(rows []archive.Row, number int, flags Flags) (c sums) {
	y := yearNumber(number)
	for i := range rows {
		if !y.has(rows[i]) {
			continue
		}
		c.messages++
		c.size += int64(rows[i].Size)
		if !flags.Has(seen, rows[i].UID) {
			c.unseen++
		}
	}
	return c
}
