package imapd

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// questioned counts the questions to the database that opening a mailbox may take.
type questioned struct {
	*store.Store
	n atomic.Int32
}

func (a *questioned) ListsMark(ctx context.Context, keys []string, g *model.Glance) (model.ListsMark, []int64, error) {
	a.n.Add(1)
	return a.Store.ListsMark(ctx, keys, g)
}

func (a *questioned) Lists(ctx context.Context) ([]model.List, error) {
	a.n.Add(1)
	return a.Store.Lists(ctx)
}

func (a *questioned) GetList(ctx context.Context, id int64) (*model.List, error) {
	a.n.Add(1)
	return a.Store.GetList(ctx, id)
}

func (a *questioned) SubscriptionsOf(ctx context.Context, keys []string) ([]model.Subscriber, error) {
	a.n.Add(1)
	return a.Store.SubscriptionsOf(ctx, keys)
}

func (a *questioned) LastFlagChange(ctx context.Context, account, list int64) (model.FlagChange, model.UID, error) {
	a.n.Add(1)
	return a.Store.LastFlagChange(ctx, account, list)
}

func (a *questioned) NextUID(ctx context.Context, list int64) (model.UID, error) {
	a.n.Add(1)
	return a.Store.NextUID(ctx, list)
}

func (a *questioned) PostPlaces(ctx context.Context, list int64, from, to model.UID, yield func(*model.Post) error) error {
	a.n.Add(1)
	return a.Store.PostPlaces(ctx, list, from, to, yield)
}

// TestAKnownMailboxTakesOneQuestion: on PostgreSQL each is a way there and back.
func TestAKnownMailboxTakesOneQuestion(t *testing.T) {
	a := &questioned{Store: stores.SQLite(t)}
	l := &model.List{Local: "talk", Domain: "lists.example.org"}
	if err := a.CreateList(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Subscribe(context.Background(), &model.Subscriber{ListID: l.ID, Email: "alice@example.org", EmailKey: "alice@example.org", Roles: model.RoleSubscriber}); err != nil {
		t.Fatal(err)
	}
	_, addr := serve(t, newMemory(), func(o *Options, tm *times) {
		o.Archive, o.Changes = Over(archive.NewReader(a)), a
		tm.access = time.Minute
	})
	c := loggedIn(t, addr, "alice@example.org")
	for _, command := range []string{"SELECT Lists/talk", "STATUS Lists/talk (MESSAGES UIDNEXT UNSEEN)"} {
		c.want(command, "OK")
		least := int32(99) // who follows the list may ask in between
		for range 10 {
			before := a.n.Load()
			c.want(command, "OK")
			least = min(least, a.n.Load()-before)
		}
		if least != 1 {
			t.Errorf("%s took %d questions", command, least)
		}
	}
}

// TestAKnownNameMayMeanAnother: what a name meant before is only where to look first:
// what is opened is what it means now, and nothing when it is not hers any more.
func TestAKnownNameMayMeanAnother(t *testing.T) {
	s := stores.SQLite(t)
	ctx := context.Background()
	list := func(posts int) *model.List {
		l := &model.List{Local: "talk", Domain: "lists.example.org"}
		if err := s.CreateList(ctx, l); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Subscribe(ctx, &model.Subscriber{ListID: l.ID, Email: "alice@example.org", EmailKey: "alice@example.org", Roles: model.RoleSubscriber}); err != nil {
			t.Fatal(err)
		}
		for i := range posts {
			raw := fmt.Appendf(nil, "Message-ID: <%d.%d@x>\r\nSubject: %d\r\n\r\nHello\r\n", l.ID, i, i)
			if _, _, err := s.SavePost(ctx, archive.Make(l, raw, nil, model.At(noon), true)); err != nil {
				t.Fatal(err)
			}
		}
		return l
	}
	first := list(2)
	_, addr := serve(t, newMemory(), func(o *Options, tm *times) {
		o.Archive, o.Changes = Over(archive.NewReader(s)), s
		tm.access = time.Minute
	})
	c := loggedIn(t, addr, "alice@example.org")
	has := func(command, what string) {
		t.Helper()
		if said := strings.Join(c.want(command, "OK"), "\n"); !strings.Contains(said, what) {
			t.Fatalf("%s: %s", command, said)
		}
	}
	for range 2 {
		has("SELECT Lists/talk", "* 2 EXISTS")
		has("STATUS Lists/talk (MESSAGES)", "(MESSAGES 2)")
	}
	if err := s.RemoveList(ctx, first.ID); err != nil {
		t.Fatal(err)
	}
	c.want("STATUS Lists/talk (MESSAGES)", "NO [NONEXISTENT]")
	c.want("SELECT Lists/talk", "NO [NONEXISTENT]")
	second := list(3)
	for range 2 {
		has("SELECT Lists/talk", "* 3 EXISTS")
		has("STATUS Lists/talk (MESSAGES)", "(MESSAGES 3)")
	}
	if _, err := s.Unsubscribe(ctx, second.ID, "alice@example.org", "left"); err != nil {
		t.Fatal(err)
	}
	c.want("SELECT Lists/talk", "NO [NONEXISTENT]")
}
