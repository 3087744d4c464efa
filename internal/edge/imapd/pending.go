package imapd

import (
	"context"
	"slices"
	"sync"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// pending is an archive of the posts that wait on one list: what Pending shows
// can be read, searched, sorted and threaded by the same code as any mailbox. It
// is an archive.Store in memory (see pendingstore.go), and the Index of what
// still waits.
type pending struct {
	mod    Moderation
	list   model.List
	reader *archive.Reader

	load sync.Mutex // one loads at a time

	mu    sync.Mutex
	posts []*model.NewPost // in the order of UIDs, without their bytes
	helds map[model.UID]*model.Held
	ids   map[model.UID]int64 // also of those that were decided, so that who comes late is told by whom
	rows  []archive.Row
	next  model.UID
}

func newPending(mod Moderation, l *model.List) *pending {
	p := &pending{mod: mod, list: *l, helds: map[model.UID]*model.Held{}, ids: map[model.UID]int64{}, next: 1}
	p.reader = archive.NewReader(p)
	return p
}

// Refresh takes in what is held, and drops what was decided. Of very many only
// the oldest are shown: the others follow as these are decided.
func (p *pending) Refresh(ctx context.Context, _ model.UID) error {
	p.load.Lock()
	defer p.load.Unlock()
	waiting, next, err := p.mod.Pending(ctx, &p.list, maxPending)
	if err != nil {
		return err
	}
	still := make(map[model.UID]*model.Held, len(waiting))
	for i := range waiting {
		still[waiting[i].UID] = &waiting[i]
	}
	for _, h := range still {
		if err := p.add(ctx, h); err != nil {
			return err
		}
	}
	p.drop(still)
	index, err := p.reader.Open(ctx, p.list.ID)
	if err != nil {
		return err
	}
	var rows []archive.Row
	for _, r := range index.Rows() {
		if still[r.UID] != nil {
			rows = append(rows, r)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows, p.next = rows, max(p.next, next)
	return nil
}

// add makes ready a post that is not known yet.
func (p *pending) add(ctx context.Context, h *model.Held) error {
	uid := h.UID
	p.mu.Lock()
	known := p.helds[uid] != nil
	p.mu.Unlock()
	if known {
		return nil
	}
	raw, err := p.mod.HeldBytes(ctx, h)
	if fault.Is(err, fault.NotFound) { // decided meanwhile, and cleared away
		return nil
	}
	if err != nil {
		return err
	}
	post := archive.Make(&p.list, raw, nil, h.CreatedAt, true)
	post.Bytes = nil
	post.Post.ID, post.Post.BytesID = model.MakePostID(p.list.ID, uid), h.BytesID
	p.mu.Lock()
	defer p.mu.Unlock()
	p.helds[uid], p.ids[uid] = h, h.ID
	at, _ := slices.BinarySearchFunc(p.posts, uid, func(a *model.NewPost, u model.UID) int { return int(a.Post.ID.UID()) - int(u) })
	p.posts = slices.Insert(p.posts, at, post)
	return nil
}

// number is that of the held post with this UID, decided or not; 0 when there
// was none.
func (p *pending) number(uid model.UID) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ids[uid]
}

// drop forgets what does not wait any more.
func (p *pending) drop(still map[model.UID]*model.Held) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gone := func(post *model.NewPost) bool { return still[post.Post.ID.UID()] == nil }
	p.posts = slices.DeleteFunc(slices.Clone(p.posts), gone)
	for uid := range p.helds {
		if still[uid] == nil {
			delete(p.helds, uid)
		}
	}
}

// Rows implements Index.
func (p *pending) Rows() []archive.Row {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rows
}

// UIDValidity implements Index: UIDs of held posts are never used again.
func (p *pending) UIDValidity() uint32 { return p.list.UIDValidity }

// Snapshot implements Index.
func (p *pending) Snapshot() ([]archive.Row, model.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rows, p.next
}

// localFlags are flags that last as long as the mailbox is selected.
type localFlags map[string]map[model.UID]bool

// Names implements Flags.
func (f localFlags) Names() (names []string) {
	for n, uids := range f {
		if len(uids) > 0 {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// Has implements Flags.
func (f localFlags) Has(flag string, uid model.UID) bool { return f[flag][uid] }

// Count implements Flags.
func (f localFlags) Count(flag string) int { return len(f[flag]) }

// Octets implements Flags: these are not kept.
func (f localFlags) Octets() int { return 0 }

func (f localFlags) edit(edits []model.FlagEdit) {
	for _, e := range edits {
		if f[e.Flag] == nil {
			f[e.Flag] = map[model.UID]bool{}
		}
		for _, u := range e.UIDs {
			if e.On {
				f[e.Flag][u] = true
			} else {
				delete(f[e.Flag], u)
			}
		}
	}
}
