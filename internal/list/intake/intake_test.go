package intake_test

import (
	"bytes"
	"context"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/bounce"
	"plenary/internal/list/command"
	"plenary/internal/list/intake"
	"plenary/internal/list/notify"
	"plenary/internal/list/posting"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
	"plenary/internal/token"
)

var ctx = context.Background()

// rig is a desk with real lists, posts and bounces; commands and letters are only
// remembered.
type rig struct {
	*intake.Desk
	t        *testing.T
	store    *store.Store
	keys     *token.Keyring
	lists    map[string]*model.List
	mails    []command.Mail
	letters  []notify.Letter
	away     string // the list whose judgement fails
	posts    *posting.Service
	outcomes map[string]int
}

func (r *rig) Handle(_ context.Context, m command.Mail) error {
	r.mails = append(r.mails, m)
	return nil
}

func (r *rig) Send(_ context.Context, l notify.Letter) error {
	r.letters = append(r.letters, l)
	return nil
}

// Judge fails for the list that is away.
func (r *rig) Judge(ctx context.Context, l *model.List, o *posting.Offer) (*posting.Judged, error) {
	if l.Local == r.away {
		return nil, fault.New(fault.Temporary, "the database is away")
	}
	return r.posts.Judge(ctx, l, o)
}

func (r *rig) Settle(ctx context.Context, j *posting.Judged) (posting.Result, error) {
	return r.posts.Settle(ctx, j)
}
func (r *rig) Unsaid(j *posting.Judged) *posting.Judged { return r.posts.Unsaid(j) }
func (r *rig) Refuse(ctx context.Context, j *posting.Judged) error {
	return r.posts.Refuse(ctx, j)
}

func newRig(t *testing.T, s *store.Store) *rig {
	t.Helper()
	r := &rig{t: t, store: s, keys: token.New([]byte("secret")), lists: map[string]*model.List{}, outcomes: map[string]int{}}
	for _, a := range []string{"talk@example.org", "talk-owner-club@example.org", "club-owner@example.org", "club@example.org",
		"strict@example.org", "hard@example.org", "old@example.org", "läsning@xn--bcher-kva.example"} {
		local, domain, _ := strings.Cut(a, "@")
		l := &model.List{Local: local, Domain: domain, Name: local, NonsubscriberAction: model.Hold}
		switch local {
		case "strict", "hard":
			l.NonsubscriberAction = model.Reject
		case "talk":
			l.NonsubscriberAction = model.Accept
		case "old":
			l.Closed = true
		}
		r.check(s.CreateList(ctx, l))
		r.lists[local] = l
	}
	r.join("talk", "own@example.net", model.RoleOwner)
	r.join("talk", "mod@example.net", model.RoleModerator)
	r.join("strict", "own@example.net", model.RoleOwner)
	now := func() time.Time { return time.Date(2026, 11, 23, 20, 21, 0, 0, time.UTC) }
	r.posts = posting.New(posting.Deps{Store: s, Tokens: r.keys, Letters: r, Now: now})
	r.Desk = intake.New(intake.Deps{Store: s, Posting: r, Commands: r, Tokens: r.keys, Hostname: "MX.example.org", Now: now,
		Bounces: bounce.New(bounce.Deps{Store: s, Tokens: r.keys}), Owners: &intake.Owners{Store: s, Now: now, Hostname: "mx.example.org"},
		Count: func(o string) { r.outcomes[o]++ }})
	return r
}

func (r *rig) join(list, email string, role model.Role) {
	r.t.Helper()
	_, err := r.store.Subscribe(ctx, &model.Subscriber{ListID: r.lists[list].ID, Email: email, EmailKey: email, Roles: role})
	r.check(err)
}

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

const text = "From: Eve <eve@example.com>\r\nTo: talk@example.org\r\nSubject: Hours\r\nDate: Mon, 23 Nov 2026 21:20:00 +0100\r\nMessage-ID: <ID>\r\n\r\nSaturdays?\r\n"

func message(id string) []byte { return []byte(strings.Replace(text, "<ID>", "<"+id+">", 1)) }

// receive offers a message; the result is one word a recipient.
func (r *rig) receive(in intake.Incoming) string {
	r.t.Helper()
	if in.ReversePath == "" {
		in.ReversePath = "eve@example.com"
	}
	in.Peer.Addr = netip.MustParseAddr("192.0.2.7")
	out := r.Receive(ctx, in)
	if len(out) != len(in.Recipients) {
		r.t.Fatalf("%d outcomes for %d recipients", len(out), len(in.Recipients))
	}
	var words []string
	for i, o := range out {
		if o.Recipient != in.Recipients[i] {
			r.t.Errorf("outcome %d is for %s", i, o.Recipient)
		}
		if o.Accepted {
			words = append(words, "ok")
			continue
		}
		if o.Text == "" {
			r.t.Errorf("%s is refused without a word", o.Recipient)
		}
		words = append(words, o.Kind.String())
	}
	return strings.Join(words, " ")
}

func (r *rig) held() int {
	r.t.Helper()
	h, err := r.store.HeldOf(ctx, 0, model.HeldPending)
	r.check(err)
	return len(h)
}

func TestRecipients(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	verp := r.keys.Verp(3, 4)
	tok, _ := r.keys.Random(notify.ScopeJoin)
	for recipient, want := range map[string]string{
		"talk@example.org": "", "TALK@Example.ORG": "", "club-owner@example.org": "",
		"läsning@bücher.example": "", "LÄSNING@xn--bcher-kva.example": "", "läsning-request@bücher.example": "",
		"xn--lsning-bua@xn--bcher-kva.example": "", "XN--LSNING-BUA-leave@xn--bcher-kva.example": "", "xn--lsning-bua@example.org": "not-found",
		"xn--lsning-bua-bounces+" + verp + "@bücher.example": "",
		"talk-request@example.org":                           "", "talk+request@example.org": "", "talk-join@example.org": "", "talk-subscribe@example.org": "",
		"talk+subscribe@example.org": "", "talk-subscribe-request@example.org": "", "talk-leave@example.org": "", "talk-unsubscribe@example.org": "",
		"talk-signoff@example.org": "", "talk-signoff-request@example.org": "", "talk+unsubscribe@example.org": "", "talk-help@example.org": "",
		"talk-on@example.org": "", "talk-off@example.org": "", "talk+subscribe-digest@example.org": "", "talk-digest-subscribe@example.org": "",
		"talk-subscribe-nomail@example.org": "", "talk-subscribe-ann=example.net@example.org": "", "talk+unsubscribe-ann=example.net@example.org": "",
		"talk-subscribe-ann@example.org": "not-found", "talk-subscribe-ann=@example.org": "not-found", "talk-subscribe-ann=host@example.org": "not-found", "talk-query@example.org": "", "talk-info@example.org": "",
		"talk-sc." + tok + "@example.org": "", "talk-uc." + tok + "@example.org": "", "talk-sc.x@example.org": "not-found",
		"talk+release-" + tok + "@example.org": "", "talk+reject-" + tok + "@example.org": "", "talk+release-x@example.org": "not-found",
		"talk-owner@example.org": "", "owner-talk@example.org": "", "talk+owner@example.org": "", "talk-admin@example.org": "",
		"talk-moderators@example.org": "", "talk-editor@example.org": "",
		"talk-confirm+" + tok + "@example.org": "", "talk-confirm+" + strings.ToUpper(tok) + "@example.org": "", "talk+confsub-" + tok + "@example.org": "",
		"talk-confirm+wrong@example.org": "not-found", "talk-confirm@example.org": "",
		"talk-bounces+" + verp + "@example.org": "", "talk+bounces-" + verp + "@example.org": "", "bounces+" + strings.ToUpper(verp) + "@example.org": "",
		"talk-bounces+" + verp + "x@example.org": "not-found", "bounces+1@example.org": "not-found", "talk-bounces@example.org": "",
		"listserv@example.org": "", "LISTSERV@xn--bcher-kva.example": "", "sympa@example.org": "", "majordomo@example.org": "", "mailman@example.org": "",
		"lists@example.org": "", "listserver@example.org": "", "listserv-request@example.org": "",
		"postmaster@example.org": "", "Postmaster@mx.example.org": "", "abuse@example.org": "", "owner-listserv@example.org": "",
		"nobody@example.org": "not-found", "talk-xyz@example.org": "not-found", "talk+xyz@example.org": "not-found", "-owner@example.org": "not-found",
		"tälk@bücher.example": "not-found", "nolist-request@example.org": "not-found", "talk@example.com": "forbidden", "listserv@example.com": "forbidden",
		"old@example.org": "forbidden", "old-leave@example.org": "", "club-help@example.org": "", "club-owner-owner@example.org": "not-found",
		"not an address": "not-found", "@": "not-found", "": "not-found", strings.Repeat("x", 500) + "@example.org": "not-found",
	} {
		err := r.Accepts(ctx, recipient)
		got := ""
		if err != nil {
			got = fault.KindOf(err).String()
			if text := fault.Text(err); !strings.HasSuffix(text, ".") {
				t.Errorf("%s: %q is no sentence", recipient, text)
			} else if strings.HasPrefix(recipient, "tälk@") && !strings.Contains(text, recipient) {
				t.Errorf("%s is not named: %s", recipient, text)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", recipient, got, want)
		}
	}
}

func TestCommandsKnowWhereTheyCameIn(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	tok, _ := r.keys.Random(notify.ScopeHeld)
	for i, c := range []struct {
		recipient string
		entry     command.Entry
		list      string
		token     string
	}{
		{"talk-request@example.org", command.AtRequest, "talk", ""},
		{"talk-JOIN@example.org", command.AtJoin, "talk", ""},
		{"club+unsubscribe@example.org", command.AtLeave, "club", ""},
		{"talk-confirm+" + tok + "@example.org", command.AtConfirm, "talk", tok},
		{"talk-confirm@example.org", command.AtRequest, "talk", ""},
		{"talk-help@example.org", command.AtHelp, "talk", ""},
		{"listserv@example.org", command.AtServer, "", ""},
		{"talk-sc." + tok + "@example.org", command.AtConfirm, "talk", tok},
		{"talk+off@example.org", command.AtLeave, "talk", ""},
	} {
		in := intake.Incoming{Raw: message("c@x"), Recipients: []string{c.recipient}}
		in.Peer.Account = []string{"", "EVE@example.com"}[i%2]
		if got := r.receive(in); got != "ok" {
			t.Fatalf("%s: %s", c.recipient, got)
		}
		m := r.mails[len(r.mails)-1]
		list := ""
		if m.List != nil {
			list = m.List.Local
		}
		if m.Entry != c.entry || list != c.list || m.Token != c.token || m.Domain != "example.org" || m.From.String() != "eve@example.com" ||
			m.Authenticated != (i%2 == 1) || m.Source != "mail from 192.0.2.7" {
			t.Errorf("%s: %+v", c.recipient, m)
		}
	}
}

func TestSeveralListsInOneTransaction(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		both := []string{"talk@example.org", "strict@example.org"}
		// LMTP: each its own.
		if got := r.receive(intake.Incoming{Raw: message("1@x"), Recipients: both, PerRecipient: true}); got != "ok forbidden" {
			t.Errorf("LMTP: %s", got)
		}
		// SMTP: one takes it, so the other's refusal becomes a hold.
		if got := r.receive(intake.Incoming{Raw: message("2@x"), Recipients: both}); got != "ok ok" || r.held() != 1 {
			t.Errorf("SMTP: %s, %d held", got, r.held())
		}
		// An author who proved who she is gets a letter instead.
		in := intake.Incoming{Raw: message("3@x"), Recipients: both}
		in.Peer.Account = "eve@example.com"
		r.letters = nil
		if got := r.receive(in); got != "ok ok" || r.held() != 1 || len(r.letters) != 1 || r.letters[0].Kind != notify.Refused {
			t.Errorf("authenticated: %s, %d held, %+v", got, r.held(), r.letters)
		}
		// All refuse: the first says why.
		out := r.Receive(ctx, intake.Incoming{Raw: message("4@x"), ReversePath: "eve@example.com", Recipients: []string{"strict@example.org", "hard@example.org"}})
		if out[0].Accepted || out[1].Accepted || !strings.Contains(out[0].Text, "strict@example.org") || r.held() != 1 {
			t.Errorf("%+v, %d held", out, r.held())
		}
		// A command is an acceptance like any other.
		if got := r.receive(intake.Incoming{Raw: message("5@x"), Recipients: []string{"talk-request@example.org", "strict@example.org"}}); got != "ok ok" || r.held() != 2 {
			t.Errorf("with a command: %s, %d held", got, r.held())
		}
	})
}

// TestOneListIsAway: the client comes again with everything; who took the post
// takes it once, and nothing was decided about the others.
func TestOneListIsAway(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	r.away = "club"
	in := intake.Incoming{Raw: message("1@x"), Recipients: []string{"talk@example.org", "strict@example.org", "club@example.org"}}
	if got := r.receive(in); got != "ok temporary temporary" || r.held() != 0 {
		t.Fatalf("%s, %d held", got, r.held())
	}
	r.away = ""
	if got := r.receive(in); got != "ok ok ok" || r.held() != 2 {
		t.Fatalf("again: %s, %d held", got, r.held())
	}
	if n, err := r.store.CountPosts(ctx, r.lists["talk"].ID); err != nil || n != 1 {
		t.Errorf("%d posts, %v", n, err)
	}
	if r.outcomes["duplicate"] != 1 || r.outcomes["held"] != 2 || r.outcomes["deferred"] != 2 {
		t.Errorf("%v", r.outcomes)
	}
}

func TestTheSameListTwiceIsServedOnce(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	got := r.receive(intake.Incoming{Raw: message("1@x"), PerRecipient: true,
		Recipients: []string{"talk@example.org", "TALK@example.org", "talk-request@example.org", "talk+request@example.org", "hard@example.org", "Hard@example.org"}})
	if got != "ok ok ok ok forbidden forbidden" || len(r.mails) != 1 || r.outcomes["accepted"] != 1 {
		t.Errorf("%s, %d mails, %v", got, len(r.mails), r.outcomes)
	}
}

// TestPeopleAreToldWhereSomebodyReads: a return address that names no delivery takes reports.
func TestPeopleAreToldWhereSomebodyReads(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	for _, to := range []string{"talk-bounces@example.org", "bounces@example.org"} {
		for from, want := range map[string]bool{"": true, "eve@example.com": false} {
			out := r.Receive(ctx, intake.Incoming{ReversePath: from, Raw: message("1@x"), Recipients: []string{to}})[0]
			if out.Accepted != want || !want && (out.Kind != fault.NotFound || !strings.Contains(out.Text, "please write to")) {
				t.Errorf("%s from <%s>: %+v", to, from, out)
			}
		}
	}
}

func TestBouncesAreStoredAndAnsweredByNothing(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		raw := []byte("From: MAILER-DAEMON@example.com\r\nSubject: Undelivered\r\n\r\nuser unknown\r\n")
		out := r.Receive(ctx, intake.Incoming{Raw: raw, Recipients: []string{"talk-bounces+" + r.keys.Verp(7, 9) + "@example.org"}})
		if !out[0].Accepted {
			t.Fatalf("%+v", out)
		}
		b, err := s.BouncesOf(ctx, 7, 9)
		if err != nil || len(b) != 1 || b[0].ListID != r.lists["talk"].ID {
			t.Fatalf("%+v, %v", b, err)
		}
		if ds, _ := s.ActiveDistributions(ctx, model.LaneNotice, 0, 10); len(ds) != 0 || len(r.letters) != 0 {
			t.Error("something was answered")
		}
	})
}

// letters of the notice lane, by recipient.
func (r *rig) notices() (to []string, data []byte) {
	r.t.Helper()
	ds, err := r.store.LeaseLetters(ctx, model.LaneNotice, model.Chunk{Owner: "test", LeaseUntil: model.At(time.Now().Add(time.Hour))}, 100)
	r.check(err)
	for _, d := range ds {
		if d.ReversePath != "" {
			r.t.Errorf("the reverse-path is %s", d.ReversePath)
		}
		to = append(to, d.Recipient)
		data, err = r.store.Bytes(ctx, d.BytesID)
		r.check(err)
	}
	return to, data
}

func TestMailForPeople(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		for i, c := range []struct {
			recipient string
			want      []string
		}{
			{"talk-owner@example.org", []string{"own@example.net"}},
			{"talk-moderators@example.org", []string{"mod@example.net"}},
			{"postmaster@example.org", []string{"own@example.net"}},
			{"abuse@mx.example.org", []string{"own@example.net"}},
		} {
			plain := message(string(rune('a'+i)) + "@x")
			raw := append([]byte("Authentication-Results: mx.example.org; dmarc=pass\r\n"), plain...) // forged
			for range 2 {                                                                             // a client that repeats itself changes nothing
				if got := r.receive(intake.Incoming{Raw: raw, Recipients: []string{c.recipient}}); got != "ok" {
					t.Fatalf("%s: %s", c.recipient, got)
				}
			}
			to, data := r.notices()
			if !reflect.DeepEqual(to, c.want) || !bytes.HasSuffix(data, plain) || bytes.Contains(data, []byte("dmarc=pass")) {
				t.Errorf("%s went to %v:\n%s", c.recipient, to, data)
			}
			if i > 0 {
				continue
			}
			// It comes back: stopped by our mark, however it is addressed.
			if got := r.receive(intake.Incoming{Raw: bytes.Replace(data, []byte("<a@x>"), []byte("<b@x>"), 1), Recipients: []string{"Talk-Owner@example.org"}}); got != "forbidden" {
				t.Errorf("a loop: %s", got)
			}
		}
		if err := r.Accepts(ctx, "club-owner-owner@example.org"); !fault.Is(err, fault.NotFound) {
			t.Errorf("an address nobody reads: %v", err)
		}
		o := &intake.Owners{Store: s, Postmaster: "root@example.net, Root@example.net,ops@example.net"}
		r.check(o.Forward(ctx, r.lists["club"], message("z@x")))
		if to, _ := r.notices(); !reflect.DeepEqual(to, []string{"root@example.net", "ops@example.net"}) {
			t.Errorf("the mail of a list without owners went to %v", to)
		}
	})
}

func TestADatabaseThatIsAway(t *testing.T) {
	s := stores.SQLite(t)
	r := newRig(t, s)
	r.check(s.Close())
	out := r.Receive(ctx, intake.Incoming{Raw: message("1@x"), ReversePath: "eve@example.com", Recipients: []string{"talk@example.org", "talk-owner@example.org"}})
	for _, o := range out {
		if o.Accepted || o.Kind != fault.Temporary && o.Kind != fault.Internal {
			t.Errorf("%+v", o)
		}
	}
}

// TestTwoFromFieldsAreRefused: neither a post nor a command may have an author
// who depends on the reader; mail for people and reports still pass.
func TestTwoFromFieldsAreRefused(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	verp := r.keys.Verp(3, 4)
	raw := append([]byte("From: Own <own@example.net>\r\n"), message("two@example.com")...)
	for to, want := range map[string]string{"talk@example.org": "invalid", "talk-join@example.org": "invalid", "talk-leave@example.org": "invalid",
		"listserv@example.org": "invalid", "talk-request@example.org": "invalid", "talk-owner@example.org": "ok", "talk-bounces+" + verp + "@example.org": "ok"} {
		if got := r.receive(intake.Incoming{Raw: raw, Recipients: []string{to}}); got != want {
			t.Errorf("%s: %s, want %s", to, got, want)
		}
	}
	if len(r.mails) != 0 {
		t.Errorf("%d command mails were carried out", len(r.mails))
	}
}

// TestNobodyLearnsWhoIsOnTheList: a stranger writes in somebody's name and looks at
// the replies and at the letters that come to the stranger's own address. With
// every policy but a refusal of outsiders nothing tells; with a refusal what
// reaches nobody must not tell either.
func TestNobodyLearnsWhoIsOnTheList(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	r.lists["hard"].SubscriberAction = model.Reject
	for _, list := range []string{"strict", "hard", "club"} {
		r.join(list, "ann@example.net", model.RoleSubscriber)
		r.lists[list].Administrivia = true
		r.check(r.store.SaveList(ctx, r.lists[list]))
	}
	n := 0
	seen := func(list, name, subject, body string) string {
		n++
		r.letters = nil
		raw := "From: " + name + "@example.net\r\nTo: " + list + "@example.org\r\nSubject: " + subject + "\r\nMessage-ID: <" + strconv.Itoa(n) + "@x>\r\n\r\n" + body + "\r\n"
		out := r.Receive(ctx, intake.Incoming{ReversePath: "eve@example.com", Recipients: []string{list + "@example.org"}, Raw: []byte(raw)})[0]
		answer := out.Kind.String() + " " + strings.ReplaceAll(out.Text, name, "NAME")
		for _, l := range r.letters {
			if l.To.String() == "eve@example.com" {
				answer += "\n" + string(l.Kind) + " " + strings.ReplaceAll(strings.Join(l.Data.Reasons, "; "), name, "NAME")
			}
		}
		return answer
	}
	for _, c := range [][3]string{{"strict", "unsubscribe", ""}, {"strict", "unsubscribe", "unsubscribe me please"}, {"strict", "", "help"}, {"strict", "Hours", ""},
		{"hard", "Hours", "Are you open on Saturdays?"}, {"hard", "unsubscribe", ""}, {"club", "unsubscribe", ""}, {"club", "Hours", ""}} {
		member, stranger := seen(c[0], "ann", c[1], c[2]), seen(c[0], "bob", c[1], c[2])
		if member != stranger {
			t.Errorf("%q to %s: for a subscriber\n%s\nfor a stranger\n%s", c[1]+" / "+c[2], c[0], member, stranger)
		}
	}
}

// TestAddressesThatAreCommands: what stands in the address is the command, and the
// mail is not read.
func TestAddressesThatAreCommands(t *testing.T) {
	r := newRig(t, stores.SQLite(t))
	tok, _ := r.keys.Random(notify.ScopeHeld)
	for recipient, want := range map[string]string{
		"talk-subscribe-digest@example.org": "SUBSCRIBE digest", "Talk+Subscribe-Nomail@example.org": "SUBSCRIBE nomail",
		"talk-subscribe-Ann.Lee=example.net@example.org": "SUBSCRIBE address=ann.lee@example.net",
		"talk-unsubscribe-a=b=example.net@example.org":   "UNSUBSCRIBE address=a=b@example.net",
		"talk-query@example.org":                         "QUERY", "talk-faq@example.org": "INFO",
		"talk+release-" + tok + "@example.org": "OK", "talk+reject-" + tok + "@example.org": "NO",
	} {
		if got := r.receive(intake.Incoming{Raw: message("c@x"), Recipients: []string{recipient}}); got != "ok" {
			t.Fatalf("%s: %s", recipient, got)
		}
		if got := r.mails[len(r.mails)-1].Line; got != want {
			t.Errorf("%s: %q, want %q", recipient, got, want)
		}
	}
}
