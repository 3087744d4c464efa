package store_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// saved is what became of a post.
type saved struct {
	post *model.NewPost
	id   model.PostID
	dup  bool
	err  error
}

// standing waits until so many posts of the list stand in its line.
func standing(t *testing.T, s *store.Store, list int64, n int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); s.Standing(list) != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d posts stand in the line, not %d", s.Standing(list), n)
		}
	}
}

// inGroup stores the posts, all but the first of them as one group: they come, in
// this order, while the first one waits for a writer that takes its time. On
// SQLite the first is in the group as well.
func inGroup(t *testing.T, s *store.Store, list int64, posts ...*model.NewPost) []saved {
	t.Helper()
	release := s.HoldList(context.Background(), list)
	out := make([]saved, len(posts))
	var wg sync.WaitGroup
	for i, p := range posts {
		wg.Go(func() {
			id, dup, err := s.SavePost(context.Background(), p)
			out[i] = saved{p, id, dup, err}
		})
		n := i + 1
		if s.Dialect() == store.Postgres {
			n = i
		}
		standing(t, s, list, n)
		if i == 0 && s.Dialect() == store.Postgres { // its transaction has begun
			waitsForLock(t, s)
		}
	}
	release()
	wg.Wait()
	return out
}

// waitsForLock waits until a statement waits for a lock.
func waitsForLock(t *testing.T, s *store.Store) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		n, err := s.TestCount(context.Background(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
		if err != nil || time.Now().After(deadline) {
			t.Fatal("nobody waits", err)
		}
		if n > 0 {
			return
		}
	}
}

// commits counts the commits in the log of an SQLite file (the WAL's frames that
// say how large the file is), and on PostgreSQL the transactions that left posts.
func commits(t *testing.T, s *store.Store) int64 {
	t.Helper()
	if s.Dialect() == store.Postgres {
		n, err := s.TestCount(context.Background(), "SELECT count(DISTINCT xmin::text) FROM posts")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	log, err := os.ReadFile(s.Path() + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	const head, frameHead = 32, 24
	page := int(binary.BigEndian.Uint32(log[8:]))
	n := int64(0)
	for at := head; at+frameHead+page <= len(log); at += frameHead + page {
		if string(log[at+8:at+16]) == string(log[16:24]) && binary.BigEndian.Uint32(log[at+4:]) != 0 {
			n++
		}
	}
	return n
}

// TestPostsThatWaitAreWrittenTogether: one commit for all, and everything as if
// they had come one by one.
func TestPostsThatWaitAreWrittenTogether(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l, other := makeList(t, s, "talk"), makeList(t, s, "other")
		first := savePost(t, s, newPost(l.ID, "0@x"))
		before := commits(t, s)
		posts := []*model.NewPost{newPost(l.ID, "1@x"), newPost(l.ID, "2@x", "1@x"), newPost(l.ID, "3@x", "0@x"), newPost(l.ID, "0@x"),
			newPost(l.ID, "2@x"), newPost(l.ID, "4@x", "ghost@x"), newPost(l.ID, "5@x", "ghost@x")}
		if s.Dialect() == store.SQLite { // on PostgreSQL lists do not wait for each other
			posts = append(posts, newPost(other.ID, "1@x"))
		}
		for _, p := range posts {
			p.Distribution = &model.Distribution{Kind: model.DistributePost, Options: "{}"}
			p.Event = &model.Event{ListID: p.ListID, Kind: "post.accepted", MessageKey: "k"}
		}
		all := inGroup(t, s, l.ID, posts...)
		id := func(uid model.UID) model.PostID { return model.MakePostID(l.ID, uid) }
		for i, want := range []struct {
			id, thread model.PostID
			dup        bool
		}{{id(2), id(2), false}, {id(3), id(2), false}, {id(4), first, false}, {first, 0, true}, {id(3), 0, true},
			{id(5), id(5), false}, {id(6), id(5), false}, {model.MakePostID(other.ID, 1), model.MakePostID(other.ID, 1), false}} {
			if i == len(all) {
				break
			}
			got := all[i]
			if got.err != nil || got.id != want.id || got.dup != want.dup {
				t.Errorf("post %d: %d %v %v, not %d %v", i, got.id, got.dup, got.err, want.id, want.dup)
				continue
			}
			if want.dup {
				continue
			}
			p, err := s.GetPost(ctx, got.id)
			if err != nil || p.ThreadID != want.thread {
				t.Fatalf("post %d: %+v %v, not in thread %d", i, p, err, want.thread)
			}
			if data, err := s.PostBytes(ctx, p); err != nil || string(data) != string(posts[i].Bytes) {
				t.Errorf("post %d: %q %v", i, data, err)
			}
			if posts[i].Distribution.PostID != got.id || posts[i].Distribution.ID == 0 {
				t.Errorf("post %d: %+v", i, posts[i].Distribution)
			}
		}
		fresh, want := int64(5), int64(2) // the first one, and the others
		if s.Dialect() == store.SQLite {
			fresh, want = 6, 1
		}
		for what, want := range map[string]int64{"events": fresh, "distributions": fresh, "post_envelopes": fresh + 1, "post_columns": fresh + 1} {
			if n, err := s.CountRows(ctx, what); n != want || err != nil {
				t.Errorf("%s: %d, not %d, %v", what, n, want, err)
			}
		}
		found := 0
		match := model.Match{Steps: []model.MatchStep{{Op: model.MatchWords, Words: []string{"body"}, Columns: model.InAll}}}
		if err := s.MatchPosts(ctx, l.ID, match, func(model.UID) bool { found++; return true }); err != nil || found != 6 {
			t.Error("found:", found, err)
		}
		if n := commits(t, s) - before; n != want {
			t.Errorf("%d commits, not %d", n, want)
		}
	})
}

// TestPostOfAGroupFailsAlone: the others are stored, without a gap.
func TestPostOfAGroupFailsAlone(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		h := &model.Held{ListID: l.ID, MessageKey: "h", Reasons: "[]", Trace: "[]", TokenHash: []byte("h")}
		if _, err := s.SaveHeld(ctx, h, []byte("raw"), nil); err != nil {
			t.Fatal(err)
		}
		twice := []*model.NewPost{newPost(l.ID, "h1@x"), newPost(l.ID, "h2@x")}
		for _, p := range twice {
			p.HeldID, p.DecidedBy = h.ID, "mod@example.org"
		}
		bad := newPost(l.ID, "bad@x")
		bad.HeldID = 4711 // there is no such held post
		posts := []*model.NewPost{newPost(l.ID, "0@x"), newPost(l.ID, "1@x"), bad, twice[0], twice[1], newPost(l.ID, "2@x")}
		if s.Dialect() == store.SQLite { // on PostgreSQL a list has a line of its own
			posts = append(posts, newPost(99, "3@x"))
		}
		all := inGroup(t, s, l.ID, posts...)
		good := 0
		for i, got := range all {
			switch i {
			case 0, 1, 5:
				if got.err != nil || got.dup {
					t.Errorf("post %d: %v %v", i, got.dup, got.err)
				}
				good++
			case 2:
				if !fault.Is(got.err, fault.Conflict) {
					t.Error("the bad one:", got.err)
				}
			case 6:
				if !fault.Is(got.err, fault.NotFound) {
					t.Error("the list that is not there:", got.err)
				}
			}
		}
		if a, b := all[3].err, all[4].err; (a == nil) == (b == nil) || a != nil && !fault.Is(a, fault.Conflict) || b != nil && !fault.Is(b, fault.Conflict) {
			t.Error("a held post is released once:", a, b)
		}
		if next, err := s.NextUID(ctx, l.ID); int(next) != good+2 || err != nil {
			t.Error("UIDs:", next, err)
		}
		if n, err := s.CountPosts(ctx, l.ID); n != int64(good+1) || err != nil {
			t.Error(n, err)
		}
	})
}

// TestWhoGivesUpLeavesTheLine: the first of the line and one behind it end while
// they wait; the others are written.
func TestWhoGivesUpLeavesTheLine(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		l := makeList(t, s, "talk")
		release := s.HoldList(context.Background(), l.ID)
		const posts = 6
		errs := make([]error, posts)
		var wg sync.WaitGroup
		var gaveUp sync.WaitGroup
		ctx, giveUp := context.WithCancel(context.Background())
		for i := range posts {
			impatient := i == 0 || i == 3
			with := context.Background()
			if impatient {
				with = ctx
				gaveUp.Add(1)
			}
			wg.Go(func() {
				if impatient {
					defer gaveUp.Done()
				}
				_, _, errs[i] = s.SavePost(with, newPost(l.ID, fmt.Sprintf("%d@x", i)))
			})
			n := i + 1
			if s.Dialect() == store.Postgres {
				n = i
			}
			standing(t, s, l.ID, n)
			if i == 0 && s.Dialect() == store.Postgres {
				waitsForLock(t, s)
			}
		}
		giveUp()
		gaveUp.Wait()
		release()
		wg.Wait()
		for i, err := range errs {
			if impatient := i == 0 || i == 3; impatient != fault.Is(err, fault.Temporary) || !impatient && err != nil {
				t.Errorf("post %d: %v", i, err)
			}
		}
		if n, err := s.CountPosts(context.Background(), l.ID); n != posts-2 || err != nil {
			t.Error(n, err)
		}
		if next, err := s.NextUID(context.Background(), l.ID); next != posts-1 || err != nil {
			t.Error("UIDs:", next, err)
		}
		if s.Standing(l.ID) != 0 {
			t.Error("somebody is left standing")
		}
	})
}

// TestLinesOfPostgres: posts of one list are written together, also two with the same
// body; who waits in another line is not waited for.
func TestLinesOfPostgres(t *testing.T) {
	s := stores.Postgres(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s.Patience(time.Minute)
	ended := make(chan error, 2)
	save := func(p *model.NewPost, done func()) {
		_, _, err := s.SavePost(ctx, p)
		done()
		ended <- err
	}
	both := func(one, other *model.NewPost) {
		t.Helper()
		first, second := s.ExpectPost(), s.ExpectPost()
		go save(one, first)
		go save(other, second)
		for range 2 {
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		}
	}
	l, other := makeList(t, s, "talk"), makeList(t, s, "other")
	one, two := newPost(l.ID, "1@x"), newPost(l.ID, "2@x")
	one.BodyKey, two.BodyKey = []byte("body"), []byte("body")
	both(one, two)
	if n, err := s.TestCount(ctx, "SELECT count(DISTINCT CAST(xmin AS text)) FROM posts"); err != nil || n != 1 {
		t.Errorf("%d transactions for two, %v", n, err)
	}
	both(newPost(l.ID, "3@x"), newPost(other.ID, "4@x"))
}

// TestPostsWaitForWhatIsExpected: who could write waits for posts that are being
// judged, as long as they may come, and no longer.
func TestPostsWaitForWhatIsExpected(t *testing.T) {
	s := stores.SQLite(t)
	l := makeList(t, s, "talk")
	savePost(t, s, newPost(l.ID, "0@x"))
	before := commits(t, s)
	s.Patience(time.Minute)
	ended := make(chan error, 3)
	save := func(p *model.NewPost, done func()) {
		_, _, err := s.SavePost(t.Context(), p)
		done()
		ended <- err
	}
	first, second, refused := s.ExpectPost(), s.ExpectPost(), s.ExpectPost()
	go save(newPost(l.ID, "1@x"), first)
	standing(t, s, l.ID, 1)
	go save(newPost(l.ID, "2@x"), second)
	standing(t, s, l.ID, 2) // both wait for the third
	if n := commits(t, s); n != before {
		t.Errorf("%d commits while a third was expected", n-before)
	}
	refused()
	for range 2 {
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	if n := commits(t, s) - before; n != 1 {
		t.Errorf("%d commits for two", n)
	}
	// One for several lists does not wait for itself.
	done := s.ExpectPost()
	for _, l := range []*model.List{l, makeList(t, s, "other")} {
		if _, _, err := s.SavePost(t.Context(), newPost(l.ID, "3@x")); err != nil {
			t.Fatal(err)
		}
	}
	done()
}
