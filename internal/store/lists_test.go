package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

func makeList(t *testing.T, s *store.Store, local string) *model.List {
	t.Helper()
	l := &model.List{Local: local, Domain: "lists.example.org", Name: "Talk", Advertised: true, HoldSize: 2 << 20,
		SubscriberAction: model.Accept, NonsubscriberAction: model.Hold}
	if err := s.CreateList(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	return l
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Fatalf("got error %v, want the kind %v", err, kind)
	}
}

func TestListLife(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		s.Now = func() time.Time { return time.Unix(1_700_000_000, 0) }
		l := makeList(t, s, "talk")
		if l.ID == 0 || l.Version != 1 || l.UIDValidity != 1_700_000_000 {
			t.Fatalf("%+v", l)
		}
		wantKind(t, s.CreateList(ctx, &model.List{Local: "talk", Domain: "lists.example.org"}), fault.Conflict)
		got, err := s.FindList(ctx, "talk", "lists.example.org")
		if err != nil || cmp.Diff(l, got) != "" {
			t.Fatal(err, cmp.Diff(l, got))
		}
		if none, err := s.FindList(ctx, "none", "lists.example.org"); none != nil || err != nil {
			t.Fatal(none, err)
		}
		_, err = s.GetList(ctx, 99)
		wantKind(t, err, fault.NotFound)

		got.Closed, got.Advertised, got.Footer, got.UIDValidity = true, false, "-- \ntalk", 5
		if err := s.SaveList(ctx, got); err != nil || got.Version != 2 {
			t.Fatal(err, got.Version)
		}
		wantKind(t, s.SaveList(ctx, l), fault.Conflict) // still version 1
		again, err := s.GetList(ctx, l.ID)
		if err != nil || again.UIDValidity != 1_700_000_000 || !again.Closed || again.Advertised || again.Footer != got.Footer {
			t.Fatalf("%v %+v", err, again)
		}
		wantKind(t, s.SaveList(ctx, &model.List{ID: 99}), fault.NotFound)

		makeList(t, s, "news")
		all, err := s.Lists(ctx)
		if err != nil || len(all) != 2 || all[0].Local != "news" {
			t.Fatal(all, err)
		}
		domains, err := s.Domains(ctx)
		if err != nil || len(domains) != 1 || domains[0] != "lists.example.org" {
			t.Fatal(domains, err)
		}
	})
}

// everything puts a row of each kind on a list, the index included.
func everything(t *testing.T, s *store.Store, l *model.List) {
	t.Helper()
	ctx := context.Background()
	exec := func(sql string, args ...any) {
		t.Helper()
		if err := s.TestExec(ctx, sql, args...); err != nil {
			t.Fatal(sql, err)
		}
	}
	var ids [4]int64
	for i := range ids {
		id, err := s.TestBytes(ctx, fmt.Appendf(nil, "message %d", i))
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = id
	}
	post := model.MakePostID(l.ID, 1)
	exec("INSERT INTO posts VALUES (?,1,1,0,1,1,0,?,?,0,'','','',?)", post, post, ids[0], []byte{})
	exec("INSERT INTO post_envelopes VALUES (?,?)", post, []byte{1})
	exec("INSERT INTO post_headers VALUES (?,?)", post, []byte{1})
	exec("INSERT INTO post_keys VALUES (?,1,?,?,1)", l.ID, []byte{1}, post)
	exec("INSERT INTO post_flags VALUES (1,?,'seen',0,?)", l.ID, []byte{1})
	exec("INSERT INTO thread_nodes (list_id,key,post_id,parent_key,thread_id,message_id) VALUES (?,7,?,0,?,'a@b')", l.ID, post, post)
	if s.Dialect() == store.SQLite {
		exec("INSERT INTO post_fts_0 (rowid, subject) VALUES (?, 'word')", post)
	} else {
		exec("INSERT INTO post_fts_0 VALUES (?,'sword')", post)
	}
	exec("INSERT INTO fts_ranges VALUES (?, 1, 0)", l.ID)
	exec("INSERT INTO helds (list_id,message_key,reverse_path,author,author_key,subject,size,bytes_id,reasons,trace,token_hash,state,created_at,expires_at,decided_at,decided_by,comment) VALUES (?,'m','','','','',1,?,'','',?,0,1,1,0,'','')",
		l.ID, ids[1], fmt.Appendf(nil, "%d", l.ID))
	exec("INSERT INTO bounces (list_id,distribution_id,recipient_id,bytes_id,received_at) VALUES (?,1,1,?,1)", l.ID, ids[2])
	exec("INSERT INTO distributions (id,list_id,kind,lane,state,post_id,bytes_id,reverse_path,recipient,options,seq,cursor,created_at,done_at) VALUES (?,?,2,0,0,0,?,'','','',0,0,1,0)",
		l.ID*10, l.ID, ids[3])
	exec("INSERT INTO chunks VALUES (?,1,2,'n',1,0)", l.ID*10)
	exec("INSERT INTO delivery_packs (distribution_id,first_id,copies,data) VALUES (?,1,1,?)", l.ID*10, []byte{1, 0})
	exec("INSERT INTO deliveries VALUES (?,1,1,1,250,'',1,0,0)", l.ID*10)
	exec("INSERT INTO imports VALUES (?,'f',1,1,1)", l.ID)
	for _, err := range []error{
		func() error { _, err := s.Subscribe(ctx, person(l, "ann@example.net")); return err }(),
		s.SavePending(ctx, &model.Pending{Kind: model.PendingJoin, ListID: l.ID, EmailKey: "b@example.net", TokenHash: fmt.Appendf(nil, "t%d", l.ID)}),
		s.SaveBan(ctx, &model.Ban{ListID: l.ID, Pattern: "@spam.example"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRemoveListLeavesTheOther(t *testing.T) {
	tables := []string{"lists", "list_counters", "subscribers", "bans", "pendings", "message_bytes", "posts", "post_envelopes",
		"post_headers", "post_keys", "thread_nodes", "post_fts_0", "fts_ranges", "post_flags", "helds", "distributions", "chunks", "deliveries", "delivery_packs",
		"bounces", "imports"}
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		keep, gone := makeList(t, s, "keep"), makeList(t, s, "gone")
		everything(t, s, keep)
		everything(t, s, gone)
		if err := s.RemoveList(ctx, gone.ID, &model.Event{ListID: gone.ID, Kind: "list.removed", EmailKey: gone.Address()}); err != nil {
			t.Fatal(err)
		}
		if left, err := s.EventsOf(ctx, "", gone.Address()); err != nil || len(left) != 1 || left[0].ListID != gone.ID {
			t.Errorf("the trace of a list that is gone: %v, %v", left, err)
		}
		for _, table := range tables {
			want := int64(1)
			if table == "message_bytes" {
				want = 4
			}
			if n, err := s.TestCount(ctx, "SELECT count(*) FROM "+table); err != nil || n != want {
				t.Errorf("%s holds %d rows, want %d (%v)", table, n, want, err)
			}
		}
		wantKind(t, s.RemoveList(ctx, gone.ID), fault.NotFound)
	})
}

// TestListsMark: the mark tells each state of the lists from the one before.
func TestListsMark(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		seen := map[model.ListsMark]string{}
		look := func(what string) {
			t.Helper()
			m, _, err := s.ListsMark(ctx, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if before, ok := seen[m]; ok {
				t.Fatalf("%s: the mark %+v is the same as with %s", what, m, before)
			}
			seen[m] = what
			if again, none, err := s.ListsMark(ctx, []string{"x@example.org"}, nil); err != nil || again != m || none != nil {
				t.Fatal(again, none, err)
			}
		}
		look("none")
		a := makeList(t, s, "a")
		look("one")
		b := makeList(t, s, "b")
		look("two")
		a.Footer = "changed"
		if err := s.SaveList(ctx, a); err != nil {
			t.Fatal(err)
		}
		look("one changed")
		if err := s.RemoveList(ctx, b.ID); err != nil {
			t.Fatal(err)
		}
		look("one removed")
		makeList(t, s, "b")
		look("one made again")
	})
}

func TestListsMarkSaysWhoseMember(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		a, b, c := makeList(t, s, "a"), makeList(t, s, "b"), makeList(t, s, "c")
		for _, sub := range []model.Subscriber{
			{ListID: b.ID, EmailKey: "x@example.org", Roles: model.RoleSubscriber}, {ListID: a.ID, EmailKey: "x@example.org", Roles: model.RoleOwner},
			{ListID: a.ID, EmailKey: "y@example.org", Roles: model.RoleSubscriber}, {ListID: c.ID, EmailKey: "y@example.org", Roles: model.RoleSubscriber},
		} {
			sub.Email = sub.EmailKey
			if _, err := s.Subscribe(ctx, &sub); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Unsubscribe(ctx, c.ID, "y@example.org", "left"); err != nil {
			t.Fatal(err)
		}
		for _, w := range []struct {
			keys []string
			want []int64
		}{{nil, nil}, {[]string{"x@example.org"}, []int64{a.ID, b.ID}}, {[]string{"x@example.org", "y@example.org"}, []int64{a.ID, b.ID}}, {[]string{"z@example.org"}, nil}} {
			if _, got, err := s.ListsMark(ctx, w.keys, nil); err != nil || cmp.Diff(w.want, got) != "" {
				t.Error(w.keys, got, err)
			}
		}
	})
}

// TestListChangedByAnotherProcess: what a post is judged by is what the database
// has, at once.
func TestListChangedByAnotherProcess(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		find := func() *model.List {
			t.Helper()
			l, err := s.FindList(ctx, "talk", "lists.example.org")
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		find().Emergency = true // the caller's own copy
		if find().Emergency {
			t.Error("a caller changed the list of another")
		}
		other, err := store.Open(ctx, s.DSN(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		for i := range 3 {
			l.Description = fmt.Sprint("description ", i)
			if err := other.SaveList(ctx, l); err != nil {
				t.Fatal(err)
			}
			if got := find(); got.Description != l.Description || got.Version != l.Version {
				t.Errorf("%q, version %d, not %q, version %d", got.Description, got.Version, l.Description, l.Version)
			}
		}
		if err := other.RemoveList(ctx, l.ID); err != nil {
			t.Fatal(err)
		}
		if find() != nil {
			t.Error("it is gone")
		}
		again := makeList(t, other, "talk")
		if got := find(); got == nil || got.ID != again.ID || got.Description != "" {
			t.Errorf("%+v", got)
		}
	})
}
