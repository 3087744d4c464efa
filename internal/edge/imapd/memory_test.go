package imapd

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// memory is an archive.Store of a few posts, so that the door is tested with
// the real reader and no database.
type memory struct {
	mu     sync.Mutex
	lists  []model.List
	subs   []model.Subscriber
	posts  map[int64][]*model.NewPost
	last   map[int64]model.UID
	log    map[string][]model.FlagChange // account:list
	marks  map[string][]byte             // account:list:flag -> bitmap of the first page
	topics map[string]map[chan struct{}]bool
	helds  []model.Held
	drafts map[int64]string // held posts' bytes, by number
	broken error            // what every question is answered with
}

func newMemory() *memory {
	return &memory{posts: map[int64][]*model.NewPost{}, last: map[int64]model.UID{}, log: map[string][]model.FlagChange{}, marks: map[string][]byte{}, drafts: map[int64]string{}, topics: map[string]map[chan struct{}]bool{}}
}

func (m *memory) add(l model.List, members ...string) *model.List {
	m.mu.Lock()
	defer m.mu.Unlock()
	l.ID = int64(len(m.lists) + 1)
	l.UIDValidity = uint32(1000 + l.ID)
	m.lists = append(m.lists, l)
	for _, who := range members {
		m.subs = append(m.subs, model.Subscriber{ListID: l.ID, Email: who, EmailKey: who, Roles: model.RoleSubscriber})
	}
	return &m.lists[len(m.lists)-1]
}

func (m *memory) post(list int64, raw string) model.UID {
	return m.postAt(list, raw, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
}

func (m *memory) postAt(list int64, raw string, at time.Time) model.UID {
	p := archive.Make(&model.List{ID: list}, []byte(raw), nil, model.At(at), true)
	m.mu.Lock()
	m.last[list]++
	uid := m.last[list]
	p.Post.ID = model.MakePostID(list, uid)
	p.Post.BytesID = int64(p.Post.ID)
	m.posts[list] = append(m.posts[list], p)
	m.mu.Unlock()
	m.wake(fmt.Sprintf("list:%d", list))
	return uid
}

// remove takes a post away as an erasure does.
func (m *memory) remove(list int64, uid model.UID) {
	m.mu.Lock()
	m.posts[list] = slices.DeleteFunc(m.posts[list], func(p *model.NewPost) bool { return p.Post.ID.UID() == uid })
	m.mu.Unlock()
	m.wake(fmt.Sprintf("list:%d", list))
}

// shrinks is the archive of a memory whose posts are taken away.
type shrinks struct {
	Archive
	m *memory
}

func (a shrinks) Open(ctx context.Context, list int64, next model.UID) (Index, error) {
	ix, err := a.Archive.Open(ctx, list, next)
	return shrunk{ix, a.m, list}, err
}

type shrunk struct {
	Index
	m    *memory
	list int64
}

func (x shrunk) Rows() (rows []archive.Row) {
	rows, _ = x.Snapshot()
	return rows
}

func (x shrunk) Snapshot() (rows []archive.Row, next model.UID) {
	all, next := x.Index.Snapshot()
	_ = x.m.locked(func() error {
		for _, r := range all {
			if slices.ContainsFunc(x.m.posts[x.list], func(p *model.NewPost) bool { return p.Post.ID.UID() == r.UID }) {
				rows = append(rows, r)
			}
		}
		return nil
	})
	return rows, next
}

// uids are those that are there.
func (m *memory) uids(list int64) (all []model.UID) {
	_ = m.each(list, 1, 1<<32-1, func(p *model.NewPost) error { all = append(all, p.Post.ID.UID()); return nil })
	return all
}

func (m *memory) leave(list int64, who string) {
	m.mu.Lock()
	m.subs = slices.DeleteFunc(m.subs, func(s model.Subscriber) bool { return s.ListID == list && s.EmailKey == who })
	m.mu.Unlock()
	m.wake(fmt.Sprintf("list:%d", list))
}

func (m *memory) wake(topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ch := range m.topics[topic] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = err
}

func (m *memory) locked(f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	return f()
}

func (m *memory) Lists(context.Context) (out []model.List, err error) {
	err = m.locked(func() error { out = slices.Clone(m.lists); return nil })
	return out, err
}

func (m *memory) GetList(_ context.Context, id int64) (l *model.List, err error) {
	err = m.locked(func() error {
		for i := range m.lists {
			if m.lists[i].ID == id {
				c := m.lists[i]
				l = &c
				return nil
			}
		}
		return fault.New(fault.NotFound, "there is no such list")
	})
	return l, err
}

func (m *memory) SubscriptionsOf(_ context.Context, keys []string) (out []model.Subscriber, err error) {
	err = m.locked(func() error {
		for _, s := range m.subs {
			if slices.Contains(keys, s.EmailKey) {
				out = append(out, s)
			}
		}
		return nil
	})
	return out, err
}

func (m *memory) Watch(topic string) (<-chan struct{}, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ch := make(chan struct{}, 1)
	if m.topics[topic] == nil {
		m.topics[topic] = map[chan struct{}]bool{}
	}
	m.topics[topic][ch] = true
	return ch, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.topics[topic], ch)
	}
}

func (m *memory) each(list int64, from, to model.UID, yield func(*model.NewPost) error) error {
	var some []*model.NewPost
	err := m.locked(func() error {
		for _, p := range m.posts[list] {
			if u := p.Post.ID.UID(); u >= from && u <= to {
				some = append(some, p)
			}
		}
		return nil
	})
	for _, p := range some {
		if err == nil {
			err = yield(p)
		}
	}
	return err
}

func (m *memory) PostPlaces(_ context.Context, list int64, from, to model.UID, yield func(*model.Post) error) error {
	return m.each(list, from, to, func(p *model.NewPost) error { return yield(&p.Post) })
}

func (m *memory) NextUID(_ context.Context, list int64) (next model.UID, err error) {
	err = m.locked(func() error { next = m.last[list] + 1; return nil })
	return next, err
}

func (m *memory) PostEnvelopes(_ context.Context, list int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return m.each(list, from, to, func(p *model.NewPost) error { return yield(p.Post.ID.UID(), p.Envelope) })
}

func (m *memory) PostStructures(_ context.Context, list int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return m.each(list, from, to, func(p *model.NewPost) error { return yield(p.Post.ID.UID(), p.Post.BodyStructure) })
}

func (m *memory) PostHeaders(_ context.Context, list int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return m.each(list, from, to, func(p *model.NewPost) error { return yield(p.Post.ID.UID(), p.Header) })
}

func (m *memory) Bytes(_ context.Context, id int64) (data []byte, err error) {
	err = m.locked(func() error {
		at := model.PostID(id)
		for _, p := range m.posts[at.List()] {
			if p.Post.ID == at {
				data = p.Bytes
				return nil
			}
		}
		return fault.New(fault.NotFound, "there are no such bytes")
	})
	return data, err
}

func (m *memory) FindPosts(_ context.Context, ids []model.PostID) (out []model.Post, err error) {
	err = m.locked(func() error {
		for _, id := range ids {
			for _, p := range m.posts[id.List()] {
				if p.Post.ID == id {
					out = append(out, p.Post)
				}
			}
		}
		return nil
	})
	return out, err
}

func (m *memory) FindPostByKey(_ context.Context, list int64, kind int, key []byte) (id model.PostID, err error) {
	err = m.locked(func() error {
		for _, p := range m.posts[list] {
			if kind == model.KeyMessageID && bytes.Equal(p.MessageKey, key) {
				id = p.Post.ID
			}
		}
		return nil
	})
	return id, err
}

func (m *memory) ThreadNodes(_ context.Context, list int64, yield func(*model.ThreadNode) error) error {
	var posts []archive.Threadable
	_ = m.each(list, 1, 1<<32-1, func(p *model.NewPost) error {
		self := p.Self
		if self.MessageID == "" {
			self.Key += int64(p.Post.ID) // equal bytes, but two messages
		}
		posts = append(posts, archive.Threadable{Post: p.Post.ID, Self: self, References: p.References})
		return nil
	})
	for _, n := range archive.Thread(posts) {
		if err := yield(&n); err != nil {
			return err
		}
	}
	return nil
}

// MatchPosts answers the index's questions by looking at every post.
func (m *memory) MatchPosts(_ context.Context, list int64, q model.Match, yield func(model.UID) bool) error {
	to := q.To
	if to == 0 {
		to = 1<<32 - 1
	}
	var found []model.UID
	err := m.each(list, q.From, to, func(p *model.NewPost) error {
		if matchSteps(q.Steps, p.Text) {
			found = append(found, p.Post.ID.UID())
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
	return err
}

func (m *memory) FlagPages(_ context.Context, account, list int64, yield func(flag string, page int64, bits []byte)) error {
	return m.locked(func() error {
		prefix := fmt.Sprintf("%d:%d:", account, list)
		for k, bits := range m.marks {
			if flag, ok := strings.CutPrefix(k, prefix); ok {
				yield(flag, 0, bits)
			}
		}
		return nil
	})
}

func (m *memory) SetFlag(ctx context.Context, mark model.Mark, uids []model.UID, on bool) error {
	_, err := m.ChangeFlags(ctx, model.Marking{Account: mark.Account, List: mark.List, Edits: []model.FlagEdit{{Flag: mark.Flag, UIDs: uids, On: on}}})
	return err
}

func (m *memory) ChangeFlags(_ context.Context, mark model.Marking) (left []model.UID, err error) {
	who := fmt.Sprintf("%d:%d", mark.Account, mark.List)
	err = m.locked(func() error {
		for _, c := range m.log[who] {
			for _, u := range mark.Guard {
				for _, r := range c.Runs {
					if mark.Conditional && c.ModSeq() > mark.Since && r.From <= u && u <= r.To && !slices.Contains(left, u) {
						left = append(left, u)
					}
				}
			}
		}
		slices.Sort(left)
		var touched []model.UID
		for _, e := range mark.Edits {
			k := who + ":" + e.Flag
			bits := slices.Clone(m.marks[k])
			if bits == nil {
				bits = make([]byte, 1024)
			}
			for _, u := range e.UIDs {
				switch {
				case slices.Contains(left, u):
					continue
				case e.On:
					bits[u/8] |= 1 << (u % 8)
				default:
					bits[u/8] &^= 1 << (u % 8)
				}
				touched = append(touched, u)
			}
			m.marks[k] = bits
			if !slices.ContainsFunc(bits, func(b byte) bool { return b != 0 }) {
				delete(m.marks, k)
			}
		}
		if len(touched) > 0 {
			m.log[who] = append(m.log[who], model.FlagChange{Seq: uint64(len(m.log[who]) + 1), UIDNext: m.last[mark.List] + 1, Runs: model.RunsOf(touched)})
		}
		return nil
	})
	m.wake("flags:" + who)
	return left, err
}

func (m *memory) FlagChanges(_ context.Context, account, list int64, since uint64) (all []model.FlagChange, err error) {
	err = m.locked(func() error {
		for _, c := range m.log[fmt.Sprintf("%d:%d", account, list)] {
			if c.ModSeq() > since {
				all = append(all, c)
			}
		}
		return nil
	})
	return all, err
}

func (m *memory) LastFlagChange(ctx context.Context, account, list int64) (c model.FlagChange, next model.UID, err error) {
	all, err := m.FlagChanges(ctx, account, list, 0)
	if len(all) > 0 {
		c = all[len(all)-1]
	}
	if err == nil {
		next, err = m.NextUID(ctx, list)
	}
	return c, next, err
}

// hold lets a post wait.
func (m *memory) hold(list int64, raw string) {
	m.mu.Lock()
	id := int64(len(m.drafts) + 11)
	m.drafts[id] = raw
	m.helds = append(m.helds, model.Held{ID: 100 + id, UID: model.UID(id), ListID: list, BytesID: id, Size: int64(len(raw)), CreatedAt: model.At(noon)})
	m.mu.Unlock()
	m.wake(fmt.Sprintf("list:%d", list))
}

func (m *memory) moderate(list int64, who string, yes bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.subs {
		if s := &m.subs[i]; s.ListID == list && s.EmailKey == who {
			s.Roles &^= model.RoleModerator
			if yes {
				s.Roles |= model.RoleModerator
			}
		}
	}
}

func (m *memory) Moderates(_ context.Context, who model.Actor) (out []model.List, err error) {
	err = m.locked(func() error {
		for _, s := range m.subs {
			if slices.Contains(who.Keys, s.EmailKey) && s.Roles&model.RoleModerator != 0 {
				out = append(out, m.lists[s.ListID-1])
			}
		}
		return nil
	})
	return out, err
}

func (m *memory) Pending(_ context.Context, l *model.List, limit int) (out []model.Held, next model.UID, err error) {
	next = 11
	err = m.locked(func() error {
		for _, h := range m.helds {
			if next = h.UID + 1; h.ListID == l.ID && h.State == model.HeldPending {
				out = append(out, h)
			}
		}
		if len(out) > limit {
			out, next = out[:limit], out[limit].UID
		}
		return nil
	})
	return out, next, err
}

func (m *memory) HeldBytes(_ context.Context, h *model.Held) (b []byte, err error) {
	err = m.locked(func() error { b = []byte(m.drafts[h.BytesID]); return nil })
	return b, err
}

func (m *memory) Decide(_ context.Context, id int64, action model.Action, by string) error {
	list := int64(0)
	err := m.locked(func() error {
		for i := range m.helds {
			h := &m.helds[i]
			switch {
			case h.ID != id:
			case h.State != model.HeldPending:
				return fault.New(fault.Conflict, "the message was decided already, by %s", h.DecidedBy)
			default:
				h.State, h.DecidedBy, h.Comment, list = model.HeldReleased, by, action.String(), h.ListID
				return nil
			}
		}
		return fault.New(fault.NotFound, "there is no held post %d", id)
	})
	if err == nil {
		m.wake(fmt.Sprintf("list:%d", list))
	}
	return err
}

// people knows alice and bob, whose passwords are "secret".
type people struct{}

func (people) Authenticate(_ context.Context, user, password string) (model.Actor, error) {
	ids := map[string]int64{"alice@example.org": 1, "bob@example.org": 2}
	if user == "away@example.org" {
		return model.Actor{}, fault.New(fault.Temporary, "The database is away, please try again")
	}
	if ids[user] == 0 || password != "secret" {
		return model.Actor{}, fault.New(fault.Unauthenticated, "no")
	}
	return model.Actor{AccountID: ids[user], Email: user, Keys: []string{user}}, nil
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// sample has the lists the dialogues talk about.
func sample(t testing.TB) *memory {
	t.Helper()
	m := newMemory()
	talk := m.add(model.List{Local: "talk", Domain: "example.org"}, "alice@example.org", "bob@example.org")
	m.add(model.List{Local: "news", Domain: "example.org", ArchiveAccess: model.AccessPublic})
	m.add(model.List{Local: "board", Domain: "example.org"}, "bob@example.org")
	m.add(model.List{Local: "talk", Domain: "xn--bcher-kva.example"}, "alice@example.org")
	m.add(model.List{Local: "plauderei-ü", Domain: "example.org"}, "alice@example.org")
	m.add(model.List{Local: "a/b*c", Domain: "example.org"}, "alice@example.org")
	m.postAt(talk.ID, plainPost, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	m.postAt(talk.ID, mixedPost, time.Date(2026, 3, 3, 23, 30, 0, 0, time.UTC))
	m.postAt(talk.ID, oddPost, time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC))
	m.post(2, crlf("From: Editor <editor@example.org>\nTo: news@example.org\nSubject: Opening hours\nMessage-ID: <n1@example.org>\nDate: Mon, 2 Mar 2026 10:00:00 +0000\n\nWe open at nine.\n"))
	return m
}

var plainPost = crlf(`From: Ann Lee <ann@example.org>
To: talk@example.org
Subject: New shelves
Message-ID: <1@example.org>
Date: Mon, 2 Mar 2026 10:00:00 +0100
X-Colour: green

The shelves have come.
They are green.
`)

var mixedPost = crlf(`From: =?utf-8?q?J=C3=B6rg?= <joerg@example.net>
To: talk@example.org
Cc: ann@example.org
Subject: Re: New shelves
Message-ID: <2@example.net>
In-Reply-To: <1@example.org>
References: <1@example.org>
Date: Tue, 3 Mar 2026 23:30:00 -0800
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="cut"

Preamble
--cut
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Sch=C3=B6n. Are they heavy?
--cut
Content-Type: message/rfc822

From: Old <old@example.org>
Subject: Inner
Message-ID: <inner@example.org>

Inner body
--cut
Content-Type: application/octet-stream; name="plan.bin"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="plan.bin"

AAECAwQF
--cut--
`)

// oddPost is a multipart without parts, with a line in its header that is no
// field: what kills go-imap's helpers.
var oddPost = crlf(`From: odd@example.org
this line is no field
Subject: Odd
Content-Type: multipart/mixed; boundary="never"

No parts at all.
`)

// defectLog counts what is logged as an error.
func defectLog(n *atomic.Int32) *slog.Logger {
	return slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) { n.Add(1); return os.Stderr.Write(p) }), &slog.HandlerOptions{Level: slog.LevelError}))
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
