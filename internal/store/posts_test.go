package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

func testKey(s string) int64 {
	sum := sha256.Sum256([]byte(s))
	return int64(binary.BigEndian.Uint64(sum[:8])>>1 | 1)
}

func refs(ids ...string) []model.Reference {
	var out []model.Reference
	for _, id := range ids {
		out = append(out, model.Reference{Key: testKey(id), MessageID: id})
	}
	return out
}

// newPost makes a post by hand, as list/archive would.
func newPost(list int64, id string, references ...string) *model.NewPost {
	raw := fmt.Sprintf("Message-ID: <%s>\r\nSubject: about %s\r\n\r\n%s\r\n", id, id, strings.Repeat("body of "+id+" ", 20))
	sum := sha256.Sum256([]byte(raw))
	key := sha256.Sum256([]byte(id))
	return &model.NewPost{
		ListID: list, Bytes: []byte(raw), Envelope: []byte("(env " + id + ")"), Header: []byte("Subject: about " + id + "\r\n"),
		Post: model.Post{Size: int64(len(raw)), HeaderLen: int64(strings.Index(raw, "\r\n\r\n") + 4), ReceivedAt: 1e15, SentAt: 9e14,
			Author: "Ann", AuthorKey: "ann@example.org", Subject: "about " + id, BodyStructure: []byte("(bs " + id + ")")},
		Text: model.SearchText{Subject: "about " + id, Author: "ann ann example org", Body: "body of " + id},
		Self: refs(id)[0], References: refs(references...),
		MessageKey: key[:16], RawKey: sum[:16],
	}
}

func savePost(t testing.TB, s *store.Store, p *model.NewPost) model.PostID {
	t.Helper()
	id, dup, err := s.SavePost(context.Background(), p)
	if err != nil || dup {
		t.Fatalf("%v, duplicate %v", err, dup)
	}
	return id
}

// TestNobodyToSendTo: a post to a list whose people have all left is sent from the
// start, and one to a list with somebody is not.
func TestNobodyToSendTo(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		post := func(id string) *model.Distribution {
			p := newPost(l.ID, id)
			p.Distribution = &model.Distribution{Kind: model.DistributePost, Lane: model.LanePost, Options: "{}",
				State: model.DistributionDone, DoneAt: 5} // as a transaction leaves it that failed when there was nobody
			savePost(t, s, p)
			d, err := s.GetDistribution(ctx, p.Distribution.ID)
			if err != nil || d.State != p.Distribution.State {
				t.Fatal(d, err)
			}
			return d
		}
		if _, err := s.Subscribe(ctx, person(l, "ann@example.net")); err != nil {
			t.Fatal(err)
		}
		if d := post("a@x"); d.State != model.DistributionActive || d.DoneAt != 0 {
			t.Errorf("%+v", d)
		}
		if _, err := s.Unsubscribe(ctx, l.ID, "ann@example.net", "left"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Subscribe(ctx, &model.Subscriber{ListID: l.ID, Email: "owner@example.net", EmailKey: "owner@example.net", Roles: model.RoleOwner}); err != nil {
			t.Fatal(err)
		}
		if d := post("b@x"); d.State != model.DistributionDone || d.DoneAt <= 5 {
			t.Errorf("%+v", d)
		}
	})
}

func TestSavePostKeepsEverything(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		if _, err := s.Subscribe(ctx, person(l, "ann@example.net")); err != nil {
			t.Fatal(err)
		}
		wake, cancel := s.Watch(store.TopicList(l.ID))
		defer cancel()
		queue, cancel2 := s.Watch(store.TopicQueue)
		defer cancel2()
		p := newPost(l.ID, "a@x")
		p.Distribution = &model.Distribution{Kind: model.DistributePost, Lane: model.LanePost, Options: "{}"}
		p.Event = &model.Event{ListID: l.ID, Kind: "post.accepted", MessageKey: "k"}
		id := savePost(t, s, p)
		if id.List() != l.ID || id.UID() != 1 || p.Distribution.ID == 0 || p.Distribution.PostID != id {
			t.Fatalf("%+v", p)
		}
		for _, c := range []<-chan struct{}{wake, queue} {
			select {
			case <-c:
			default:
				t.Error("nobody was woken")
			}
		}
		got, err := s.GetPost(ctx, id)
		if err != nil || got.Subject != "about a@x" || got.ThreadID != id || string(got.BodyStructure) != "(bs a@x)" {
			t.Fatalf("%+v %v", got, err)
		}
		data, err := s.PostBytes(ctx, got)
		if err != nil || !bytes.Equal(data, p.Bytes) {
			t.Fatalf("%q %v", data, err)
		}
		for what, read := range map[string]func(context.Context, int64, model.UID, model.UID, func(model.UID, []byte) error) error{
			"(env a@x)": s.PostEnvelopes, "(bs a@x)": s.PostStructures, "Subject: about a@x\r\n": s.PostHeaders} {
			n := 0
			if err := read(ctx, l.ID, 1, 1<<32-1, func(u model.UID, b []byte) error {
				n++
				if u != 1 || string(b) != what {
					t.Errorf("%d %q", u, b)
				}
				return nil
			}); err != nil || n != 1 {
				t.Error(n, err)
			}
		}
		if n, err := s.TestCount(ctx, "SELECT count(*) FROM events WHERE message_key = 'k'"); n != 1 || err != nil {
			t.Error(n, err)
		}
		for kind, key := range map[int][]byte{model.KeyMessageID: p.MessageKey, model.KeyRaw: p.RawKey} {
			if found, err := s.FindPostByKey(ctx, l.ID, kind, key); found != id || err != nil {
				t.Error(found, err)
			}
		}
	})
}

func TestSavePostOnce(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		first := savePost(t, s, newPost(l.ID, "a@x"))
		again := newPost(l.ID, "a@x")
		again.Distribution = &model.Distribution{Kind: model.DistributePost, Options: "{}"}
		id, dup, err := s.SavePost(ctx, again)
		if err != nil || !dup || id != first {
			t.Fatal(id, dup, err)
		}
		if n, err := s.TestCount(ctx, "SELECT count(*) FROM distributions"); n != 0 || err != nil {
			t.Error("the duplicate is sent", n, err)
		}
		if id := savePost(t, s, newPost(l.ID, "b@x")); id.UID() != 2 {
			t.Error("a duplicate took a UID:", id.UID())
		}
		if _, _, err := s.SavePost(ctx, newPost(99, "c@x")); !fault.Is(err, fault.NotFound) {
			t.Error("no such list:", err)
		}
	})
}

func TestSavePostReleasesHeld(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		hold := func(key string) *model.Held {
			h := &model.Held{ListID: l.ID, MessageKey: key, Reasons: "[]", Trace: "[]", TokenHash: []byte(key)}
			if _, err := s.SaveHeld(ctx, h, []byte("raw"), nil); err != nil {
				t.Fatal(err)
			}
			return h
		}
		h := hold("a")
		p := newPost(l.ID, "a@x")
		p.HeldID, p.DecidedBy = h.ID, "mod@example.org"
		savePost(t, s, p)
		if h, err := s.GetHeld(ctx, h.ID); err != nil || h.State != model.HeldReleased || h.DecidedBy != "mod@example.org" {
			t.Fatalf("%+v %v", h, err)
		}
		q := newPost(l.ID, "q@x")
		q.HeldID = h.ID
		if _, _, err := s.SavePost(ctx, q); !fault.Is(err, fault.Conflict) {
			t.Error("released twice:", err)
		}
		if n, err := s.CountPosts(ctx, l.ID); n != 1 || err != nil {
			t.Error("the second release left a post", n, err)
		}
		// The same message reached the archive by another way: the held one ends.
		h = hold("b")
		p = newPost(l.ID, "a@x")
		p.HeldID = h.ID
		if _, dup, err := s.SavePost(ctx, p); !dup || err != nil {
			t.Fatal(dup, err)
		}
		if h, err := s.GetHeld(ctx, h.ID); err != nil || h.State != model.HeldReleased {
			t.Fatalf("%+v %v", h, err)
		}
		if id := savePost(t, s, newPost(l.ID, "c@x")); id.UID() != 2 {
			t.Error(id.UID())
		}
	})
}

// UIDs appear in the order of commits: whoever sees a UID never later finds a
// smaller one that was not there.
func TestUIDsGrowInCommitOrder(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		const writers, each = 4, 25
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					if _, _, err := s.SavePost(ctx, newPost(l.ID, fmt.Sprintf("%d-%d@x", w, i))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		for seen := int64(0); ; {
			var n, top int64
			if err := s.PostPlaces(ctx, l.ID, 1, 1<<32-1, func(p *model.Post) error {
				n, top = n+1, int64(p.ID.UID())
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if n != top || n < seen {
				t.Fatalf("%d posts, the last UID is %d", n, top)
			}
			seen = n
			select {
			case <-done:
				if n, err := s.CountPosts(ctx, l.ID); n != writers*each || err != nil {
					t.Fatal(n, err)
				}
				if next, err := s.NextUID(ctx, l.ID); next != writers*each+1 || err != nil {
					t.Fatal(next, err)
				}
				return
			default:
			}
		}
	})
}

func TestImportPosts(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		var batch []*model.NewPost
		for i := range 100 {
			p := newPost(l.ID, fmt.Sprintf("%d@x", i))
			p.Bytes = append(p.Bytes, bytes.Repeat([]byte{byte('a' + i%26)}, 10000)...)
			p.Post.Size = int64(len(p.Bytes))
			p.Post.Flags = model.PostImported
			batch = append(batch, p)
		}
		twin := newPost(l.ID, "7@x") // another message with the same Message-ID
		twin.RawKey = []byte("other")
		batch = append(batch, twin, batch[3])
		added, err := s.ImportPosts(ctx, l.ID, batch, "a.mbox", 4711)
		if err != nil || added != 101 {
			t.Fatal(added, err)
		}
		if pos, err := s.ImportPosition(ctx, l.ID, "a.mbox"); pos != 4711 || err != nil {
			t.Error(pos, err)
		}
		if pos, err := s.ImportPosition(ctx, l.ID, "b.mbox"); pos != 0 || err != nil {
			t.Error(pos, err)
		}
		if added, err := s.ImportPosts(ctx, l.ID, batch, "b.mbox", 1); added != 0 || err != nil {
			t.Error("imported again:", added, err)
		}
		if n, err := s.TestCount(ctx, "SELECT count(*) FROM message_bytes"); n > 6 || err != nil {
			t.Error("frames:", n, err)
		}
		i := 0
		err = s.PostPlaces(ctx, l.ID, 1, 1<<32-1, func(p *model.Post) error {
			data, err := s.PostBytes(ctx, p)
			if err != nil || !bytes.Equal(data, batch[i].Bytes) {
				t.Errorf("post %d: %v", i, err)
			}
			i++
			return err
		})
		if err != nil || i != 101 {
			t.Fatal(i, err)
		}
	})
}

func TestSealPosts(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		var want [][]byte
		var before []model.Post
		add := func(n, size int) {
			for range n {
				p := newPost(l.ID, fmt.Sprintf("%d@x", len(want)))
				p.Bytes = append(p.Bytes, bytes.Repeat([]byte{byte('a' + len(want)%26)}, size)...)
				p.Post.Size = int64(len(p.Bytes))
				savePost(t, s, p)
				want, before = append(want, p.Bytes), append(before, p.Post)
			}
		}
		add(5, 1000)
		if n, err := s.SealPosts(ctx, l.ID); n != 0 || err != nil {
			t.Fatal("too little to seal", n, err)
		}
		add(30, 10_000)
		add(1, 300_000)
		add(30, 10_000)
		if n, err := s.SealPosts(ctx, l.ID); n != 3 || err != nil { // the large one parts them
			t.Fatal(n, err)
		}
		if n, err := s.SealPosts(ctx, l.ID); n != 0 || err != nil {
			t.Fatal("sealed again", n, err)
		}
		for i := range before { // with the places they had before
			data, err := s.PostBytes(ctx, &before[i])
			if err != nil || !bytes.Equal(data, want[i]) {
				t.Fatalf("post %d: %v", i, err)
			}
		}
		add(20, 10_000)
		if n, err := s.SealPosts(ctx, l.ID); n != 1 || err != nil {
			t.Fatal("the next frame", n, err)
		}
		n, err := s.TestCount(ctx, "SELECT count(*) FROM message_bytes b WHERE NOT EXISTS (SELECT 1 FROM posts p WHERE p.bytes_id = b.id)")
		if n != 0 || err != nil {
			t.Error("rows left over:", n, err)
		}
	})
}

// TestSealMoreThanIsLookedAtOnce: nothing stays behind a frame for ever.
func TestSealMoreThanIsLookedAtOnce(t *testing.T) {
	defer store.SealAtOnce(30)()
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		for i := range 200 {
			p := newPost(l.ID, fmt.Sprintf("%d@x", i))
			p.Bytes = append(p.Bytes, bytes.Repeat([]byte("a"), 10_000)...)
			p.Post.Size = int64(len(p.Bytes))
			savePost(t, s, p)
		}
		if n, err := s.SealPosts(ctx, l.ID); n < 7 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := s.TestCount(ctx, "SELECT count(*) FROM message_bytes"); n > 40 || err != nil {
			t.Errorf("%d rows for 200 posts, %v", n, err)
		}
	})
}

// TestSmallPostsAreKeptAsTheyCame: only a large one, which no frame takes, is
// compressed for itself.
func TestSmallPostsAreKeptAsTheyCame(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		l := makeList(t, s, "talk")
		for i, size := range []int{8_000, 300_000} {
			p := newPost(l.ID, fmt.Sprintf("%d@x", i))
			p.Bytes = append(p.Bytes, bytes.Repeat([]byte("a"), size)...)
			p.Post.Size = int64(len(p.Bytes))
			savePost(t, s, p)
			n, err := s.TestCount(context.Background(), fmt.Sprintf("SELECT length(data) FROM message_bytes WHERE id = %d", p.Post.BytesID))
			if small := size < 10_000; err != nil || small != (n == p.Post.Size) {
				t.Errorf("%d octets take %d, %v", size, n, err)
			}
		}
	})
}

func TestReadersBesideSealing(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		var posts []model.Post
		var want [][]byte
		for i := range 60 {
			p := newPost(l.ID, fmt.Sprintf("%d@x", i))
			p.Bytes = append(p.Bytes, bytes.Repeat([]byte{byte(i)}, 6000)...)
			p.Post.Size = int64(len(p.Bytes))
			savePost(t, s, p)
			posts, want = append(posts, p.Post), append(want, p.Bytes)
		}
		var wg sync.WaitGroup
		for r := range 3 {
			wg.Go(func() {
				for n := range 200 {
					i := (n*7 + r) % len(posts)
					if data, err := s.PostBytes(ctx, &posts[i]); err != nil || !bytes.Equal(data, want[i]) {
						t.Error(i, err)
					}
				}
			})
		}
		if n, err := s.SealPosts(ctx, l.ID); n == 0 || err != nil {
			t.Error(n, err)
		}
		wg.Wait()
	})
}

func TestFlagPages(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		set := func(who int64, flag string, on bool, uids ...model.UID) {
			t.Helper()
			if err := s.SetFlag(ctx, model.Mark{Account: who, List: l.ID, Flag: flag}, uids, on); err != nil {
				t.Fatal(err)
			}
		}
		have := func(who int64, flag string) (uids []model.UID) {
			t.Helper()
			if err := s.FlagPages(ctx, who, l.ID, func(f string, page int64, bits []byte) {
				for i, o := range bits {
					for b := range 8 {
						if f == flag && o&(1<<b) != 0 {
							uids = append(uids, model.UID(page*8192+int64(i*8+b)))
						}
					}
				}
			}); err != nil {
				t.Fatal(err)
			}
			return uids
		}
		set(1, `\Seen`, true, 1, 8191, 8192, 100_000)
		set(1, `\Seen`, false, 8192, 9000)
		set(1, `\Flagged`, true, 3)
		set(2, `\Seen`, true, 2)
		if got := have(1, `\Seen`); !slices.Equal(got, []model.UID{1, 8191, 100_000}) {
			t.Error(got)
		}
		if got := have(2, `\Seen`); !slices.Equal(got, []model.UID{2}) {
			t.Error(got)
		}
		var wg sync.WaitGroup
		for w := range model.UID(4) {
			wg.Go(func() {
				for i := range model.UID(10) {
					if err := s.SetFlag(ctx, model.Mark{Account: 3, List: l.ID, Flag: "k"}, []model.UID{i*4 + w + 1}, true); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if got := have(3, "k"); len(got) != 40 {
			t.Error("flags were lost:", got)
		}
		for i := range 64 {
			set(4, fmt.Sprint("k", i), true, 1)
		}
		if err := s.SetFlag(ctx, model.Mark{Account: 4, List: l.ID, Flag: "one more"}, []model.UID{1}, true); !fault.Is(err, fault.TooMany) {
			t.Error(err)
		}
	})
}

func TestStreamsEndWhenTold(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		other := makeList(t, s, "other")
		for i := range 5 {
			savePost(t, s, newPost(l.ID, fmt.Sprintf("%d@x", i)))
			savePost(t, s, newPost(other.ID, fmt.Sprintf("%d@x", i)))
		}
		stop := errors.New("enough")
		var got []model.UID
		err := s.PostEnvelopes(ctx, l.ID, 2, 4, func(u model.UID, _ []byte) error {
			if got = append(got, u); u == 3 {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) || !slices.Equal(got, []model.UID{2, 3}) {
			t.Error(got, err)
		}
	})
}
