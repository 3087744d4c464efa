package intake_test

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"
	"testing"
	"time"

	"plenary/internal/list/bounce"
	"plenary/internal/list/command"
	"plenary/internal/list/intake"
	"plenary/internal/list/membership"
	"plenary/internal/list/moderation"
	"plenary/internal/list/notify"
	"plenary/internal/list/posting"
	"plenary/internal/list/settings"
	mailmsg "plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
	"plenary/internal/token"
)

// house is every service of the list server on a real store, and a post office
// that hands out what is queued.
type house struct {
	t        *testing.T
	desk     *intake.Desk
	store    *store.Store
	members  *membership.Service
	composer *posting.Composer
	list     *model.List
}

func newHouse(t *testing.T, s *store.Store) *house {
	t.Helper()
	h := &house{t: t, store: s}
	keys := token.New([]byte("secret"))
	letters, err := notify.New(notify.Deps{Store: s})
	h.check(err)
	posts := posting.New(posting.Deps{Store: s, Tokens: keys, Letters: letters, BaseURL: "https://lists.example.org"})
	h.members = membership.New(membership.Deps{Store: s, Tokens: keys, Letters: letters})
	mods := moderation.New(moderation.Deps{Store: s, Posting: posts, Letters: letters, Tokens: keys})
	owners := &intake.Owners{Store: s}
	commands := command.New(command.Deps{Store: s, Membership: h.members, Moderation: mods, Letters: letters, Owners: owners})
	h.desk = intake.New(intake.Deps{Store: s, Posting: posts, Commands: commands, Owners: owners, Tokens: keys,
		Bounces: bounce.New(bounce.Deps{Store: s, Tokens: keys})})
	h.composer = &posting.Composer{Store: s, Tokens: keys}
	h.list = settings.New(model.Discussion, "talk", "example.org")
	h.check(s.CreateList(ctx, h.list))
	_, err = s.Subscribe(ctx, &model.Subscriber{ListID: h.list.ID, Email: "mod@example.net", EmailKey: "mod@example.net", Roles: model.RoleModerator | model.RoleSubscriber})
	h.check(err)
	return h
}

func (h *house) check(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// mail sends a mail to the desk; the lines are header fields, an empty one, text.
func (h *house) mail(from, to string, lines ...string) {
	h.t.Helper()
	raw := "From: " + from + "\r\nTo: " + to + "\r\nDate: Mon, 23 Nov 2026 21:20:00 +0100\r\n" + strings.Join(lines, "\r\n") + "\r\n"
	out := h.desk.Receive(ctx, intake.Incoming{ReversePath: from, Recipients: []string{to}, Raw: []byte(raw)})
	if !out[0].Accepted {
		h.t.Fatalf("%s to %s: %+v", from, to, out[0])
	}
}

// letters takes the house letters out of the queue, by recipient and subject.
func (h *house) letters() map[string]mailmsg.Header {
	h.t.Helper()
	out := map[string]mailmsg.Header{}
	for _, lane := range []model.Lane{model.LaneReply, model.LaneNotice} {
		ds, err := h.store.LeaseLetters(ctx, lane, model.Chunk{Owner: "test", LeaseUntil: model.At(time.Now().Add(time.Hour))}, 100)
		h.check(err)
		for _, d := range ds {
			p, err := h.composer.Open(ctx, &d)
			h.check(err)
			l := p.Letter(queue.Recipient{})
			if l.ReversePath != "" {
				h.t.Errorf("a letter leaves with the reverse-path %s", l.ReversePath)
			}
			head := mailmsg.ParseHeader(bytes.Join(l.Segments, nil))
			out[l.Recipient+" "+head.Text("Subject")] = head
		}
	}
	return out
}

// letter finds the one letter to a recipient.
func (h *house) letter(to string) mailmsg.Header {
	h.t.Helper()
	all := h.letters()
	for key, head := range all {
		if strings.HasPrefix(key, to+" ") {
			return head
		}
	}
	h.t.Fatalf("no letter to %s among %d", to, len(all))
	return mailmsg.Header{}
}

func TestAModeratorAnswersAndThePostGoesOut(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		h := newHouse(t, s)
		h.mail("eve@example.com", "talk@example.org", "Subject: Summer hours", "Message-ID: <1@example.com>", "", "Do you close in August?")
		all := h.letters()
		var ask mailmsg.Header
		told := false
		for key, head := range all {
			told = told || strings.HasPrefix(key, "eve@example.com ")
			if strings.HasPrefix(key, "mod@example.net ") {
				ask = head
			}
		}
		if len(all) != 2 || !told {
			t.Fatalf("letters: %v", all)
		}
		// An unclear answer does nothing.
		reply := ask.Addresses("Reply-To")[0].Address.String()
		h.mail("mod@example.net", reply, "Subject: Re: "+ask.Text("Subject"), "In-Reply-To: "+ask.Get("Message-ID"), "Message-ID: <2@example.net>", "", "What is this about?")
		if n, _ := s.CountPosts(ctx, h.list.ID); n != 0 {
			t.Fatal("an unclear answer released the post")
		}
		h.letter("mod@example.net")
		h.mail("mod@example.net", reply, "Subject: Re: "+ask.Text("Subject"), "In-Reply-To: "+ask.Get("Message-ID"), "Message-ID: <3@example.net>", "", "OK", "", "> From: eve@example.com")
		if n, _ := s.CountPosts(ctx, h.list.ID); n != 1 {
			t.Fatalf("%d posts after the OK", n)
		}
		if got := h.letter("eve@example.com").Text("Subject"); !strings.Contains(got, "went out") {
			t.Errorf("the author is told %q", got)
		}
		ds, err := s.ActiveDistributions(ctx, model.LanePost, 0, 10)
		h.check(err)
		if len(ds) != 1 {
			t.Fatalf("%d distributions", len(ds))
		}
		p, err := h.composer.Open(ctx, &ds[0])
		h.check(err)
		copied := bytes.Join(p.Letter(queue.Recipient{ID: 1, Address: "mod@example.net"}).Segments, nil)
		if !bytes.HasSuffix(copied, []byte("\r\n\r\nDo you close in August?\r\n")) {
			t.Errorf("the copy:\n%s", copied)
		}
	})
}

// TestAModeratorDecidesByTheAddress: L+reject-TOKEN with a reason between %%%
// lines, and L+release-TOKEN, as mlmmj and ezmlm have it.
func TestAModeratorDecidesByTheAddress(t *testing.T) {
	h := newHouse(t, stores.SQLite(t))
	for i, c := range [][3]string{
		{"reject", "Hello,\r\n%%%\r\nPlease write to the\r\nhelp desk.\r\n%%%\r\nbye", "was not accepted"},
		{"reject", "some words that are not meant as a reason", "was not accepted"},
		{"release", "No idea what this is", "went out"},
	} {
		h.mail("eve@example.com", "talk@example.org", "Subject: Summer hours", "Message-ID: <p"+strconv.Itoa(i)+"@example.com>", "", "Do you close in August? "+strconv.Itoa(i))
		tok := ""
		for key, head := range h.letters() {
			if strings.HasPrefix(key, "mod@example.net ") {
				_, tok, _ = strings.Cut(head.Addresses("Reply-To")[0].Address.Local, "+")
			}
		}
		h.mail("mod@example.net", "talk+"+c[0]+"-"+tok+"@example.org", "Subject: x", "Message-ID: <d"+strconv.Itoa(i)+"@example.net>", "", c[1])
		if got := h.letter("eve@example.com").Text("Subject"); !strings.Contains(got, c[2]) {
			t.Errorf("%s: the author is told %q", c[0], got)
		}
	}
	if n, _ := h.store.CountPosts(ctx, h.list.ID); n != 1 {
		t.Errorf("%d posts", n)
	}
}

func TestSomebodyJoinsPostsAndLeaves(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		h := newHouse(t, s)
		h.mail("ann@example.net", "talk-join@example.org", "Subject:", "Message-ID: <1@example.net>", "", "")
		ask := h.letter("ann@example.net")
		h.mail("ann@example.net", ask.Addresses("Reply-To")[0].Address.String(), "Subject: Re: "+ask.Text("Subject"), "Message-ID: <2@example.net>", "", "")
		if got := h.letter("ann@example.net").Text("Subject"); !strings.Contains(strings.ToLower(got), "welcome") {
			t.Errorf("after the answer: %q", got)
		}
		h.mail("ann@example.net", "talk@example.org", "Subject: Hello", "Message-ID: <3@example.net>", "", "I am new here.")
		ds, err := s.ActiveDistributions(ctx, model.LanePost, 0, 10)
		h.check(err)
		if len(ds) != 1 {
			t.Fatalf("%d distributions", len(ds))
		}
		sub, err := s.FindSubscriber(ctx, h.list.ID, "ann@example.net")
		h.check(err)
		p, err := h.composer.Open(ctx, &ds[0])
		h.check(err)
		head := mailmsg.ParseHeader(bytes.Join(p.Letter(queue.Recipient{ID: sub.ID, Address: sub.Email}).Segments, nil))
		link, _, _ := strings.Cut(strings.TrimPrefix(head.Get("List-Unsubscribe"), "<https://lists.example.org/unsubscribe/"), ">")
		h.check(h.members.OneClick(ctx, link))
		if gone, err := s.FindSubscriber(ctx, h.list.ID, "ann@example.net"); err != nil || gone != nil {
			t.Errorf("after one click: %+v, %v", gone, err)
		}
	})
}

// TestTheAttachedPostIsWhole: what the moderators see is what came.
func TestTheAttachedPostIsWhole(t *testing.T) {
	h := newHouse(t, stores.SQLite(t))
	h.mail("eve@example.com", "talk@example.org", "Subject: Summer hours", "Message-ID: <1@example.com>", "", "Do you close in August?")
	ds, err := h.store.LeaseLetters(ctx, model.LaneNotice, model.Chunk{Owner: "test", LeaseUntil: model.At(time.Now().Add(time.Hour))}, 100)
	h.check(err)
	for _, d := range ds {
		if d.Recipient != "mod@example.net" {
			continue
		}
		raw, err := h.store.Bytes(ctx, d.BytesID)
		h.check(err)
		head := mailmsg.ParseHeader(raw)
		_, params, err := mime.ParseMediaType(head.Get("Content-Type"))
		h.check(err)
		parts := multipart.NewReader(bytes.NewReader(raw[head.Len():]), params["boundary"])
		_, err = parts.NextPart()
		h.check(err)
		post, err := parts.NextPart()
		h.check(err)
		body, err := io.ReadAll(post)
		h.check(err)
		if post.Header.Get("Content-Type") != "message/rfc822" || !strings.Contains(string(body), "Message-ID: <1@example.com>\r\n\r\nDo you close in August?") {
			t.Errorf("%v\n%s", post.Header, body)
		}
		return
	}
	t.Error("nobody was asked")
}

// TestForgedJoinsDoNotKeepAnybodyOnTheList: the ten automatic replies of a day are
// used up in a subscriber's name; leaving works all the same, and what strangers
// can cause stays bounded.
func TestForgedJoinsDoNotKeepAnybodyOnTheList(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		h := newHouse(t, s)
		_, err := s.Subscribe(ctx, &model.Subscriber{ListID: h.list.ID, Email: "ann@example.net", EmailKey: "ann@example.net", Roles: model.RoleSubscriber})
		h.check(err)
		for i := range 12 {
			h.mail("ann@example.net", []string{"talk-join@example.org", "talk-help@example.org", "listserv@example.org"}[i%3],
				"Subject: help", "Message-ID: <j"+strconv.Itoa(i)+"@example.com>", "", "")
		}
		if n := h.count("ann@example.net"); n != 10 {
			t.Fatalf("%d letters after twelve forged requests", n)
		}
		var ask mailmsg.Header
		for i := range 5 {
			h.mail("ann@example.net", "talk-leave@example.org", "Subject: bye", "Message-ID: <l"+strconv.Itoa(i)+"@example.net>", "", "")
			for key, head := range h.letters() {
				if i > 2 {
					t.Errorf("request %d was answered by %q", i+1, key)
				}
				ask = head
			}
		}
		h.mail("ann@example.net", ask.Addresses("Reply-To")[0].Address.String(), "Subject: Re: "+ask.Text("Subject"), "Message-ID: <y@example.net>", "", "yes")
		if sub, err := s.FindSubscriber(ctx, h.list.ID, "ann@example.net"); err != nil || sub != nil {
			t.Errorf("she is still on the list: %+v, %v", sub, err)
		}
	})
}

// count takes the house letters out of the queue and counts those to a recipient.
func (h *house) count(to string) (n int) {
	h.t.Helper()
	for _, lane := range []model.Lane{model.LaneReply, model.LaneNotice} {
		ds, err := h.store.LeaseLetters(ctx, lane, model.Chunk{Owner: "test", LeaseUntil: model.At(time.Now().Add(time.Hour))}, 100)
		h.check(err)
		for _, d := range ds {
			if d.Recipient == to {
				n++
			}
		}
	}
	return n
}
