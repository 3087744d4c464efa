package moderation_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/moderation"
	"plenary/internal/list/notify"
	"plenary/internal/list/settings"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
	"plenary/internal/token"
)

// rig is the service on a real store; releasing only settles the row.
type rig struct {
	*moderation.Service
	t        *testing.T
	store    *store.Store
	list     *model.List
	keys     *token.Keyring
	now      time.Time
	mu       sync.Mutex
	letters  []notify.Letter
	broken   error // what comes of writing a letter
	released []int64
}

func (r *rig) Send(_ context.Context, l notify.Letter) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return r.broken
	}
	r.letters = append(r.letters, l)
	return nil
}

func (r *rig) Release(ctx context.Context, h *model.Held, by string) error {
	won, err := r.store.DecideHeld(ctx, h.ID, model.HeldReleased, by, "")
	if err == nil && !won {
		return fault.New(fault.Conflict, "decided already")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.released = append(r.released, h.ID)
	return err
}

func newRig(t *testing.T, s *store.Store) *rig {
	t.Helper()
	ctx := context.Background()
	r := &rig{t: t, store: s, keys: token.New([]byte("secret")), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return r.now }
	s.Now = clock
	r.list = settings.New(model.Discussion, "talk", "lists.example.org")
	if err := s.CreateList(ctx, r.list); err != nil {
		t.Fatal(err)
	}
	for email, role := range map[string]model.Role{"mo@example.net": model.RoleModerator, "olga@example.net": model.RoleOwner, "sub@example.net": model.RoleSubscriber} {
		if _, err := s.Subscribe(ctx, &model.Subscriber{ListID: r.list.ID, Email: email, EmailKey: email, Roles: role}); err != nil {
			t.Fatal(err)
		}
	}
	r.Service = moderation.New(moderation.Deps{Store: s, Posting: r, Letters: r, Tokens: r.keys, Now: clock})
	return r
}

const post = "From: Zoe <zoe@example.com>\r\nTo: talk@lists.example.org\r\nSubject: Posters\r\nMessage-ID: <p1@example.com>\r\n\r\nHello\r\n"

// hold keeps a post and gives its number and token.
func (r *rig) hold(raw, reversePath string) (int64, string) {
	r.t.Helper()
	tok, hash := r.keys.Random(notify.ScopeHeld)
	h := &model.Held{ListID: r.list.ID, MessageKey: fmt.Sprintf("m%x", hash[:4]), ReversePath: reversePath, Author: "Zoe <zoe@example.com>",
		AuthorKey: "zoe@example.com", Subject: "Posters", Size: int64(len(raw)), TokenHash: hash, ExpiresAt: model.At(r.now.Add(7 * 24 * time.Hour))}
	if _, err := r.store.SaveHeld(context.Background(), h, []byte(raw), nil); err != nil {
		r.t.Fatal(err)
	}
	return h.ID, tok
}

func (r *rig) kinds() string {
	var out []string
	for _, l := range r.letters {
		out = append(out, string(l.Kind)+">"+l.To.String())
	}
	r.letters = nil
	return strings.Join(out, " ")
}

func TestDecide(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx, r := context.Background(), newRig(t, s)
		for _, c := range []struct {
			action  model.Action
			letters string
			state   model.HeldState
			second  string
		}{
			{model.Accept, "released>zoe@example.com decided>olga@example.net", model.HeldReleased, "released already, by mo@example.net"},
			{model.Reject, "rejected>zoe@example.com decided>olga@example.net", model.HeldRejected, "refused already"},
			{model.Discard, "decided>olga@example.net", model.HeldDiscarded, "discarded already"},
		} {
			id, tok := r.hold(post, "zoe@example.com")
			if h, l, err := r.Find(ctx, strings.ToUpper(tok)); err != nil || h.ID != id || l.ID != r.list.ID {
				t.Fatal(h, err)
			}
			d := moderation.Decision{HeldID: id, Action: c.action, Comment: "Please use a link.\x00", By: "mo@example.net"}
			if err := r.Decide(ctx, d); err != nil {
				t.Fatal(err)
			}
			first := r.letters[0]
			if c.action == model.Reject && (first.Data.Comment != "Please use a link." || string(first.Attach) != post || first.InReplyTo != "p1@example.com") {
				t.Errorf("%+v", first)
			}
			if got := r.kinds(); got != c.letters {
				t.Errorf("%v: %s", c.action, got)
			}
			if h, err := s.GetHeld(ctx, id); err != nil || h.State != c.state || h.DecidedBy != "mo@example.net" {
				t.Error(h, err)
			}
			d.Action, d.By = model.Accept, "olga@example.net"
			if err := r.Decide(ctx, d); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Text(err), c.second) {
				t.Error(err)
			}
			if len(r.letters) != 0 {
				t.Error("the second decision wrote letters")
			}
		}
		if len(r.released) != 1 {
			t.Error(r.released)
		}
		if left, err := r.Pending(ctx, r.list); err != nil || len(left) != 0 {
			t.Error(left, err)
		}
	})
}

func TestManyModeratorsAtOnce(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	id, _ := r.hold(post, "zoe@example.com")
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 9 {
		wg.Go(func() {
			action := []model.Action{model.Accept, model.Reject, model.Discard}[i%3]
			err := r.Decide(context.Background(), moderation.Decision{HeldID: id, Action: action, By: fmt.Sprintf("m%d@example.net", i)})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case !fault.Is(err, fault.Conflict):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d decisions won", won)
	}
}

func TestMachinesAreNotTold(t *testing.T) {
	ctx, r := context.Background(), newRig(t, stores.SQLite(t))
	for _, c := range [][2]string{{post, ""}, {"Auto-Submitted: auto-replied\r\n" + post, "zoe@example.com"}} {
		id, _ := r.hold(c[0], c[1])
		if err := r.Decide(ctx, moderation.Decision{HeldID: id, Action: model.Reject, By: "cli"}); err != nil {
			t.Fatal(err)
		}
		if got := r.kinds(); got != "decided>mo@example.net decided>olga@example.net" && got != "decided>olga@example.net decided>mo@example.net" {
			t.Error(got)
		}
	}
}

// TestWhoIsTold: a forged From brings nobody a letter, and where the letter goes
// does not depend on who is on the list.
func TestWhoIsTold(t *testing.T) {
	ctx, r := context.Background(), newRig(t, stores.SQLite(t))
	tell := func(reversePath string) string {
		id, _ := r.hold(post, reversePath)
		if err := r.Decide(ctx, moderation.Decision{HeldID: id, Action: model.Reject, By: "cli"}); err != nil {
			t.Fatal(err)
		}
		to := r.letters[0].To.String()
		r.letters = nil
		return to
	}
	if got := tell("bulk@mailer.example"); got != "bulk@mailer.example" {
		t.Error(got)
	}
	if _, err := r.store.Subscribe(ctx, &model.Subscriber{ListID: r.list.ID, Email: "Zoe@example.com", EmailKey: "zoe@example.com", Roles: model.RoleSubscriber}); err != nil {
		t.Fatal(err)
	}
	if got := tell("bounces+7@mailer.example"); got != "bounces+7@mailer.example" {
		t.Error(got)
	}
	if got := tell("zoe@example.com"); got != "zoe@example.com" {
		t.Error(got)
	}
}

func TestExpire(t *testing.T) {
	ctx, r := context.Background(), newRig(t, stores.SQLite(t))
	id, _ := r.hold(post, "zoe@example.com")
	if err := r.Expire(ctx); err != nil || len(r.letters) != 0 {
		t.Fatal(err, r.letters)
	}
	r.now = r.now.Add(8 * 24 * time.Hour)
	for range 2 {
		if err := r.Expire(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.kinds(); got != "expired>zoe@example.com" {
		t.Fatal(got)
	}
	err := r.Decide(ctx, moderation.Decision{HeldID: id, Action: model.Accept, By: "mo@example.net"})
	if !fault.Is(err, fault.Expired) {
		t.Fatal(err)
	}
	trace, err := r.store.EventsOf(ctx, "", "zoe@example.com")
	if err != nil || len(trace) != 1 || trace[0].Kind != "post.expired" {
		t.Fatal(trace, err)
	}
}

func TestWrongDecisions(t *testing.T) {
	ctx, r := context.Background(), newRig(t, stores.SQLite(t))
	id, _ := r.hold(post, "zoe@example.com")
	for _, c := range []struct {
		d    moderation.Decision
		kind fault.Kind
	}{
		{moderation.Decision{HeldID: 99, Action: model.Accept}, fault.NotFound},
		{moderation.Decision{HeldID: id, Action: model.Hold}, fault.Invalid},
		{moderation.Decision{HeldID: id}, fault.Invalid},
	} {
		if err := r.Decide(ctx, c.d); !fault.Is(err, c.kind) {
			t.Error(err)
		}
	}
	join, _ := r.keys.Random(notify.ScopeJoin)
	unknown, _ := r.keys.Random(notify.ScopeHeld)
	for _, tok := range []string{"", "x", join, unknown} {
		if _, _, err := r.Find(ctx, tok); !fault.Is(err, fault.NotFound) {
			t.Error(tok, err)
		}
	}
	if r.IsToken(join) || !r.IsToken(unknown) {
		t.Error("IsToken")
	}
}

// A post is not refused when the letter cannot be written that gives it back.
func TestARefusalIsNotLost(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx, r := context.Background(), newRig(t, s)
		id, _ := r.hold(post, "zoe@example.com")
		d := moderation.Decision{HeldID: id, Action: model.Reject, By: "mo@example.net"}
		r.broken = fault.New(fault.Temporary, "the letter was lost")
		if err := r.Decide(ctx, d); !fault.Is(err, fault.Temporary) {
			t.Fatal(err)
		}
		if h, err := s.GetHeld(ctx, id); err != nil || h.State != model.HeldPending {
			t.Fatalf("%+v %v", h, err)
		}
		r.broken = nil
		if err := r.Decide(ctx, d); err != nil {
			t.Fatal(err)
		}
		if got := r.kinds(); !strings.Contains(got, string(notify.Rejected)+">zoe@example.com") {
			t.Error(got)
		}
	})
}
