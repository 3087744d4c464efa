package archive

import "plenary/internal/model"

// test is a condition on what memory knows of a post, by its place. It is looked
// at only where the rest is satisfied: who wants the newest few asks it of few.
type test struct {
	at func(i int) bool
	// before gives the last place from from to before to that passes, -1 for none;
	// nil: at is asked of each.
	before func(from, to int) int
}

// lot is how many values of a header field are looked at one by one before the
// whole dictionary is gone through.
const lot = 256

// columnSought asks whether text stands in a column of a post. A frequent text is
// found in the newest posts by looking into them; a rare one costs as much as
// going through the dictionary, which then answers for all.
type columnSought struct {
	cols   *columnSet
	column int
	text   string
	looked map[uint32]bool
	found  *bitset // values that have it; nil: not all are known
	none   bool    // no value has it
}

func columnTest(cols *columnSet, column int, text string) test {
	s := &columnSought{cols: cols, column: column, text: text, looked: map[uint32]bool{}}
	return test{s.at, s.before}
}

func (s *columnSought) at(i int) bool {
	v := s.cols.fields[s.column][i]
	if s.found == nil {
		is, ok := s.looked[v]
		if ok {
			return is
		}
		if len(s.looked) < lot {
			is = s.cols.dictionary(s.column).holds(v, s.text)
			s.looked[v] = is
			return is
		}
		all := s.cols.dictionary(s.column).containing(s.text)
		_, _, some := all.bounds()
		s.found, s.none, s.looked = &all, !some, nil
	}
	return s.found.has(int(v))
}

func (s *columnSought) before(from, to int) int {
	for ; to > from && s.found == nil; to-- {
		if s.at(to - 1) {
			return to - 1
		}
	}
	if to == from || s.none {
		return -1
	}
	values, words := s.cols.fields[s.column][from:to], s.found.words
	for i := len(values) - 1; i >= 0; i-- {
		if v := values[i]; words[v/64]&(1<<(v%64)) != 0 {
			return from + i
		}
	}
	return -1
}

// before gives the last place from from to before to that may satisfy c, -1 for
// none.
func (c *conj) before(from, to int) int {
	for _, t := range c.tests {
		if t.before != nil {
			return t.before(from, to)
		}
	}
	return to - 1
}

// passes says whether a place satisfies what c asks of memory beside its set.
func (c *conj) passes(i int) bool {
	for _, t := range c.tests {
		if !t.at(i) {
			return false
		}
	}
	return true
}

// known says that memory alone answers c.
func (c *conj) known() bool { return len(c.pos)+len(c.neg)+len(c.scans) == 0 }

// onlyTests says that c is nothing but tests.
func (c *conj) onlyTests() bool { return c.known() && c.set == nil && len(c.tests) > 0 }

// candidates are the places that memory does not rule out.
func (s *searcher) candidates(c conj) bitset {
	if c.set == nil && len(c.tests) == 0 {
		return fullBitset(len(s.rows))
	}
	if c.set == nil {
		set := newBitset(len(s.rows))
		for i := c.before(0, len(s.rows)); i >= 0; i = c.before(0, i) {
			if c.passes(i) {
				set.add(i)
			}
		}
		return set
	}
	set := c.set.clone()
	if len(c.tests) > 0 {
		for i := range c.set.all {
			if !c.passes(i) {
				set.remove(i)
			}
		}
	}
	return set
}

// firstPart is how many of the newest posts are looked at first.
const firstPart = 512

// newest gives the newest posts that satisfy c, newest first. It looks at the
// newest posts first and no further than it must, in parts that grow.
func (s *searcher) newest(c conj, limit int) ([]model.UID, error) {
	if _, ok := c.question(); ok {
		return s.stream(c, limit)
	}
	var uids []model.UID
	for to, size := len(s.rows), firstPart; to > 0 && len(uids) < limit; size *= 4 {
		from := max(to-size, 0)
		part, err := s.part(c, from, to, limit-len(uids))
		if err != nil {
			return nil, err
		}
		uids, to = append(uids, part...), from
	}
	return uids, nil
}

// part gives the newest posts between two places that satisfy c, newest first.
func (s *searcher) part(c conj, from, to, limit int) (uids []model.UID, err error) {
	if c.known() {
		for i := c.before(from, to); i >= from && len(uids) < limit; i = c.before(from, i) {
			if (c.set == nil || c.set.has(i)) && c.passes(i) {
				uids = append(uids, s.rows[i].UID)
			}
		}
		return uids, nil
	}
	among := newBitset(len(s.rows))
	for i := from; i < to; i++ {
		if c.set == nil || c.set.has(i) {
			among.add(i)
		}
	}
	c.set = &among
	found, err := s.answer(c)
	if err != nil {
		return nil, err
	}
	return s.newestOf(found, limit), nil
}
