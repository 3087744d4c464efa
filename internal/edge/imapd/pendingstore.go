package imapd

import (
	"context"
	"slices"
	"strings"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/model"
)

var _ archive.Store = (*pending)(nil)

// Lists implements archive.Store: there is the one.
func (p *pending) Lists(context.Context) ([]model.List, error) { return []model.List{p.list}, nil }

// GetList implements archive.Store.
func (p *pending) GetList(context.Context, int64) (*model.List, error) {
	l := p.list
	return &l, nil
}

// SubscriptionsOf implements archive.Store: who may see this is asked elsewhere.
func (p *pending) SubscriptionsOf(context.Context, []string) ([]model.Subscriber, error) {
	return nil, nil
}

// Watch implements archive.Store: the box watches.
func (p *pending) Watch(string) (<-chan struct{}, func()) { return nil, func() {} }

// each calls yield with the posts of a range.
func (p *pending) each(from, to model.UID, yield func(*model.NewPost) error) error {
	p.mu.Lock()
	posts := slices.Clone(p.posts)
	p.mu.Unlock()
	for _, post := range posts {
		if uid := post.Post.ID.UID(); uid < from || uid > to {
			continue
		}
		if err := yield(post); err != nil {
			return err
		}
	}
	return nil
}

// PostPlaces implements archive.Store.
func (p *pending) PostPlaces(_ context.Context, _ int64, from, to model.UID, yield func(*model.Post) error) error {
	return p.each(from, to, func(n *model.NewPost) error { return yield(&n.Post) })
}

// NextUID implements archive.Store: it is above all posts that are known here,
// which those follow that wait already and are not shown yet.
func (p *pending) NextUID(context.Context, int64) (model.UID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.posts); n > 0 {
		return p.posts[n-1].Post.ID.UID() + 1, nil
	}
	return 1, nil
}

// PostEnvelopes implements archive.Store.
func (p *pending) PostEnvelopes(_ context.Context, _ int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return p.each(from, to, func(n *model.NewPost) error { return yield(n.Post.ID.UID(), n.Envelope) })
}

// PostStructures implements archive.Store.
func (p *pending) PostStructures(_ context.Context, _ int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return p.each(from, to, func(n *model.NewPost) error { return yield(n.Post.ID.UID(), n.Post.BodyStructure) })
}

// PostHeaders implements archive.Store.
func (p *pending) PostHeaders(_ context.Context, _ int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return p.each(from, to, func(n *model.NewPost) error { return yield(n.Post.ID.UID(), n.Header) })
}

// PostColumns implements archive.Columned.
func (p *pending) PostColumns(_ context.Context, _ int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return p.each(from, to, func(n *model.NewPost) error { return yield(n.Post.ID.UID(), n.Columns) })
}

// Bytes implements archive.Store.
func (p *pending) Bytes(ctx context.Context, id int64) ([]byte, error) {
	p.mu.Lock()
	var held *model.Held
	for _, h := range p.helds {
		if h.BytesID == id {
			held = h
		}
	}
	p.mu.Unlock()
	if held == nil {
		return nil, fault.New(fault.NotFound, "the message does not wait any more")
	}
	return p.mod.HeldBytes(ctx, held)
}

// FindPostByKey implements archive.Store: nobody looks for one here.
func (p *pending) FindPostByKey(context.Context, int64, int, []byte) (model.PostID, error) {
	return 0, nil
}

// FindPosts implements archive.Store.
func (p *pending) FindPosts(_ context.Context, ids []model.PostID) (out []model.Post, err error) {
	for _, id := range ids {
		err = p.each(id.UID(), id.UID(), func(n *model.NewPost) error { out = append(out, n.Post); return nil })
	}
	return out, err
}

// ThreadNodes implements archive.Store.
func (p *pending) ThreadNodes(_ context.Context, _ int64, yield func(*model.ThreadNode) error) error {
	var posts []archive.Threadable
	_ = p.each(1, 1<<32-1, func(n *model.NewPost) error {
		posts = append(posts, archive.Threadable{Post: n.Post.ID, Self: n.Self, References: n.References})
		return nil
	})
	for _, n := range archive.Thread(posts) {
		if err := yield(&n); err != nil {
			return err
		}
	}
	return nil
}

// FlagPages implements archive.Store: flags last as long as the mailbox is
// selected (localFlags).
func (p *pending) FlagPages(context.Context, int64, int64, func(string, int64, []byte)) error {
	return nil
}

// SetFlag implements archive.Store.
func (p *pending) SetFlag(context.Context, model.Mark, []model.UID, bool) error { return nil }

// MatchPosts implements archive.Store by looking at every post: they are few.
func (p *pending) MatchPosts(_ context.Context, _ int64, q model.Match, yield func(model.UID) bool) error {
	to := q.To
	if to == 0 {
		to = 1<<32 - 1
	}
	var found []model.UID
	_ = p.each(q.From, to, func(n *model.NewPost) error {
		if matchSteps(q.Steps, n.Text) {
			found = append(found, n.Post.ID.UID())
		}
		return nil
	})
	if q.Newest {
		slices.Reverse(found)
	}
	for i, u := range found {
		if q.Limit > 0 && i >= q.Limit || !yield(u) {
			break
		}
	}
	return nil
}

// matchSteps answers a Match, a postfix program, for one text. A program that is
// none matches nothing.
func matchSteps(steps []model.MatchStep, t model.SearchText) bool {
	var stack []bool
	for _, s := range steps {
		n := len(stack)
		switch {
		case s.Op == model.MatchWords:
			stack = append(stack, matchWords(s, t))
		case s.Op == model.MatchNot && n >= 2:
			stack = append(stack[:n-2], stack[n-2] && !stack[n-1])
		case s.Op != model.MatchNot && s.N > 0 && s.N <= n:
			yes := slices.Contains(stack[n-s.N:], s.Op == model.MatchOr) == (s.Op == model.MatchOr)
			stack = append(stack[:n-s.N], yes)
		default:
			return false
		}
	}
	return len(stack) == 1 && stack[0]
}

func matchWords(s model.MatchStep, t model.SearchText) bool {
	phrase := " " + strings.Join(s.Words, " ")
	if !s.Prefix {
		phrase += " "
	}
	for i, column := range []string{t.Subject, t.Author, t.Recipients, t.Body, t.Quoted, t.Files} {
		if s.Columns&(1<<i) != 0 && strings.Contains(" "+column+" ", phrase) {
			return true
		}
	}
	return false
}
