package membership_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/membership"
	"plenary/internal/list/notify"
	"plenary/internal/list/settings"
	"plenary/internal/mail/address"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
	"plenary/internal/token"
)

// rig is the service on a real store, with letters that are only remembered.
type rig struct {
	*membership.Service
	t     *testing.T
	store *store.Store
	list  *model.List
	keys  *token.Keyring
	now   time.Time

	mu      sync.Mutex
	letters []notify.Letter
	broken  error // what comes of writing a letter
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

func (r *rig) Ask(ctx context.Context, l notify.Letter) (bool, error) {
	if l.Unsent {
		return false, nil
	}
	return false, r.Send(ctx, l)
}

func newRig(t *testing.T, s *store.Store) *rig {
	t.Helper()
	r := &rig{t: t, store: s, keys: token.New([]byte("secret")), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return r.now }
	s.Now = clock
	r.list = settings.New(model.Discussion, "talk", "lists.example.org")
	if err := s.CreateList(context.Background(), r.list); err != nil {
		t.Fatal(err)
	}
	r.Service = membership.New(membership.Deps{Store: s, Tokens: r.keys, Letters: r, Now: clock})
	return r
}

func addr(s string) address.Address {
	a, err := address.Parse(s)
	if err != nil {
		panic(err)
	}
	return a
}

func (r *rig) join(email string) error {
	_, err := r.RequestJoin(context.Background(), membership.JoinRequest{List: r.list, Email: addr(email), Name: "Ann Lee", Source: "mail"})
	return err
}

func (r *rig) leave(email string) error {
	_, err := r.RequestLeave(context.Background(), membership.LeaveRequest{List: r.list, Email: addr(email), Source: "mail"})
	return err
}

// last is the newest letter, which must be of this kind.
func (r *rig) last(kind notify.Kind) notify.Letter {
	r.t.Helper()
	if len(r.letters) == 0 || r.letters[len(r.letters)-1].Kind != kind {
		r.t.Fatalf("the last letter is not %s: %+v", kind, r.letters)
	}
	return r.letters[len(r.letters)-1]
}

func (r *rig) member(email string) *model.Subscriber {
	r.t.Helper()
	s, err := r.store.FindSubscriber(context.Background(), r.list.ID, addr(email).Key())
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) want(err error, kind fault.Kind) {
	r.t.Helper()
	if !fault.Is(err, kind) {
		r.t.Fatalf("got %v, want the kind %v", err, kind)
	}
}

func TestLifeOfASubscriber(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx, r := context.Background(), newRig(t, s)
		r.ok(r.join("Ann@example.net"))
		tok := r.last(notify.ConfirmJoin).Token
		if r.member("ann@example.net") != nil {
			t.Fatal("on the list before she answered")
		}
		done, err := r.Confirm(ctx, strings.ToUpper(tok))
		if err != nil || !done.Changed || done.Email.String() != "Ann@example.net" || done.List.ID != r.list.ID {
			t.Fatal(done, err)
		}
		r.last(notify.Welcome)
		ann := r.member("ann@example.net")
		if !ann.Has(model.RoleSubscriber) || ann.Name != "Ann Lee" || !strings.Contains(ann.Consent, "asked by mail on 2026-03-02 09:00") {
			t.Fatalf("%+v", ann)
		}
		_, err = r.Confirm(ctx, tok)
		r.want(err, fault.Conflict)

		// Asking again looks the same and changes nothing.
		r.ok(r.join("ann@example.net"))
		if l := r.last(notify.AlreadyOnList); l.Token != "" {
			t.Fatal("a letter to a member needs no token")
		}

		r.ok(r.leave("ann@example.net"))
		tok = r.last(notify.ConfirmLeave).Token
		done, err = r.Confirm(ctx, tok)
		if err != nil || !done.Changed || r.member("ann@example.net") != nil {
			t.Fatal(done, err)
		}
		r.last(notify.Goodbye)
		r.ok(r.leave("ann@example.net"))
		r.last(notify.NotOnList)

		trace, err := s.EventsOf(ctx, "", "ann@example.net")
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, e := range trace {
			kinds = append(kinds, strings.TrimPrefix(e.Kind, "member."))
		}
		if got := strings.Join(kinds, " "); got != "join-requested joined join-requested leave-requested left leave-requested" {
			t.Error(got)
		}
	})
}

func TestTokens(t *testing.T) {
	ctx, r := context.Background(), newRig(t, stores.SQLite(t))
	_, err := r.Confirm(ctx, "no token")
	r.want(err, fault.NotFound)
	stranger, _ := token.New([]byte("another")).Random(notify.ScopeJoin)
	_, err = r.Confirm(ctx, stranger)
	r.want(err, fault.NotFound)
	held, _ := r.keys.Random(notify.ScopeHeld)
	_, err = r.Confirm(ctx, held)
	r.want(err, fault.NotFound)
	unknown, _ := r.keys.Random(notify.ScopeJoin)
	_, err = r.Confirm(ctx, unknown)
	r.want(err, fault.NotFound)
	if r.Kind(unknown) != model.PendingJoin || r.Kind(held) != 0 || r.Kind("x") != 0 {
		t.Error("kinds of tokens")
	}

	r.ok(r.join("ann@example.net"))
	old := r.last(notify.ConfirmJoin).Token
	r.now = r.now.Add(73 * time.Hour)
	_, err = r.Confirm(ctx, old)
	r.want(err, fault.Expired)

	// Two letters, the first is answered.
	r.ok(r.join("bob@example.net"))
	first := r.last(notify.ConfirmJoin).Token
	r.ok(r.join("bob@example.net"))
	second := r.last(notify.ConfirmJoin).Token
	if done, err := r.Confirm(ctx, first); err != nil || !done.Changed {
		t.Fatal(done, err)
	}
	_, err = r.Confirm(ctx, second)
	r.want(err, fault.Conflict)

	r.ok(r.join("cy@example.net"))
	tok := r.last(notify.ConfirmJoin).Token
	if _, err := r.Decline(ctx, tok); err != nil {
		t.Fatal(err)
	}
	_, err = r.Confirm(ctx, tok)
	r.want(err, fault.Conflict)
	if r.member("cy@example.net") != nil {
		t.Error("joined after declining")
	}
}

func TestJoinPolicies(t *testing.T) {
	ctx, r := context.Background(), newRig(t, stores.SQLite(t))
	for _, set := range [][2]string{{"join-policy", "closed"}, {"closed", "yes"}} {
		r.list.JoinPolicy, r.list.Closed = model.JoinConfirm, false
		r.ok(settings.Set(r.list, set[0], set[1]))
		r.want(r.join("ann@example.net"), fault.Forbidden)
	}
	if len(r.letters) != 0 {
		t.Fatal("a letter went out")
	}
	r.list.Closed = false
	r.ok(settings.Set(r.list, "join-policy", "confirm+moderate"))
	r.ok(r.store.SaveList(ctx, r.list))
	for email, role := range map[string]model.Role{"mo@example.net": model.RoleModerator, "olga@example.net": model.RoleOwner} {
		_, err := r.Add(ctx, r.list, &model.Subscriber{Email: email, EmailKey: email, Roles: role}, "cli")
		r.ok(err)
	}
	for _, agree := range []bool{true, false} {
		email := map[bool]string{true: "ann@example.net", false: "bob@example.net"}[agree]
		r.letters = nil
		r.ok(r.join(email))
		done, err := r.Confirm(ctx, r.last(notify.ConfirmJoin).Token)
		if err != nil || !done.Waiting || done.Changed || r.member(email) != nil {
			t.Fatal(done, err)
		}
		if len(r.letters) != 4 || r.letters[1].Kind != notify.JoinApprove || r.letters[2].Kind != notify.JoinApprove ||
			r.letters[1].To == r.letters[2].To || r.letters[3].Kind != notify.JoinWaiting || r.letters[3].Token != "" {
			t.Fatalf("%+v", r.letters)
		}
		tok := r.letters[1].Token
		_, err = r.Confirm(ctx, tok)
		r.want(err, fault.NotFound) // the moderators' token is for moderators' words
		done, err = r.DecideJoin(ctx, tok, agree, "mo@example.net", "not yet")
		if err != nil || done.Changed != agree || r.member(email).Has(model.RoleSubscriber) != agree {
			t.Fatal(done, err)
		}
		if agree {
			r.last(notify.Welcome)
		} else if r.last(notify.JoinRefused).Data.Comment != "not yet" {
			t.Error("the reason is lost")
		}
		_, err = r.DecideJoin(ctx, tok, true, "olga@example.net", "")
		r.want(err, fault.Conflict)
	}
}

func TestBannedAddress(t *testing.T) {
	ctx, r := context.Background(), newRig(t, stores.SQLite(t))
	_, err := r.Join(ctx, membership.Entry{List: r.list, Email: addr("eve@spam.example"), By: "cli"})
	r.ok(err)
	r.letters = nil
	for _, pattern := range []string{"@spam.example", "*bot*@*.example", "ann@example.net"} {
		r.ok(r.store.SaveBan(ctx, &model.Ban{ListID: r.list.ID, Pattern: pattern}))
	}
	for _, email := range []string{"x@spam.example", "a-bot-1@mail.example", "Ann@example.net"} {
		r.ok(r.join(email))
	}
	if len(r.letters) != 0 {
		t.Fatalf("%+v", r.letters)
	}
	r.ok(r.join("ann2@example.net"))
	r.last(notify.ConfirmJoin)
	// Leaving works all the same.
	r.ok(r.leave("eve@spam.example"))
	if done, err := r.Confirm(ctx, r.last(notify.ConfirmLeave).Token); err != nil || !done.Changed {
		t.Fatal(done, err)
	}
}

// TestBannedMeanwhile: who was banned between asking and confirming stays out.
func TestBannedMeanwhile(t *testing.T) {
	ctx, r := context.Background(), newRig(t, stores.SQLite(t))
	r.ok(r.join("eve@spam.example"))
	tok := r.last(notify.ConfirmJoin).Token
	r.ok(r.store.SaveBan(ctx, &model.Ban{ListID: r.list.ID, Pattern: "@spam.example"}))
	_, err := r.Confirm(ctx, tok)
	r.want(err, fault.Forbidden)
	if r.member("eve@spam.example") != nil {
		t.Error("joined all the same")
	}
}

// TestListOnItself: a list's own addresses are read by programs, which would
// answer or refuse every post.
func TestListOnItself(t *testing.T) {
	ctx, r := context.Background(), newRig(t, stores.SQLite(t))
	for email, ok := range map[string]bool{"talk@lists.example.org": false, "Talk-Request@lists.example.org": false, "talk+join@lists.example.org": false,
		"talk-confirm+x@lists.example.org": false, "talk-owner@lists.example.org": true, "talk@lists.example.net": true, "talkative@lists.example.org": true,
		"talk-show@lists.example.org": true} {
		a := addr(email)
		_, err := r.Add(ctx, r.list, &model.Subscriber{Email: a.String(), EmailKey: a.Key()}, "cli")
		if (err == nil) != ok || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", email, err)
		}
		if _, err := r.Join(ctx, membership.Entry{List: r.list, Email: a, By: "cli"}); (err == nil) != ok {
			t.Errorf("%s: %v", email, err)
		}
	}
	fresh, err := r.AddAll(ctx, r.list, []model.Subscriber{{Email: "talk@lists.example.org", EmailKey: "talk@lists.example.org"},
		{Email: "ann@example.net", EmailKey: "ann@example.net"}}, "cli")
	if err != nil || fresh != 1 {
		t.Errorf("%d new, %v", fresh, err)
	}
}

func TestLeavingAlwaysWorks(t *testing.T) {
	ctx, r := context.Background(), newRig(t, stores.SQLite(t))
	_, err := r.Add(ctx, r.list, &model.Subscriber{Email: "p@example.net", EmailKey: "p@example.net", DeliveryStatus: model.DeliveryOffByBounces,
		Roles: model.RoleSubscriber | model.RoleOwner}, "cli")
	r.ok(err)
	r.list.Closed, r.list.JoinPolicy = true, model.JoinClosed
	r.ok(r.store.SaveList(ctx, r.list))
	r.ok(r.leave("p@example.net"))
	if _, err := r.Confirm(ctx, r.last(notify.ConfirmLeave).Token); err != nil {
		t.Fatal(err)
	}
	if p := r.member("p@example.net"); p.Has(model.RoleSubscriber) || !p.Has(model.RoleOwner) {
		t.Fatalf("an owner who leaves stays owner and receives nothing: %+v", p)
	}
	r.ok(r.Remove(ctx, r.list, addr("p@example.net"), "cli"))
	r.want(r.Remove(ctx, r.list, addr("p@example.net"), "cli"), fault.NotFound)
}

func TestOneClick(t *testing.T) {
	ctx, r := context.Background(), newRig(t, stores.SQLite(t))
	_, err := r.Join(ctx, membership.Entry{List: r.list, Email: addr("ann@example.net"), By: "cli"})
	r.ok(err)
	sub := r.member("ann@example.net")
	tok := r.keys.OneClick(r.list.ID, sub.ID, r.now)
	if l, err := r.OneClickList(ctx, tok); err != nil || l.ID != r.list.ID || r.member("ann@example.net") == nil {
		t.Fatal("asking must change nothing", l, err)
	}
	letters := len(r.letters)
	r.ok(r.OneClick(ctx, tok))
	r.ok(r.OneClick(ctx, tok)) // again is fine
	if r.member("ann@example.net") != nil || len(r.letters) != letters {
		t.Fatal("still there, or a letter was sent")
	}
	// She came back, and uses the link of an old post.
	_, err = r.Join(ctx, membership.Entry{List: r.list, Email: addr("ann@example.net"), By: "cli"})
	r.ok(err)
	r.ok(r.OneClick(ctx, tok))
	if r.member("ann@example.net") != nil {
		t.Fatal("still there")
	}
	r.want(r.OneClick(ctx, "wrong"), fault.NotFound)
	r.want(r.OneClick(ctx, r.keys.OneClick(99, sub.ID, r.now)), fault.NotFound)
	r.ok(r.OneClick(ctx, r.keys.OneClick(r.list.ID, 9999, r.now)))
	r.now = r.now.Add(401 * 24 * time.Hour)
	r.want(r.OneClick(ctx, tok), fault.Expired)
	other := settings.New(model.Discussion, "other", "lists.example.org")
	r.ok(r.store.CreateList(ctx, other))
	r.want(r.OneClick(ctx, r.keys.OneClick(other.ID, sub.ID, r.now)), fault.NotFound)
}

func TestConfirmAtOnceTwice(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	r.ok(r.join("ann@example.net"))
	tok := r.last(notify.ConfirmJoin).Token
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, err := r.Confirm(context.Background(), tok); err != nil && !fault.Is(err, fault.Conflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	welcomes := 0
	for _, l := range r.letters {
		if l.Kind == notify.Welcome {
			welcomes++
		}
	}
	if welcomes != 1 {
		t.Errorf("%d welcome letters", welcomes)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		key, value, want string
		kind             fault.Kind
	}{
		{"delivery", "OFF", "off-by-moderator", 0}, {"delivery", "off-by-bounces", "off-by-bounces", 0}, {"delivery", "maybe", "", fault.Invalid}, {"moderation", "hold", "hold", 0}, {"moderation", "default", "default", 0},
		{"moderation", "x", "", fault.Invalid}, {"roles", "owner, moderator", "moderator,owner", 0}, {"roles", "", "", fault.Invalid}, {"roles", "king", "", fault.Invalid},
		{"Name", "Ann\r\nLee <x>", "Ann Lee x", 0}, {"colour", "red", "", fault.NotFound},
	} {
		s := &model.Subscriber{Roles: model.RoleSubscriber, Moderation: model.Reject}
		err := membership.SetOption(s, model.Pair{Key: c.key, Value: c.value}, "cli")
		if c.kind != 0 {
			if !fault.Is(err, c.kind) {
				t.Errorf("%s=%s: %v", c.key, c.value, err)
			}
			continue
		}
		for _, o := range membership.Options() {
			if strings.EqualFold(o.Key, c.key) && (o.Get(s) != c.want || err != nil || o.Doc == "") {
				t.Errorf("%s=%s gives %q, %v", c.key, c.value, o.Get(s), err)
			}
		}
	}
}

// Nobody joins, leaves or is refused without the letter that says so: when it
// cannot be written nothing has happened, and the same answer does all of it
// later.
func TestNothingHappensWithoutItsLetter(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx, r := context.Background(), newRig(t, s)
		lost := fault.New(fault.Temporary, "the letter was lost")
		events := func() string {
			t.Helper()
			all, err := s.EventsOf(ctx, "", "ann@example.net")
			r.ok(err)
			var kinds []string
			for _, e := range all {
				kinds = append(kinds, e.Kind)
			}
			return strings.Join(kinds, " ")
		}
		twice := func(what string, do func() error, on bool) {
			t.Helper()
			before, trace := len(r.letters), events()
			r.broken = lost
			r.want(do(), fault.Temporary)
			if r.broken = nil; events() != trace || (r.member("ann@example.net") != nil) == on {
				t.Fatalf("%s: something is left: %s", what, events())
			}
			r.ok(do())
			if len(r.letters) == before || (r.member("ann@example.net") != nil) != on {
				t.Fatalf("%s: %d letters", what, len(r.letters)-before)
			}
			r.want(do(), fault.Conflict)
		}
		confirm := func(kind notify.Kind) func() error {
			tok := r.last(kind).Token
			return func() error { _, err := r.Confirm(ctx, tok); return err }
		}
		r.ok(r.join("ann@example.net"))
		twice("join", confirm(notify.ConfirmJoin), true)
		r.last(notify.Welcome)
		r.ok(r.leave("ann@example.net"))
		twice("leave", confirm(notify.ConfirmLeave), false)
		r.last(notify.Goodbye)

		_, err := r.Add(ctx, r.list, &model.Subscriber{Email: "mo@example.net", EmailKey: "mo@example.net", Roles: model.RoleModerator}, "cli")
		r.ok(err)
		r.ok(settings.Set(r.list, "join-policy", "confirm+moderate"))
		r.ok(s.SaveList(ctx, r.list))
		r.ok(r.join("ann@example.net"))
		r.ok(confirm(notify.ConfirmJoin)())
		tok := r.letters[len(r.letters)-2].Token
		r.broken = lost
		_, err = r.DecideJoin(ctx, tok, false, "mo@example.net", "")
		r.want(err, fault.Temporary)
		r.broken = nil
		twice("the moderator agrees", func() error { _, err := r.DecideJoin(ctx, tok, true, "mo@example.net", ""); return err }, true)
		r.last(notify.Welcome)
	})
}
