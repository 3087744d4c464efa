package posting_test

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/compose"
	"plenary/internal/list/notify"
	"plenary/internal/list/posting"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
	"plenary/internal/token"
)

// rig is the service on a real store, with letters that are only remembered.
type rig struct {
	*posting.Service
	t       *testing.T
	store   *store.Store
	list    *model.List
	keys    *token.Keyring
	now     time.Time
	letters []notify.Letter
	broken  bool // letters fail
}

func (r *rig) Send(_ context.Context, l notify.Letter) error {
	if r.broken {
		return fault.New(fault.Temporary, "the queue is away")
	}
	r.letters = append(r.letters, l)
	return nil
}

var ctx = context.Background()

func newRig(t *testing.T, s *store.Store) *rig {
	t.Helper()
	r := &rig{t: t, store: s, keys: token.New([]byte("secret")), now: time.Date(2026, 11, 23, 20, 21, 0, 0, time.UTC)}
	clock := func() time.Time { return r.now }
	s.Now = clock
	r.list = &model.List{Local: "talk", Domain: "example.org", Name: "Talk", NonsubscriberAction: model.Hold, HeldDays: 7}
	r.check(s.CreateList(ctx, r.list))
	for email, roles := range map[string]model.Role{"ann@example.net": model.RoleSubscriber, "bob@example.com": model.RoleSubscriber,
		"mod@example.net": model.RoleModerator, "own@example.net": model.RoleOwner | model.RoleSubscriber} {
		_, err := s.Subscribe(ctx, &model.Subscriber{ListID: r.list.ID, Email: email, EmailKey: email, Roles: roles})
		r.check(err)
	}
	r.Service = posting.New(posting.Deps{Store: s, Tokens: r.keys, Letters: r, BaseURL: "https://lists.example.org", Host: "lists.example.org", Now: clock})
	return r
}

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func mail(from, id, text string) []byte {
	return []byte("From: " + from + "\r\nTo: talk@example.org\r\nSubject: Opening hours\r\nDate: Mon, 23 Nov 2026 21:20:00 +0100\r\nMessage-ID: <" +
		id + ">\r\n\r\n" + text + "\r\n")
}

func (r *rig) offer(raw []byte, reversePath string) *posting.Offer {
	return &posting.Offer{Raw: raw, ReversePath: reversePath, Helo: "mx.example.net", Addr: netip.MustParseAddr("192.0.2.7"), Protocol: "ESMTP", At: r.now}
}

func (r *rig) settle(o *posting.Offer) posting.Result {
	r.t.Helper()
	j, err := r.Judge(ctx, r.list, o)
	r.check(err)
	res, err := r.Settle(ctx, j)
	r.check(err)
	return res
}

// sent lists the letters of a kind by recipient.
func (r *rig) sent(kind notify.Kind) (to []string) {
	for _, l := range r.letters {
		if l.Kind == kind {
			to = append(to, l.To.String())
		}
	}
	return to
}

func (r *rig) events(id string) (kinds string) {
	all, err := r.store.EventsOf(ctx, id, "")
	r.check(err)
	for _, e := range all {
		kinds += e.Kind + " "
	}
	return strings.TrimSpace(kinds)
}

func TestAcceptedPostIsArchivedAndQueued(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		raw := mail("ann@example.net", "1@example.net", "Saturdays?")
		res := r.settle(r.offer(raw, "ann@example.net"))
		if res.Action != model.Accept || res.PostID == 0 || res.Duplicate {
			t.Fatalf("%+v", res)
		}
		post, err := s.GetPost(ctx, res.PostID)
		r.check(err)
		stored, err := s.PostBytes(ctx, post)
		r.check(err)
		if !bytes.Equal(stored[post.OwnLen:], raw) {
			t.Error("the archive changed the received bytes")
		}
		h := message.ParseHeader(stored)
		if !strings.HasPrefix(h.Get("Received"), "from mx.example.net ([192.0.2.7]) by lists.example.org with ESMTP for <talk@example.org>") ||
			!strings.HasPrefix(h.Get("Archived-At"), "<https://lists.example.org/archive/talk@example.org/"+posting.Permalink("1@example.net")) {
			t.Errorf("%s", stored[:post.OwnLen])
		}
		ds, err := s.ActiveDistributions(ctx, model.LanePost, 0, 10)
		r.check(err)
		if len(ds) != 1 || ds[0].PostID != res.PostID || ds[0].Seq == 0 {
			t.Fatalf("%+v", ds)
		}
		if got := r.events("1@example.net"); got != "post.accepted" {
			t.Errorf("trace: %s", got)
		}
		r.copies(&ds[0], raw)

		// The same again: 250 and nothing more.
		again := r.settle(r.offer(raw, "ann@example.net"))
		if !again.Duplicate || again.Action != model.Accept {
			t.Errorf("%+v", again)
		}
		if ds, _ := s.ActiveDistributions(ctx, model.LanePost, 0, 10); len(ds) != 1 {
			t.Errorf("%d distributions", len(ds))
		}
		if len(r.letters) != 0 {
			t.Errorf("letters: %+v", r.letters)
		}
	})
}

// copies opens the distribution as the queue does.
func (r *rig) copies(d *model.Distribution, raw []byte) {
	r.t.Helper()
	c := &posting.Composer{Store: r.store, Tokens: r.keys}
	p, err := c.Open(ctx, d)
	r.check(err)
	bob := queue.Recipient{ID: 42, Address: "bob@example.com", Key: "bob@example.com"}
	l, again := p.Letter(bob), p.Letter(bob)
	text := bytes.Join(l.Segments, nil)
	if !bytes.Equal(text, bytes.Join(again.Segments, nil)) || l.ReversePath != again.ReversePath {
		r.t.Error("a repeat is not the same message")
	}
	if !bytes.HasSuffix(text, raw[bytes.Index(raw, []byte("Subject")):]) || bytes.Count(text, []byte("Received: ")) != 1 {
		r.t.Errorf("the copy:\n%s", text)
	}
	id, ok := strings.CutPrefix(strings.TrimSuffix(l.ReversePath, "@example.org"), "talk-bounces+")
	dist, rcpt, valid := r.keys.ParseVerp(id)
	if !ok || !valid || dist != d.ID || rcpt != 42 || l.Recipient != "bob@example.com" {
		r.t.Errorf("reverse-path %s, recipient %s", l.ReversePath, l.Recipient)
	}
	leave := message.ParseHeader(text).Get("List-Unsubscribe")
	one, _, _ := strings.Cut(strings.TrimPrefix(leave, "<https://lists.example.org/unsubscribe/"), ">")
	if list, sub, at, ok := r.keys.ParseOneClick(one); !ok || list != r.list.ID || sub != 42 || !at.Equal(r.now) {
		r.t.Errorf("List-Unsubscribe: %s", leave)
	}
	if why := p.(queue.Sparing).Spare(bob); why != "" {
		r.t.Errorf("Bob is left out: %s", why)
	}
	if why := p.(queue.Sparing).Spare(queue.Recipient{Key: "talk@example.org", Options: model.OptNoDuplicate}); why == "" {
		r.t.Error("who stands in To and wants no second copy gets one")
	}
}

func TestHeldPostIsToldToModeratorsAndAuthor(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		raw := mail("Eve <eve@example.com>", "2@example.com", "Hello")
		res := r.settle(r.offer(raw, "eve@example.com"))
		if res.Action != model.Hold || res.HeldID == 0 {
			t.Fatalf("%+v", res)
		}
		if got := strings.Join(r.sent(notify.HeldModerator), " "); len(r.sent(notify.HeldModerator)) != 2 ||
			!strings.Contains(got, "mod@example.net") || !strings.Contains(got, "own@example.net") {
			t.Errorf("moderators asked: %s", got)
		}
		if got := strings.Join(r.sent(notify.HeldAuthor), " "); got != "eve@example.com" {
			t.Errorf("author told: %s", got)
		}
		ask := r.letters[0]
		if len(ask.Data.Reasons) != 1 || !strings.Contains(ask.Data.Reasons[0], "not a subscriber") || !bytes.Equal(ask.Attach, raw) {
			t.Errorf("%+v", ask)
		}
		hash, ok := r.keys.Check(notify.ScopeHeld, ask.Token)
		if !ok {
			t.Fatal("the token is not ours")
		}
		h, err := s.FindHeldByToken(ctx, hash)
		r.check(err)
		if h == nil || h.ID != res.HeldID || h.Author != "Eve" || h.Reasons == "[]" || h.Trace == "[]" {
			t.Fatalf("%+v", h)
		}
		n := len(r.letters)
		if again := r.settle(r.offer(raw, "eve@example.com")); !again.Duplicate || again.HeldID != res.HeldID || len(r.letters) != n {
			t.Errorf("%+v, %d letters", again, len(r.letters)-n)
		}
		if got := r.events("2@example.com"); got != "post.held post.asked" {
			t.Errorf("trace: %s", got)
		}
		r.release(h, raw)
	})
}

func (r *rig) release(h *model.Held, raw []byte) {
	r.t.Helper()
	r.now = r.now.Add(48 * time.Hour)
	r.check(r.Release(ctx, h, "mod@example.net"))
	post, err := r.store.GetPost(ctx, model.MakePostID(r.list.ID, 1))
	r.check(err)
	stored, err := r.store.PostBytes(ctx, post)
	r.check(err)
	head := message.ParseHeader(stored)
	if !bytes.Equal(stored[post.OwnLen:], raw) || len(head.All("Received")) != 1 || !strings.Contains(head.Get("Received"), "mx.example.net") {
		r.t.Errorf("released as\n%s", stored)
	}
	if err := r.Release(ctx, h, "own@example.net"); !fault.Is(err, fault.Conflict) {
		r.t.Errorf("the second release: %v", err)
	}
	now, err := r.store.GetHeld(ctx, h.ID)
	r.check(err)
	if now.State != model.HeldReleased || now.DecidedBy != "mod@example.net" {
		r.t.Errorf("%+v", now)
	}
	if err := r.Release(ctx, now, "own@example.net"); !fault.Is(err, fault.Conflict) {
		r.t.Errorf("the third release: %v", err)
	}
	if got := r.events(h.MessageKey); got != "post.held post.asked post.released" {
		r.t.Errorf("trace: %s", got)
	}
}

// TestLettersLostInACrash: the row is there, the letters are not, and the client
// offers the message again.
func TestLettersLostInACrash(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	o := r.offer(mail("eve@example.com", "3@example.com", "Hello"), "eve@example.com")
	r.broken = true
	j, err := r.Judge(ctx, r.list, o)
	r.check(err)
	if _, err := r.Settle(ctx, j); !fault.Is(err, fault.Temporary) {
		t.Fatalf("%v", err)
	}
	r.broken = false
	res := r.settle(o)
	if !res.Duplicate || len(r.sent(notify.HeldModerator)) != 2 {
		t.Fatalf("%+v, %d letters", res, len(r.letters))
	}
	hash, _ := r.keys.Check(notify.ScopeHeld, r.letters[0].Token)
	if h, err := r.store.FindHeldByToken(ctx, hash); err != nil || h == nil || h.ID != res.HeldID {
		t.Errorf("the token in the letters finds %+v, %v", h, err)
	}
}

func TestRefusedAndDroppedLeaveATrace(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		r.list.MaxSize = 50
		res := r.settle(r.offer(mail("ann@example.net", "4@example.net", "Saturdays?"), "ann@example.net"))
		if res.Action != model.Reject || res.Kind != fault.TooLarge || !strings.Contains(res.Text, "too large") {
			t.Errorf("%+v", res)
		}
		r.list.MaxSize = 0
		vacation := append([]byte("Auto-Submitted: auto-replied\r\n"), mail("ann@example.net", "5@example.net", "Away")...)
		if res := r.settle(r.offer(vacation, "ann@example.net")); res.Action != model.Discard {
			t.Errorf("%+v", res)
		}
		if a, b := r.events("4@example.net"), r.events("5@example.net"); a != "post.rejected" || b != "post.discarded" {
			t.Errorf("traces: %s, %s", a, b)
		}
		if len(r.letters) != 0 {
			t.Errorf("%d letters", len(r.letters))
		}
	})
}

// TestNoNoteToMachinesOrStrangers: the author's note goes to nobody when a
// machine sent the post, and to the envelope when From may be forged.
func TestNoNoteToMachinesOrStrangers(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	for i, c := range []struct{ field, from, envelope, want string }{
		{"", "eve@example.com", "eve@example.com", "eve@example.com"},
		{"", "victim@example.net", "eve@example.com", "eve@example.com"},
		{"Precedence: bulk\r\n", "eve@example.com", "eve@example.com", ""},
		{"List-Id: <news.example.com>\r\n", "eve@example.com", "eve@example.com", ""},
		{"", "eve@example.com", "mailer-daemon@example.com", ""},
	} {
		r.letters = nil
		raw := append([]byte(c.field), mail(c.from, string(rune('a'+i))+"@example.com", "Hello")...)
		r.settle(r.offer(raw, c.envelope))
		if got := strings.Join(r.sent(notify.HeldAuthor), " "); got != c.want {
			t.Errorf("case %d: told %q, want %q", i, got, c.want)
		}
	}
}

func TestTrustNeedsTheAuthorsOwnAccount(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	r.list.Kind = model.Announcement
	for account, want := range map[string]model.Action{"": model.Hold, "eve@example.com": model.Hold, "Own@example.net": model.Accept} {
		o := r.offer(mail("own@example.net", "6"+account+"@x.example", "News"), "own@example.net")
		o.Account = account
		j, err := r.Judge(ctx, r.list, o)
		r.check(err)
		if j.Verdict.Action != want || j.Trusted() != (want == model.Accept) {
			t.Errorf("account %q: %s", account, j.Verdict.Action)
		}
	}
}

func TestDuplicateWordsAreHeld(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		text := "Does anybody open on Saturdays in July? We are thinking about it, and would like to hear."
		if res := r.settle(r.offer(mail("ann@example.net", "7@example.net", text), "ann@example.net")); res.Action != model.Accept {
			t.Fatalf("%+v", res)
		}
		r.now = r.now.Add(24 * time.Hour)
		if res := r.settle(r.offer(mail("ann@example.net", "8@example.net", text), "ann@example.net")); res.Action != model.Hold {
			t.Errorf("%+v", res)
		}
		if res := r.settle(r.offer(mail("bob@example.com", "9@example.net", text), "bob@example.com")); res.Action != model.Accept {
			t.Errorf("another author: %+v", res)
		}
		r.now = r.now.Add(30 * 24 * time.Hour)
		if res := r.settle(r.offer(mail("ann@example.net", "10@example.net", text), "ann@example.net")); res.Action != model.Accept {
			t.Errorf("a month later: %+v", res)
		}
	})
}

func TestMessageWithoutAName(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	raw := []byte("From: ann@example.net\r\nTo: talk@example.org\r\nSubject: Hours\r\n\r\nSaturdays?\r\n")
	first := r.settle(r.offer(raw, "ann@example.net"))
	r.now = r.now.Add(time.Minute)
	if again := r.settle(r.offer(raw, "ann@example.net")); !again.Duplicate || first.Duplicate {
		t.Errorf("the same bytes a minute later: %+v", again)
	}
	r.now = r.now.Add(72 * time.Hour)
	if later := r.settle(r.offer(raw, "ann@example.net")); later.Duplicate {
		t.Error("the same words three days later are taken for a repeat")
	}
}

func TestExplainChangesNothing(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		raw := bytes.ReplaceAll(mail("eve@example.com", "11@example.com", "Hello"), []byte("\r\n"), []byte("\n"))
		e, err := r.Explain(ctx, r.list, *r.offer(raw, ""), false)
		r.check(err)
		if e.Verdict.Action != model.Hold || e.Subscriber != nil || e.Recipients != 3 || e.Author != "eve@example.com" || len(e.Verdict.Trace) < 20 ||
			!bytes.Contains(e.Copy, []byte("List-Id: Talk <talk.example.org>\r\n")) {
			t.Errorf("%+v", e)
		}
		if h, _ := s.HeldOf(ctx, 0, model.HeldPending); len(h) != 0 || len(r.letters) != 0 || r.events("11@example.com") != "" {
			t.Error("the dry run left something behind")
		}
	})
}

func TestUnsaidRefusalBecomesAHold(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	r.list.NonsubscriberAction = model.Reject
	j, err := r.Judge(ctx, r.list, r.offer(mail("eve@example.com", "12@example.com", "Hello"), "eve@example.com"))
	r.check(err)
	if j.Verdict.Action != model.Reject {
		t.Fatalf("%s", j.Verdict.Action)
	}
	res, err := r.Settle(ctx, r.Unsaid(j))
	r.check(err)
	if res.Action != model.Hold || res.HeldID == 0 || j.Verdict.Action != model.Reject {
		t.Errorf("%+v", res)
	}
	if l := r.letters[len(r.letters)-1]; l.Kind != notify.HeldAuthor || !l.Data.Unsaid || l.Data.Alone {
		t.Errorf("%+v", l)
	}
	r.check(r.Refuse(ctx, j))
	if got := strings.Join(r.sent(notify.Refused), " "); got != "eve@example.com" {
		t.Errorf("told: %s", got)
	}
}

// TestNobodyToAsk: the author and the trace are told the truth when a list has no
// moderator, and a second copy of the post asks nobody again.
func TestNobodyToAsk(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	for _, email := range []string{"mod@example.net", "own@example.net"} {
		_, err := r.store.Unsubscribe(ctx, r.list.ID, email, "a test")
		r.check(err)
	}
	for range 2 {
		if res := r.settle(r.offer(mail("eve@example.com", "14@example.com", "Hello"), "eve@example.com")); res.Action != model.Hold {
			t.Fatalf("%+v", res)
		}
	}
	if len(r.letters) != 1 || r.letters[0].Kind != notify.HeldAuthor || !r.letters[0].Data.Alone {
		t.Errorf("%+v", r.letters)
	}
	if got := r.events("14@example.com"); got != "post.held post.unasked" {
		t.Error(got)
	}
}

// TestHostileBytes: what no database takes as text is still held and released.
func TestHostileBytes(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		raw := []byte(" folded into nothing\r\nFrom: \"\x00\xff\" <eve@example.com>\r\nSubject: \xff\xfe\x00 " + strings.Repeat("ü", 900) +
			"\r\nMessage-ID: <\x00\xff@example.com>\r\n\r\n\x00\xff\r\n")
		res := r.settle(r.offer(raw, "eve@example.com"))
		if res.Action != model.Hold {
			t.Fatalf("%+v", res)
		}
		h, err := s.GetHeld(ctx, res.HeldID)
		r.check(err)
		r.check(r.Release(ctx, h, "mod@example.net"))
		post, err := s.GetPost(ctx, model.MakePostID(r.list.ID, 1))
		r.check(err)
		stored, err := s.PostBytes(ctx, post)
		r.check(err)
		if !bytes.Equal(stored[post.OwnLen:], raw) {
			t.Errorf("%q", stored[post.OwnLen:])
		}
	})
}

func TestNothingIsAnsweredWithoutADatabase(t *testing.T) {
	s := stores.SQLite(t)
	r := newRig(t, s)
	r.check(s.Close())
	_, err := r.Judge(ctx, r.list, r.offer(mail("ann@example.net", "13@example.net", "x"), "ann@example.net"))
	var f *fault.Error
	if err == nil || !errors.As(err, &f) {
		t.Errorf("%v", err)
	}
}

// TestListIDIsTheSameInCopiesAndLetters: mail programs sort by it.
func TestListIDIsTheSameInCopiesAndLetters(t *testing.T) {
	l := &model.List{Local: "talk", Domain: "example.org", Name: "Talk", Description: "Über Schulbüchereien"}
	own := compose.Archived(l, []byte("From: ann@example.net\r\n\r\nText\r\n"), compose.ArchiveInfo{})
	s := stores.SQLite(t)
	letters, err := notify.New(notify.Deps{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	if err := letters.Send(ctx, notify.Letter{Kind: notify.Welcome, List: l, To: address.Address{Local: "ann", Domain: "example.net"}}); err != nil {
		t.Fatal(err)
	}
	ds, err := s.LeaseLetters(ctx, model.LaneReply, model.Chunk{Owner: "test", LeaseUntil: model.At(time.Now().Add(time.Hour))}, 10)
	if err != nil || len(ds) != 1 {
		t.Fatal(err, len(ds))
	}
	letter, err := s.Bytes(ctx, ds[0].BytesID)
	if err != nil {
		t.Fatal(err)
	}
	a, b := message.ParseHeader(own).Get("List-Id"), message.ParseHeader(letter).Get("List-Id")
	if a != b || a == "" {
		t.Errorf("%q in copies, %q in letters", a, b)
	}
}

// TestTheModeratorsAreNotSentABomb: of a post that is not opened they get the
// header.
func TestTheModeratorsAreNotSentABomb(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	deep := "From: eve@example.com\r\nTo: talk@example.org\r\nSubject: deep\r\nMessage-ID: <deep@x>\r\nMIME-Version: 1.0\r\n"
	for range 1000 {
		deep += "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	}
	for raw, want := range map[string]bool{deep: true, "From: eve@example.com\r\nTo: talk@example.org\r\nSubject: flat\r\nMessage-ID: <flat@x>\r\n\r\nHello all.\r\n": false} {
		r.letters = nil
		j, err := r.Judge(ctx, r.list, r.offer([]byte(raw), "eve@example.com"))
		r.check(err)
		_, err = r.Settle(ctx, j)
		r.check(err)
		asked := false
		for _, l := range r.letters {
			if l.Kind == notify.HeldModerator {
				asked = true
				if l.HeaderOnly != want {
					t.Errorf("header only: %v, want %v", l.HeaderOnly, want)
				}
			}
		}
		if !asked {
			t.Error("nobody was asked")
		}
	}
}
