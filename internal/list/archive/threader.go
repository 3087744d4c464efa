package archive

import (
	"context"
	"strconv"
	"strings"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Rulings is where a Threader keeps what moderators decide; store.Store has it.
type Rulings interface {
	NodesOfThread(ctx context.Context, thread model.PostID) ([]model.ThreadNode, error)
	RuleThreads(ctx context.Context, listID int64, set []model.ThreadRuling, lift []model.ThreadLift, event *model.Event) error
}

// The lines of the trace a Threader writes.
const (
	EventSplit  = "thread.split"
	EventMoved  = "thread.moved"
	EventMerged = "thread.merged"
	EventReset  = "thread.reset"
)

// Threader lets moderators put threads right. What they decide stands beside the
// messages and counts more than those say: whatever arrives later, and however
// often the threads are made anew. Every door shows it at once. Posts are named
// by their UID or Message-ID.
type Threader struct {
	Reader *Reader
	Store  Rulings
	Now    func() time.Time
}

// ThreadLine is a post in its thread.
type ThreadLine struct {
	Post    model.Post // the zero Post: one that never arrived
	Depth   int
	Link    model.Link
	Message string // its Message-ID, without angle brackets
}

// Find gives the post that text names.
func (t *Threader) Find(ctx context.Context, listID int64, text string) (model.PostID, error) {
	text = strings.Trim(text, "<> ")
	var id model.PostID
	if uid, err := strconv.ParseUint(text, 10, 32); err == nil {
		id = model.MakePostID(listID, model.UID(uid))
	} else if id, err = t.Reader.store.FindPostByKey(ctx, listID, model.KeyMessageID, MessageKey(text)); err != nil {
		return 0, err
	}
	posts, err := t.Reader.store.FindPosts(ctx, []model.PostID{id})
	if err == nil && (len(posts) == 0 || id == 0) {
		err = fault.New(fault.NotFound, "the list has no post %s", line(text))
	}
	return id, err
}

// Show gives the thread of a post, in reading order.
func (t *Threader) Show(ctx context.Context, who model.Actor, listID int64, post string) ([]ThreadLine, error) {
	if ok, err := t.Reader.MayRead(ctx, who, listID); err != nil || !ok {
		if err == nil {
			err = fault.New(fault.Forbidden, "you may not read this archive")
		}
		return nil, err
	}
	th, err := t.open(ctx, listID, post)
	if err != nil {
		return nil, err
	}
	var out []ThreadLine
	for _, b := range th.branches {
		out = append(out, ThreadLine{Post: th.posts[b.Post], Depth: b.Depth, Link: b.Link, Message: th.byKey(b.Key).MessageID})
	}
	return out, nil
}

// Split makes a post, with the answers below it, a thread of its own.
func (t *Threader) Split(ctx context.Context, who model.Actor, listID int64, post string) error {
	if err := t.allow(ctx, who, listID); err != nil {
		return err
	}
	th, err := t.open(ctx, listID, post)
	if err != nil {
		return err
	}
	if len(th.branches) > 0 && th.branches[0].Key == th.node.Key {
		return fault.New(fault.Conflict, "this post begins its thread already")
	}
	return t.rule(ctx, th.node, 0, t.event(who, th.node, EventSplit, "a thread of its own"))
}

// Move hangs a post, with the answers below it, below another.
func (t *Threader) Move(ctx context.Context, who model.Actor, listID int64, post, below string) error {
	if err := t.allow(ctx, who, listID); err != nil {
		return err
	}
	from, err := t.open(ctx, listID, post)
	if err != nil {
		return err
	}
	to, err := t.open(ctx, listID, below)
	if err != nil {
		return err
	}
	return t.rule(ctx, from.node, to.node.Key, t.event(who, from.node, EventMoved, "below "+to.node.MessageID))
}

// Merge hangs the whole thread of a post below the beginning of another thread.
func (t *Threader) Merge(ctx context.Context, who model.Actor, listID int64, post, into string) error {
	if err := t.allow(ctx, who, listID); err != nil {
		return err
	}
	from, err := t.open(ctx, listID, post)
	if err != nil {
		return err
	}
	to, err := t.open(ctx, listID, into)
	if err != nil {
		return err
	}
	if from.node.ThreadID == to.node.ThreadID {
		return fault.New(fault.Conflict, "they are one thread already")
	}
	top := to.byKey(to.branches[0].Key)
	moved := from.byKey(from.branches[0].Key)
	return t.rule(ctx, moved, top.Key, t.event(who, moved, EventMerged, "into the thread of "+top.MessageID))
}

// Reset takes back what moderators decided about a post, or about the missing
// message it stands below.
func (t *Threader) Reset(ctx context.Context, who model.Actor, listID int64, post string) error {
	if err := t.allow(ctx, who, listID); err != nil {
		return err
	}
	th, err := t.open(ctx, listID, post)
	if err != nil {
		return err
	}
	n := th.node
	for range th.nodes { // a loop ends
		if n.Link == model.LinkModerator {
			break
		}
		if n = th.byKey(n.ParentKey); n.PostID != 0 || n.Key == 0 {
			return fault.New(fault.NotFound, "no moderator decided about this post")
		}
	}
	lift := model.ThreadLift{Key: n.Key}
	if n.PostID != 0 {
		p, err := t.made(ctx, th.posts[n.PostID])
		if err != nil {
			return err
		}
		if lift.Hint = p.Hint; p.Quotes {
			lift.Link = model.LinkQuoted
		}
	}
	return t.Store.RuleThreads(ctx, listID, nil, []model.ThreadLift{lift}, t.event(who, n, EventReset, "as the messages say"))
}

// made reads what a post's message says today.
func (t *Threader) made(ctx context.Context, p model.Post) (*model.NewPost, error) {
	l, err := t.Reader.store.GetList(ctx, p.ID.List())
	if err != nil {
		return nil, err
	}
	data, err := t.Reader.Bytes(ctx, Row{UID: p.ID.UID(), Size: uint32(p.Size), BytesID: p.BytesID, BytesOff: offset(p.BytesOff), list: uint32(l.ID)})
	if err != nil {
		return nil, err
	}
	return Make(l, data[p.OwnLen:], data[:p.OwnLen], p.ReceivedAt, p.Flags&model.PostImported != 0), nil
}

func (t *Threader) rule(ctx context.Context, n model.ThreadNode, parent int64, e *model.Event) error {
	r := model.ThreadRuling{ListID: n.ListID, Key: n.Key, ParentKey: parent, RuledBy: e.Actor, At: e.At}
	return t.Store.RuleThreads(ctx, n.ListID, []model.ThreadRuling{r}, nil, e)
}

func (t *Threader) event(who model.Actor, n model.ThreadNode, kind, text string) *model.Event {
	by := who.Email
	if by == "" {
		by = "cli"
	}
	return &model.Event{At: model.At(t.Now()), ListID: n.ListID, Kind: kind, Actor: by, MessageKey: line(n.MessageID), Detail: line(text)}
}

// allow asks whether who decides about the list.
func (t *Threader) allow(ctx context.Context, who model.Actor, listID int64) error {
	if who.Site {
		return nil
	}
	if !who.Anonymous && len(who.Keys) > 0 {
		subs, err := t.Reader.store.SubscriptionsOf(ctx, who.Keys)
		if err != nil {
			return err
		}
		for _, s := range subs {
			if s.ListID == listID && s.EndedSeq == 0 && s.Roles&(model.RoleModerator|model.RoleOwner) != 0 {
				return nil
			}
		}
	}
	return fault.New(fault.Forbidden, "only moderators and owners of the list may do that")
}

// opened is a thread as it stands.
type opened struct {
	node     model.ThreadNode // of the post it was opened by
	nodes    []model.ThreadNode
	posts    map[model.PostID]model.Post
	branches []Branch
}

func (t *Threader) open(ctx context.Context, listID int64, post string) (*opened, error) {
	id, err := t.Find(ctx, listID, post)
	if err != nil {
		return nil, err
	}
	posts, err := t.Reader.store.FindPosts(ctx, []model.PostID{id})
	if err != nil || len(posts) == 0 {
		return nil, fault.Wrap(fault.Temporary, err, "the post cannot be read")
	}
	th := &opened{posts: map[model.PostID]model.Post{}}
	if th.nodes, err = t.Store.NodesOfThread(ctx, posts[0].ThreadID); err != nil {
		return nil, err
	}
	var ids []model.PostID
	for _, n := range th.nodes {
		if n.PostID == id {
			th.node = n
		}
		if n.PostID != 0 {
			ids = append(ids, n.PostID)
		}
	}
	if th.node.Key == 0 {
		return nil, fault.New(fault.Conflict, "the threads have lost this post: plenary archive reindex mends them")
	}
	rows, err := t.Reader.store.FindPosts(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, p := range rows {
		th.posts[p.ID] = p
	}
	th.branches = Arrange(th.nodes, func(id model.PostID) model.Instant { return th.posts[id].SentAt })
	if len(th.branches) == 0 {
		return nil, fault.New(fault.Internal, "thread %d cannot be drawn", posts[0].ThreadID.UID())
	}
	return th, nil
}

// byKey gives a node of the thread, the zero node when there is none.
func (o *opened) byKey(key int64) model.ThreadNode {
	for _, n := range o.nodes {
		if n.Key == key && key != 0 {
			return n
		}
	}
	return model.ThreadNode{}
}
