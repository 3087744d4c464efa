package archive

import (
	"context"
	"slices"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Search gives the UIDs of the posts of a list that match q, in order.
func (r *Reader) Search(ctx context.Context, listID int64, q Query) ([]model.UID, error) {
	s, c, err := r.prepare(ctx, listID, q, nil)
	if err != nil {
		return nil, err
	}
	set, err := s.answer(c)
	if err != nil {
		return nil, err
	}
	uids := make([]model.UID, 0, set.count())
	for i := range set.all {
		uids = append(uids, s.rows[i].UID)
	}
	return uids, nil
}

// Newest gives the UIDs of the newest posts of a list, up to UID last, that match
// q, newest first, at most limit. It looks at no more than it needs.
func (r *Reader) Newest(ctx context.Context, listID int64, q Query, last model.UID, limit int) ([]model.UID, error) {
	if limit <= 0 {
		return nil, q.check()
	}
	s, err := r.searcher(ctx, listID, q, nil)
	if err != nil {
		return nil, err
	}
	at, found := find(s.rows, last)
	if found {
		at++
	}
	s.rows = s.rows[:at]
	c, err := s.run(q.explicit())
	if err != nil {
		return nil, err
	}
	return s.newest(c, limit)
}

// newestOf gives the newest posts of a set, newest first.
func (s *searcher) newestOf(set bitset, limit int) (uids []model.UID) {
	for i := len(s.rows) - 1; i >= 0 && len(uids) < limit; i-- {
		if set.has(i) {
			uids = append(uids, s.rows[i].UID)
		}
	}
	return uids
}

// searcher answers one query over one snapshot of a list.
type searcher struct {
	r    *Reader
	ctx  context.Context //nolint:containedctx // lives as long as the call
	list int64
	ix   *Index
	rows []Row
	who  *asker // nil: nobody in particular

	flags map[int64]*FlagSet
}

// conj is a result in work: what satisfies all of its parts. Parts are joined
// as long as possible, so that the index is asked once, for what is left after
// everything that memory knows, and messages are looked at last.
type conj struct {
	pos, neg [][]model.MatchStep // each one question to the index
	set      *bitset             // nil: all
	tests    []test
	scans    []scan
}

// scan is a condition that needs the header of each post.
type scan struct {
	step
	not bool
}

// asker is who asks, and of which list.
type asker struct {
	account int64
	list    *model.List
	several bool // other lists are asked as well
}

func (r *Reader) prepare(ctx context.Context, listID int64, q Query, who *asker) (*searcher, conj, error) {
	s, err := r.searcher(ctx, listID, q, who)
	if err != nil {
		return nil, conj{}, err
	}
	c, err := s.run(q.explicit())
	return s, c, err
}

func (r *Reader) searcher(ctx context.Context, listID int64, q Query, who *asker) (*searcher, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	ix, err := r.Open(ctx, listID)
	if err != nil {
		return nil, err
	}
	return &searcher{r: r, ctx: ctx, list: listID, ix: ix, rows: ix.Rows(), who: who, flags: map[int64]*FlagSet{}}, nil
}

// run walks the postfix steps with a stack of results.
func (s *searcher) run(q Query) (conj, error) {
	var stack []conj
	for _, st := range q.steps {
		var c conj
		var err error
		switch st.op {
		case opAnd, opOr, opNot:
			top := len(stack) - st.n
			switch args := stack[top:]; st.op {
			case opAnd:
				c = s.allOf(args)
			case opOr:
				c, err = s.anyOf(args)
			default:
				c, err = s.noneOf(args[0])
			}
			stack = stack[:top]
		default:
			c, err = s.leaf(st)
		}
		if err != nil {
			return conj{}, err
		}
		stack = append(stack, c)
	}
	return stack[0], nil
}

func (s *searcher) leaf(st step) (conj, error) {
	switch st.op {
	case opWords:
		words, prefix := QueryWords(st.text)
		if len(words) == 0 {
			none := newBitset(len(s.rows))
			return conj{set: &none}, nil
		}
		prefix = prefix || st.prefix && len(words[len(words)-1]) >= leastPrefix
		return conj{pos: [][]model.MatchStep{{{Columns: st.columns, Words: words, Prefix: prefix}}}}, nil
	case opHeader:
		if c := columnOf(st.field); c >= 0 {
			return s.column(c, st.text)
		}
		return conj{scans: []scan{{step: st}}}, nil
	case opSent:
		return s.sent(st)
	case opShown:
		return s.shown(st)
	case opFlag:
		return s.marked(st.account, st.text)
	case opMine:
		if s.who == nil || s.who.account == 0 {
			return conj{}, ErrWhose
		}
		return s.marked(s.who.account, st.text)
	case opList:
		return s.inList(st)
	case opThread:
		return s.thread(st.text)
	case opReceived:
		return s.where(func(r *Row) bool { d := day(r.ReceivedAt); return d >= st.from && d < st.to }), nil
	case opSize:
		return s.where(func(r *Row) bool { return int64(r.Size) >= st.from && int64(r.Size) < st.to }), nil
	case opFact:
		return s.where(func(r *Row) bool { return int64(r.Flags)&st.from == st.from }), nil
	case opMessage:
		id, err := s.r.store.FindPostByKey(s.ctx, s.list, model.KeyMessageID, MessageKey(st.text))
		set := newBitset(len(s.rows))
		if i, ok := find(s.rows, id.UID()); ok && id != 0 {
			set.add(i)
		}
		return conj{set: &set}, err
	case opWhere:
		return s.where(func(r *Row) bool { return st.where(r.UID) }), nil
	}
	return conj{}, nil // opAll
}

// leastPrefix is the octets a word must have to be asked for as a beginning:
// shorter ones begin too many words.
const leastPrefix = 2

func (s *searcher) where(f func(*Row) bool) conj {
	return conj{tests: []test{{at: func(i int) bool { return f(&s.rows[i]) }}}}
}

const dayMicros = int64(24 * time.Hour / time.Microsecond)

// day is the UTC day of an instant.
func day(t model.Instant) int64 {
	d := int64(t) / dayMicros
	if int64(t)%dayMicros < 0 {
		d--
	}
	return d
}

func (s *searcher) allOf(args []conj) conj {
	var c conj
	for _, a := range args {
		c.pos, c.neg, c.scans = append(c.pos, a.pos...), append(c.neg, a.neg...), append(c.scans, a.scans...)
		c.tests = append(c.tests, a.tests...)
		switch {
		case a.set == nil:
		case c.set == nil:
			own := a.set.clone()
			c.set = &own
		default:
			c.set.and(*a.set)
		}
	}
	return c
}

func (s *searcher) anyOf(args []conj) (conj, error) {
	var asked [][]model.MatchStep
	var set *bitset
	if !slices.ContainsFunc(args, func(a conj) bool { return !a.onlyTests() }) {
		args = slices.Clone(args) // they stand where the next results will
		return conj{tests: []test{{at: func(i int) bool {
			return slices.ContainsFunc(args, func(a conj) bool { return a.passes(i) })
		}}}}, nil
	}
	for _, a := range args {
		if steps, ok := a.question(); ok {
			asked = append(asked, steps)
			continue
		}
		some, err := s.answer(a)
		if err != nil {
			return conj{}, err
		}
		if set == nil {
			set = &some
		} else {
			set.or(some)
		}
	}
	if len(asked) == 0 {
		return conj{set: set}, nil
	}
	c := conj{pos: [][]model.MatchStep{joinSteps(model.MatchOr, asked)}}
	if set == nil {
		return c, nil
	}
	some, err := s.answer(c)
	if err != nil {
		return conj{}, err
	}
	set.or(some)
	return conj{set: set}, nil
}

func (s *searcher) noneOf(a conj) (conj, error) {
	if steps, ok := a.question(); ok {
		return conj{neg: [][]model.MatchStep{steps}}, nil
	}
	switch {
	case a.onlyTests():
		return conj{tests: []test{{at: func(i int) bool { return !a.passes(i) }}}}, nil
	case a.set == nil && len(a.tests)+len(a.scans)+len(a.pos) == 0 && len(a.neg) == 1:
		return conj{pos: a.neg}, nil
	case a.set == nil && len(a.tests)+len(a.pos)+len(a.neg) == 0 && len(a.scans) == 1:
		return conj{scans: []scan{{a.scans[0].step, !a.scans[0].not}}}, nil
	}
	set, err := s.answer(a)
	if err != nil {
		return conj{}, err
	}
	set = set.not()
	return conj{set: &set}, nil
}

// question gives the one question to the index that c is, if it is no more.
func (c conj) question() ([]model.MatchStep, bool) {
	if c.set != nil || len(c.tests)+len(c.scans) > 0 || len(c.pos) == 0 {
		return nil, false
	}
	return c.asked(), true
}

// asked joins what c asks of the index: all of pos, none of neg.
func (c conj) asked() []model.MatchStep {
	steps := joinSteps(model.MatchAnd, c.pos)
	if len(c.neg) > 0 {
		steps = append(slices.Concat(steps, joinSteps(model.MatchOr, c.neg)), model.MatchStep{Op: model.MatchNot})
	}
	return steps
}

func joinSteps(op model.MatchOp, parts [][]model.MatchStep) []model.MatchStep {
	if len(parts) == 1 {
		return parts[0]
	}
	return append(slices.Concat(parts...), model.MatchStep{Op: op, N: len(parts)})
}

// answer finds the places c is satisfied at.
func (s *searcher) answer(c conj) (bitset, error) {
	set := s.candidates(c)
	var err error
	switch {
	case len(c.pos) > 0:
		var hits bitset
		if hits, err = s.ask(c.asked(), set); err == nil {
			set.and(hits)
		}
	case len(c.neg) > 0:
		var hits bitset
		if hits, err = s.ask(joinSteps(model.MatchOr, c.neg), set); err == nil {
			set.minus(hits)
		}
	}
	for _, sc := range c.scans {
		if err != nil {
			break
		}
		var hits bitset
		if hits, err = s.scan(sc.step, set); err != nil {
			break
		}
		if sc.not {
			set.minus(hits)
		} else {
			set.and(hits)
		}
	}
	return set, err
}

// ask asks the index, for posts between the first and the last of within.
func (s *searcher) ask(steps []model.MatchStep, within bitset) (bitset, error) {
	hits := newBitset(len(s.rows))
	first, last, ok := within.bounds()
	if !ok {
		return hits, nil
	}
	if len(steps) > maxPhrases {
		return hits, fault.New(fault.TooMany, "that is more than can be searched for at once")
	}
	m := model.Match{Steps: steps, From: s.rows[first].UID, To: s.rows[last].UID}
	err := s.r.store.MatchPosts(s.ctx, s.list, m, func(uid model.UID) bool {
		if i, ok := find(s.rows, uid); ok {
			hits.add(i)
		}
		return true
	})
	return hits, err
}

// stream gives the newest posts of what c, which is no more, asks of the index.
func (s *searcher) stream(c conj, limit int) ([]model.UID, error) {
	if len(s.rows) == 0 {
		return nil, nil
	}
	m := model.Match{Steps: c.asked(), From: s.rows[0].UID, To: s.rows[len(s.rows)-1].UID, Newest: true, Limit: limit}
	if len(m.Steps) > maxPhrases {
		return nil, fault.New(fault.TooMany, "that is more than can be searched for at once")
	}
	var uids []model.UID
	err := s.r.store.MatchPosts(s.ctx, s.list, m, func(uid model.UID) bool {
		if _, ok := find(s.rows, uid); ok {
			uids = append(uids, uid)
		}
		return true
	})
	return uids, err
}
