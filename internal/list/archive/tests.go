package archive

import "plenary/internal/model"

// test is a condition on what memory knows of a post, by its place. It is looked
// at only where the rest is satisfied: who wants the newest few asks it of few.
type test func(i int) bool

// lot is how many values of a header field are looked at one by one before the
// whole dictionary is gone through.
const lot = 256

// columnTest asks whether text stands in a column of a post. A frequent text is
// found in the newest posts by looking into them; a rare one costs as much as
// going through the dictionary, which then answers for all.
func columnTest(cols *columnSet, column int, text string) test {
	d := cols.dictionary(column)
	var found *bitset
	looked := map[uint32]bool{}
	return func(i int) bool {
		v := cols.rows[i].fields[column]
		if found != nil {
			return found.has(int(v))
		}
		is, ok := looked[v]
		if ok {
			return is
		}
		if len(looked) < lot {
			is = d.holds(v, text)
			looked[v] = is
			return is
		}
		all := d.containing(text)
		found, looked = &all, nil
		return found.has(int(v))
	}
}

// passes says whether a place satisfies what c asks of memory beside its set.
func (c *conj) passes(i int) bool {
	for _, t := range c.tests {
		if !t(i) {
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
		for i := range s.rows {
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
		for i := to - 1; i >= from && len(uids) < limit; i-- {
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
