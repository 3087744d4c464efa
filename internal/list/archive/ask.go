package archive

import (
	"cmp"
	"context"
	"slices"

	"plenary/internal/fault"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// Marks stand around the words that were found in Hit.Snippet. Nothing else in
// it is a control character: escape the text, then replace them.
const (
	MarkStart = "\x01"
	MarkEnd   = "\x02"
)

// ErrWhose is said when is: is asked by nobody in particular.
var ErrWhose = fault.New(fault.Invalid, "what is: looks at are your own marks: they come with reading the archive by IMAP, and there are none of yours")

const (
	maxHits = 200    // handed out at once
	maxSkip = 10_000 // passed over
)

// Ask is what a person seeks.
type Ask struct {
	Text   string // as she types it (Parse)
	List   int64  // 0: all lists she may read
	Limit  int    // at most 200
	Skip   int    // hits left out, for the next page; at most 10,000
	Ranked bool   // best first instead of newest first
}

// Answer is what was found.
type Answer struct {
	Hits  []Hit
	Total int // posts that match
}

// Hit is one post a person's search found.
type Hit struct {
	List     int64
	UID      model.UID
	ThreadID model.PostID
	SentAt   model.Instant
	Author   string // decoded, one line
	Subject  string // decoded, one line
	// MessageID is without angle brackets; empty when the message has none.
	MessageID string
	Snippet   string // one line around the first word found, words marked
}

// Ask answers a query as a person types it. A list she may not read is
// Forbidden, a query that cannot be meant Invalid, both with a sentence for her.
func (r *Reader) Ask(ctx context.Context, who model.Actor, a Ask) (Answer, error) {
	lists, err := r.Lists(ctx, who)
	if err != nil {
		return Answer{}, err
	}
	may := lists
	if a.List != 0 {
		lists = slices.DeleteFunc(slices.Clone(lists), func(l model.List) bool { return l.ID != a.List })
		if len(lists) == 0 {
			return Answer{}, fault.New(fault.Forbidden, "you may not read this archive")
		}
	}
	q, err := Parse(a.Text, r.Now())
	if err != nil {
		return Answer{}, err
	}
	a.Limit, a.Skip = min(max(a.Limit, 0), maxHits), min(max(a.Skip, 0), maxSkip)
	var out Answer
	var found []scored
	for i := range lists {
		some, total, err := r.best(ctx, q, a, &asker{who.AccountID, &lists[i], len(lists) > 1})
		if err != nil {
			return Answer{}, err
		}
		found = append(found, some...)
		out.Total += total
	}
	if out.Total == 0 {
		return out, r.refuse(ctx, q, lists, may)
	}
	if len(lists) > 1 {
		slices.SortFunc(found, inOrder)
	}
	found = found[min(a.Skip, len(found)):min(a.Skip+a.Limit, len(found))]
	out.Hits, err = r.show(ctx, found, q.sought())
	return out, err
}

// Find answers a query about one list, newest first: Ask without its choices.
func (r *Reader) Find(ctx context.Context, who model.Actor, listID int64, text string, limit int) ([]Hit, error) {
	if listID == 0 {
		return nil, fault.New(fault.NotFound, "there is no such list")
	}
	a, err := r.Ask(ctx, who, Ask{Text: text, List: listID, Limit: limit})
	return a.Hits, err
}

// scored is a post with what puts it in order.
type scored struct {
	id    model.PostID
	score int64         // 0 unless ranked
	at    model.Instant // 0 unless several lists are asked: one list has its own order
}

func inOrder(x, y scored) int {
	return cmp.Or(cmp.Compare(y.score, x.score), cmp.Compare(y.at, x.at), cmp.Compare(y.id, x.id))
}

// best gives the posts of one list that may be among those asked for, and how
// many match in all.
func (r *Reader) best(ctx context.Context, q Query, a Ask, who *asker) ([]scored, int, error) {
	s, c, err := r.prepare(ctx, who.list.ID, q, who)
	if err != nil {
		return nil, 0, err
	}
	set, err := s.answer(c)
	if err != nil {
		return nil, 0, err
	}
	want := a.Limit + a.Skip
	if !a.Ranked && !who.several {
		uids := s.newestOf(set, want)
		out := make([]scored, len(uids))
		for i, uid := range uids {
			out[i].id = model.MakePostID(s.list, uid)
		}
		return out, set.count(), nil
	}
	scores := make([]int64, len(s.rows))
	if a.Ranked {
		if scores, err = s.rank(set, q.sought()); err != nil {
			return nil, 0, err
		}
	}
	out := make([]scored, 0, set.count())
	for i := range set.all {
		x := scored{id: model.MakePostID(s.list, s.rows[i].UID), score: scores[i]}
		if who.several {
			x.at = s.rows[i].ReceivedAt
		}
		out = append(out, x)
	}
	slices.SortFunc(out, inOrder)
	return out[:min(want, len(out))], set.count(), nil
}

// show makes hits of posts, in their order.
func (r *Reader) show(ctx context.Context, found []scored, sought []phrase) ([]Hit, error) {
	ids := make([]model.PostID, len(found))
	for i, f := range found {
		ids[i] = f.id
	}
	posts, err := r.store.FindPosts(ctx, ids)
	if err != nil {
		return nil, err
	}
	hits := make([]Hit, 0, len(posts))
	for _, p := range posts {
		h := Hit{List: p.ID.List(), UID: p.ID.UID(), ThreadID: p.ThreadID, SentAt: p.SentAt, Author: p.Author, Subject: p.Subject}
		row := Row{UID: h.UID, Size: uint32(p.Size), BytesID: p.BytesID, BytesOff: offset(p.BytesOff), list: uint32(h.List)}
		data, err := r.Bytes(ctx, row)
		switch {
		case err == nil:
			h.MessageID = message.ParseHeader(data).MessageID()
			h.Snippet = snippet(message.Read(data), sought)
		case ctx.Err() != nil || !fault.Is(err, fault.Internal):
			return nil, err
		default:
			h.Snippet = "(this message is damaged and cannot be read)"
		}
		hits = append(hits, h)
	}
	return hits, nil
}
