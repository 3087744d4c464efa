package archive

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"plenary/internal/model"
)

// Reader reads archives for every door. Its methods may be called from many
// goroutines.
type Reader struct {
	// Now is the clock that "2.weeks.ago" counts from.
	Now func() time.Time

	store Store

	mu      sync.Mutex
	indexes map[int64]*Index
	known   *site
	frames  frames
	loading chan struct{} // holds one for each load of frames
	moved   moved
}

// NewReader makes a reader on a store.
func NewReader(s Store) *Reader {
	return &Reader{Now: time.Now, store: s, indexes: map[int64]*Index{}, loading: make(chan struct{}, loadsAtOnce)}
}

// Lists gives the lists whose archive who may read, in the order of the store:
// public ones, and those she subscribes to, moderates, edits or owns.
func (r *Reader) Lists(ctx context.Context, who model.Actor) ([]model.List, error) {
	_, may, err := r.SiteLists(ctx, who, nil)
	return may, err
}

// SiteLists gives all lists of the site, and apart from them what Lists gives.
// Nobody may change them: readers share them. g, when it is not nil, is looked at by the
// way, if the store can.
func (r *Reader) SiteLists(ctx context.Context, who model.Actor, g *model.Glance) (all, may []model.List, err error) {
	known, mine, err := r.site(ctx, who, g)
	if err != nil {
		return nil, nil, err
	}
	for i := range known.lists {
		if l := &known.lists[i]; readable(l, who, mine) {
			may = append(may, *l)
		}
	}
	return known.lists, may, nil
}

// site is all lists as they were at a mark.
type site struct {
	mark  model.ListsMark
	lists []model.List
	place map[int64]int // in lists, by id
}

// nobody belongs to no list.
var nobody = model.Actor{Anonymous: true}

// site gives all lists as they are now, and those who belongs to in any role. The
// lists are read again when they changed.
func (r *Reader) site(ctx context.Context, who model.Actor, g *model.Glance) (fresh *site, mine map[int64]bool, err error) {
	var keys []string
	if !who.Anonymous {
		keys = who.Keys
	}
	brief, ok := r.store.(Brief)
	fresh, mine = &site{}, map[int64]bool{}
	if ok {
		var lists []int64
		if fresh.mark, lists, err = brief.ListsMark(ctx, keys, g); err != nil { // before the lists: they may be newer, never older
			return nil, nil, err
		}
		for _, id := range lists {
			mine[id] = true
		}
		r.mu.Lock()
		known := r.known
		r.mu.Unlock()
		if known != nil && known.mark == fresh.mark {
			return known, mine, nil
		}
	} else if len(keys) > 0 {
		subs, err := r.store.SubscriptionsOf(ctx, keys)
		if err != nil {
			return nil, nil, err
		}
		for _, s := range subs {
			if s.EndedSeq == 0 && s.Roles != 0 {
				mine[s.ListID] = true
			}
		}
	}
	if fresh.lists, err = r.store.Lists(ctx); err != nil {
		return nil, nil, err
	}
	fresh.place = make(map[int64]int, len(fresh.lists))
	for i := range fresh.lists {
		fresh.place[fresh.lists[i].ID] = i
	}
	if ok {
		r.mu.Lock()
		r.known = fresh
		r.mu.Unlock()
	}
	return fresh, mine, nil
}

// list gives one list as it is now, nil when there is none, and whether who
// belongs to it.
func (r *Reader) list(ctx context.Context, id int64, who model.Actor) (l *model.List, mine map[int64]bool, err error) {
	known, mine, err := r.site(ctx, who, nil)
	if err != nil {
		return nil, nil, err
	}
	if i, ok := known.place[id]; ok {
		l = &known.lists[i]
	}
	return l, mine, nil
}

// MayRead reports whether who may read the archive of the list now. A list
// that does not exist cannot be read.
func (r *Reader) MayRead(ctx context.Context, who model.Actor, listID int64) (bool, error) {
	l, mine, err := r.list(ctx, listID, who)
	return l != nil && readable(l, who, mine), err
}

// MayReadEach is MayRead for many people at once.
func (r *Reader) MayReadEach(ctx context.Context, who []model.Actor, listID int64) ([]bool, error) {
	may := make([]bool, len(who))
	l, _, err := r.list(ctx, listID, nobody)
	if err != nil || l == nil {
		return may, err
	}
	var keys []string
	for i := range who {
		if may[i] = readable(l, who[i], nil); !may[i] && !who[i].Anonymous {
			keys = append(keys, who[i].Keys...)
		}
	}
	slices.Sort(keys)
	members := map[string]bool{}
	for part := range slices.Chunk(slices.Compact(keys), keysAtOnce) {
		subs, err := r.store.SubscriptionsOf(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, s := range subs {
			if s.ListID == listID && s.EndedSeq == 0 && s.Roles != 0 {
				members[s.EmailKey] = true
			}
		}
	}
	for i := range who {
		may[i] = may[i] || !who[i].Anonymous && slices.ContainsFunc(who[i].Keys, func(k string) bool { return members[k] })
	}
	return may, nil
}

// keysAtOnce is how many addresses one question names.
const keysAtOnce = 500

func readable(l *model.List, who model.Actor, mine map[int64]bool) bool {
	return who.Site || l.ArchiveAccess == model.AccessPublic || mine[l.ID]
}

// Open gives the list's index, fresh. It is loaded at the first call and shared.
func (r *Reader) Open(ctx context.Context, listID int64) (*Index, error) {
	return r.OpenAt(ctx, listID, 0)
}

// OpenAt is Open for who was told the list's next UID a moment ago.
func (r *Reader) OpenAt(ctx context.Context, listID int64, given model.UID) (*Index, error) {
	r.mu.Lock()
	ix := r.indexes[listID]
	r.mu.Unlock()
	if ix == nil {
		l, err := r.store.GetList(ctx, listID)
		if err != nil {
			return nil, err
		}
		r.mu.Lock()
		if ix = r.indexes[listID]; ix == nil {
			ix = &Index{list: listID, validity: l.UIDValidity, posts: r.store, next: 1, now: func() time.Time { return r.Now() }}
			ix.used.set(r.Now())
			r.indexes[listID] = ix
		}
		r.mu.Unlock()
	}
	return ix, ix.Refresh(ctx, given)
}

// NextUID is the UID the list's next post will get; the index is not loaded for
// it.
func (r *Reader) NextUID(ctx context.Context, listID int64) (model.UID, error) {
	return r.store.NextUID(ctx, listID)
}

// Close forgets a list's index, to free its memory or because the list was
// removed; who has it open keeps what he has.
func (r *Reader) Close(listID int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.indexes, listID)
}

// Envelopes streams the wire forms of ENVELOPE (RFC 9051 7.5.2) of the posts
// from UID from to UID to. The bytes are good until yield returns; its error
// ends the stream and is given back.
func (r *Reader) Envelopes(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return r.store.PostEnvelopes(ctx, listID, from, to, yield)
}

// Structures streams the wire forms of BODYSTRUCTURE, as Envelopes does.
func (r *Reader) Structures(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return r.store.PostStructures(ctx, listID, from, to, yield)
}

// Headers streams the usual header fields (message.UsualField) verbatim, as
// Envelopes does.
func (r *Reader) Headers(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return r.store.PostHeaders(ctx, listID, from, to, yield)
}

// Watch gives a channel that receives after something changed on the list; call
// the function when done.
func (r *Reader) Watch(listID int64) (<-chan struct{}, func()) {
	return r.store.Watch("list:" + strconv.FormatInt(listID, 10))
}

// WatchFlags gives a channel that receives after the account's flags on the
// list were changed, in whatever session.
func (r *Reader) WatchFlags(account, listID int64) (<-chan struct{}, func()) {
	return r.store.Watch("flags:" + strconv.FormatInt(account, 10) + ":" + strconv.FormatInt(listID, 10))
}

// Threads draws the threads of a list as they stand, oldest first.
func (r *Reader) Threads(ctx context.Context, listID int64) ([]Branch, error) {
	ix, err := r.Open(ctx, listID)
	if err != nil {
		return nil, err
	}
	var nodes []model.ThreadNode
	if err := r.store.ThreadNodes(ctx, listID, func(n *model.ThreadNode) error {
		nodes = append(nodes, *n)
		return nil
	}); err != nil {
		return nil, err
	}
	rows := ix.Rows()
	return Arrange(nodes, func(id model.PostID) model.Instant {
		if i, ok := find(rows, id.UID()); ok {
			return rows[i].SentAt
		}
		return 0
	}), nil
}
