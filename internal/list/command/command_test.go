package command_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"plenary/internal/list/command"
	"plenary/internal/list/membership"
	"plenary/internal/list/moderation"
	"plenary/internal/list/notify"
	"plenary/internal/list/settings"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	plain "plenary/internal/mail/message/word"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
	"plenary/internal/token"
)

// rig is the command service with real services below it, on a real store.
// Letters are remembered, releasing a post only settles its row.
type rig struct {
	*command.Service
	t         *testing.T
	store     *store.Store
	members   *membership.Service
	keys      *token.Keyring
	talk      *model.List
	letters   []notify.Letter
	forwarded int
	asked     map[string]int
}

func (r *rig) Send(_ context.Context, l notify.Letter) error {
	r.letters = append(r.letters, l)
	return nil
}

// Ask counts as the house letters do, so far as a test needs it.
func (r *rig) Ask(ctx context.Context, l notify.Letter) (spent bool, err error) {
	if r.asked == nil {
		r.asked = map[string]int{}
	}
	joins := l.Kind == notify.ConfirmJoin || l.Kind == notify.AlreadyOnList
	key := fmt.Sprint(joins, l.List.Local, l.To.Key())
	if r.asked[key]++; l.Unsent || r.asked[key] > 3 {
		return r.asked[key] > 3, nil
	}
	return false, r.Send(ctx, l)
}

func (r *rig) Forward(_ context.Context, l *model.List, raw []byte) error {
	r.forwarded++
	return nil
}

func (r *rig) Release(ctx context.Context, h *model.Held, by string) error {
	_, err := r.store.DecideHeld(ctx, h.ID, model.HeldReleased, by, "")
	return err
}

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func newRig(t *testing.T) *rig {
	t.Helper()
	s := stores.SQLite(t)
	clock := func() time.Time { return now }
	s.Now = clock
	r := &rig{t: t, store: s, keys: token.New([]byte("secret"))}
	for _, name := range []string{"talk", "test-l", "hidden"} {
		l := settings.New(model.Discussion, name, "lists.example.org")
		l.Name, l.Description, l.Advertised = "The "+name+" list", "About "+name+".", name != "hidden"
		if err := s.CreateList(context.Background(), l); err != nil {
			t.Fatal(err)
		}
		if name == "talk" {
			r.talk = l
		}
	}
	r.members = membership.New(membership.Deps{Store: s, Tokens: r.keys, Letters: r, Now: clock})
	mod := moderation.New(moderation.Deps{Store: s, Posting: r, Letters: r, Tokens: r.keys, Now: clock})
	r.Service = command.New(command.Deps{Store: s, Membership: r.members, Moderation: mod, Letters: r, Owners: r})
	return r
}

func addr(s string) address.Address {
	a, err := address.Parse(s)
	if err != nil {
		panic(err)
	}
	return a
}

func (r *rig) list(name string) *model.List {
	l, err := r.store.FindList(context.Background(), name, "lists.example.org")
	if err != nil || l == nil {
		r.t.Fatal(name, err)
	}
	return l
}

// add puts a person on a list.
func (r *rig) add(list, email string, roles model.Role) {
	r.t.Helper()
	if _, err := r.members.Add(context.Background(), r.list(list), &model.Subscriber{Email: email, EmailKey: addr(email).Key(), Roles: roles}, "cli"); err != nil {
		r.t.Fatal(err)
	}
}

// mail hands in one mail; header holds further fields. It gives what went out:
// kinds and recipients, and the text of the answer.
func (r *rig) mail(m command.Mail, header, body string) (out, text string) {
	r.t.Helper()
	if m.From.IsZero() {
		m.From = addr("ann@example.net")
	}
	if !strings.Contains(header, "From:") {
		header = "From: Ann Lee <" + m.From.String() + ">\r\n" + header
	}
	m.Raw = []byte(strings.ReplaceAll(header+"Message-ID: <q@example.net>\r\n\r\n"+body, "\n", "\r\n"))
	m.Raw = []byte(strings.ReplaceAll(string(m.Raw), "\r\r", "\r"))
	m.Header = message.ParseHeader(m.Raw)
	if m.ReversePath == "" {
		m.ReversePath = m.From.String()
	}
	if m.ReversePath == "<>" {
		m.ReversePath = ""
	}
	m.Domain, m.Source = "lists.example.org", "mail"
	r.letters, r.forwarded = nil, 0
	if err := r.Handle(context.Background(), m); err != nil {
		r.t.Fatal(err)
	}
	var kinds []string
	for _, l := range r.letters {
		kinds = append(kinds, fmt.Sprintf("%s>%s", l.Kind, l.To))
		if l.Kind == notify.CommandReply || l.Kind == notify.Help {
			text += l.Data.Text
		}
	}
	if r.forwarded > 0 {
		kinds = append(kinds, "forwarded")
	}
	return strings.Join(kinds, " "), text
}

const (
	toAnn = ">ann@example.net"
	asked = "confirm-join" + toAnn
	left  = "confirm-leave" + toAnn
	said  = "command-reply" + toAnn
)

func TestCommands(t *testing.T) {
	html := "Content-Type: text/html; charset=utf-8\r\n"
	r := newRig(t)
	for _, c := range []struct {
		name          string
		entry         command.Entry
		header, body  string
		out           string
		text, notText string
	}{
		// LISTSERV
		{"sub with a name", command.AtServer, "", "sub test-l Ann O'Lee\n", asked, "", ""},
		{"any case, list address", command.AtServer, "", "SuBsCrIbE Test-L@lists.example.org Ann Lee", asked, "", ""},
		{"in the subject", command.AtServer, "Subject: subscribe test-l\r\n", "", asked, "", ""},
		{"subject and body say the same", command.AtServer, "Subject: subscribe test-l\r\n", "subscribe test-l\n", asked, "", ""},
		{"encoded subject", command.AtServer, "Subject: =?utf-8?q?subscribe_test-l_Zo=C3=AB?=\r\n", "", asked, "", ""},
		{"list without the l", command.AtServer, "", "join talk-l", asked, "", ""},
		{"anonymous with options", command.AtServer, "", "SUBSCRIBE TEST-L ANONYMOUS WITH NOMAIL", asked + " " + said, "The owners can switch it off", ""},
		{"no list", command.AtServer, "", "subscribe\n", said, "Which list?", ""},
		{"unknown list", command.AtServer, "", "subscribe gardening", said, "no list of that name here", ""},
		{"two lists", command.AtServer, "", "sub test-l\nsub talk\n", asked + " " + asked, "", ""},
		{"job cards", command.AtServer, "", "// JOB\nsub test-l\n// EOJ\n", asked, "", ""},
		{"continued cards", command.AtServer, "", "// subscribe test-l ,\n// Ann Lee\n", asked, "", ""},
		{"backslash", command.AtServer, "", "subscribe test-l \\\nAnn Lee\n", asked, "", ""},
		{"comments and end", command.AtServer, "", "# hello\nlists\nEND\nsubscribe test-l\n", said, "talk@lists.example.org", "confirm"},
		{"quiet", command.AtServer, "", "QUIET sub test-l", asked, "", ""},
		{"abbreviations", command.AtServer, "", "l\nq *\nh\n", said, "is not on any of the lists", ""},
		{"unsub and signature", command.AtServer, "", "unsub\n-- \nFoo\n", said, "Which list?", "Foo"},
		{"signoff a list", command.AtServer, "", "signoff test-l", "not-on-list" + toAnn, "", ""},
		{"signoff all, on none", command.AtServer, "", "signoff * (netwide", said, "none of the lists", ""},
		{"passwords", command.AtServer, "", "PW ADD secret", said, "Passwords are not used", "secret"},
		{"a command of later", command.AtServer, "", "set test-l nomail", said, "SET is not available", ""},
		{"rubbish", command.AtServer, "Subject: hello\r\n", "good morning\nhow are you\n", said, "> good morning\n    This was not understood.", ""},
		{"nothing at all", command.AtServer, "", "", said, "no command", ""},
		{"greeting before", command.AtServer, "", "Hi,\nsubscribe test-l\nThanks, Ann\n", asked, "", ""},
		{"three wrong lines", command.AtServer, "", "a\nb\nc\nsubscribe test-l\n", said, "> c\n    This", "test-l"},
		{"lists, filtered", command.AtServer, "", "lists talk\n", said, "About talk.", "test-l"},
		{"lists hides", command.AtServer, "", "lists\n", said, "About test-l.", "hidden"},
		{"info", command.AtServer, "", "info talk\n", said, "talk-owner@lists.example.org", ""},
		{"info of a hidden list", command.AtServer, "", "info hidden\n", said, "no list of that name", ""},
		{"help", command.AtServer, "Subject: help\r\n", "", said, "commands are below", ""},
		{"help with a verb", command.AtServer, "", "help signoff", said, "UNSUBSCRIBE, LEAVE", ""},
		{"ok without anything", command.AtServer, "", "ok", said, "just reply to it", ""},
		{"a foreign code", command.AtServer, "", "ok 0123456789abcdefghjkmnpqrs", said, "not a code of ours", ""},
		{"confirm of a list", command.AtServer, "", "confirm test-l", said, "just reply", ""},

		// Mailman, at the list's request address
		{"join", command.AtRequest, "Subject: join\r\n", "", asked, "", ""},
		{"subscribe in the body", command.AtRequest, "Subject: (no subject)\r\n", "subscribe\n", asked, "", ""},
		{"with a name", command.AtRequest, "", "subscribe Ann Lee", asked, "", ""},
		{"own list named", command.AtRequest, "", "subscribe talk Ann Lee", asked, "", ""},
		{"for somebody else", command.AtRequest, "", "subscribe digest=mime address=b@y.example", "confirm-join>b@y.example " + said, "If b@y.example is not on the list yet, a letter is on its way to it", ""},
		{"LISTSERV form", command.AtRequest, "", "UNSUBSCRIBE talk", "not-on-list" + toAnn, "", ""},
		{"for somebody without a domain", command.AtRequest, "", "subscribe talk address=b@host", said, "The address is not complete: a domain has a dot in it", "on its way"},
		{"an address that is none", command.AtRequest, "", "subscribe address=@y.example", said, "", "on its way"},
		{"leaves without a domain", command.AtRequest, "", "unsubscribe talk b@host", said, "The address is not complete: a domain has a dot in it", "on its way"},
		{"somebody else leaves", command.AtRequest, "", "unsubscribe address=<b@y.example>", "not-on-list>b@y.example " + said, "b@y.example", ""},
		{"polite", command.AtRequest, "", "Please unsubscribe me from this list.\n\nThanks\nAnn\n", "not-on-list" + toAnn, "", ""},
		{"reply prefix", command.AtRequest, "Subject: Re: unsubscribe\r\n", "", "not-on-list" + toAnn, "", ""},
		{"German prefix and tag", command.AtRequest, "Subject: AW: [talk] unsubscribe\r\n", "", "not-on-list" + toAnn, "", ""},
		{"French prefix", command.AtRequest, "Subject: Re : unsubscribe\r\n", "", "not-on-list" + toAnn, "", ""},
		{"full-width colon", command.AtRequest, "Subject: =?utf-8?b?UmXvvJogdW5zdWJzY3JpYmU=?=\r\n", "", "not-on-list" + toAnn, "", ""},
		{"HTML only", command.AtRequest, html, "<html><body><div>un<b>subscribe</b></div></body></html>", "not-on-list" + toAnn, "", ""},
		{"base64", command.AtRequest, "Content-Transfer-Encoding: base64\r\nContent-Type: text/plain\r\n", "am9pbgo=\n", asked, "", ""},
		{"quoted-printable", command.AtRequest, "Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain; charset=utf-8\r\n", "su=\nbscribe Zo=C3=AB\n", asked, "", ""},
		{"human text", command.AtRequest, "Subject: Question\r\n", "Hello, could you add my colleague to the list?\n", "help" + toAnn + " forwarded", "passed on to the people", ""},
		{"human join", command.AtRequest, "Subject: Join us for the reading week\r\n", "Dear all, there will be cake.\n", "help" + toAnn + " forwarded", "", ""},
		{"human help", command.AtRequest, "Subject: Help\r\n", "I have not got any post since Monday, and my colleague has not either. What can we do about it?\n", "help" + toAnn + " forwarded", "", ""},
		{"human list", command.AtRequest, "Subject: List of books\r\n", "Attached is the list of books.\n", "help" + toAnn + " forwarded", "", ""},
		{"human no", command.AtRequest, "", "No, I do not think so.\n", "help" + toAnn + " forwarded", "", ""},
		{"quoted command", command.AtRequest, "Subject: Re: question\r\n", "> unsubscribe\n", "help" + toAnn + " forwarded", "", ""},
		{"query", command.AtRequest, "", "query", said, "not on talk@lists.example.org", ""},
		{"which", command.AtRequest, "", "which", said, "any of the lists", ""},
		{"set authenticate", command.AtRequest, "", "set authenticate pw\n", said, "SET is not available", ""},
		{"who", command.AtRequest, "", "who", said, "WHO is not available", ""},

		// addresses that are one command
		{"L-join", command.AtJoin, "Subject: anything\r\n", "whatever", asked, "", ""},
		{"L-leave", command.AtLeave, "", "", "not-on-list" + toAnn, "", ""},
		{"L-help", command.AtHelp, "", "", "help" + toAnn, "", ""},
		{"L-confirm with nonsense", command.AtConfirm, "", "yes", said, "not a code of ours", ""},

		// machines
		{"auto-submitted", command.AtServer, "Auto-Submitted: auto-replied\r\n", "subscribe test-l", "", "", ""},
		{"precedence", command.AtServer, "Precedence: bulk\r\n", "subscribe test-l", "", "", ""},
		{"list mail", command.AtJoin, "List-Id: <x.example.com>\r\n", "", "", "", ""},
		{"absence", command.AtJoin, "Subject: Automatische Antwort: Re: x\r\n", "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.asked = nil
			m := command.Mail{Entry: c.entry}
			if c.entry != command.AtServer {
				m.List = r.talk
			}
			out, text := r.mail(m, c.header, c.body)
			if out != c.out || !strings.Contains(text, c.text) || c.notText != "" && strings.Contains(text, c.notText) {
				t.Errorf("went out: %s\nwant:     %s\n%s\nwant %q, not %q", out, c.out, text, c.text, c.notText)
			}
		})
	}
}

func TestMachinesAndOurselves(t *testing.T) {
	r := newRig(t)
	for _, m := range []command.Mail{
		{Entry: command.AtServer, ReversePath: "<>"},
		{Entry: command.AtServer, ReversePath: "mailer-daemon@example.net"},
		{Entry: command.AtJoin, List: r.talk, From: addr("talk@lists.example.org"), ReversePath: "x@example.net"},
		{Entry: command.AtJoin, List: r.talk, From: addr("test-l-request@lists.example.org"), ReversePath: "x@example.net"},
		{Entry: command.AtJoin, List: r.talk, From: addr("Talk-Confirm+0123456789abcdefghjkmnpqrs@lists.example.org"), ReversePath: "x@example.net"},
		{Entry: command.AtJoin, List: r.talk, From: addr("talk-subscribe-request@lists.example.org"), ReversePath: "x@example.net"},
		{Entry: command.AtJoin, List: r.talk, From: addr("owner-talk@lists.example.org"), ReversePath: "x@example.net"},
		{Entry: command.AtJoin, List: r.talk, From: addr("talk-moderators@lists.example.org"), ReversePath: "x@example.net"},
		{Entry: command.AtJoin, List: r.talk, From: addr("sympa@lists.example.org"), ReversePath: "x@example.net"},
	} {
		if out, _ := r.mail(m, "", "subscribe test-l\n"); out != "" {
			t.Errorf("%+v: %s", m.From, out)
		}
	}
	if out, _ := r.mail(command.Mail{Entry: command.AtJoin, List: r.talk, From: addr("librarian-anna@lists.example.org")}, "", ""); out != "confirm-join>librarian-anna@lists.example.org" {
		t.Error(out)
	}
	// A person beside the lists whose address only begins like one.
	if out, _ := r.mail(command.Mail{Entry: command.AtJoin, List: r.talk, From: addr("talk-coordinators@lists.example.org")}, "", ""); out != "confirm-join>talk-coordinators@lists.example.org" {
		t.Error(out)
	}
}

// TestAddressesThatAreCommands: the line the address stands for is carried out,
// and the mail is not read.
func TestAddressesThatAreCommands(t *testing.T) {
	r := newRig(t)
	for _, c := range [][3]string{
		{"SUBSCRIBE digest", asked + " " + said, "each post comes as it is sent"},
		{"SUBSCRIBE nomail", asked + " " + said, "The owners can switch it off"},
		{"SUBSCRIBE address=b@y.example", "confirm-join>b@y.example " + said, "If b@y.example is not on the list yet, a letter is on its way to it"},
		{"UNSUBSCRIBE address=b@y.example", "not-on-list>b@y.example " + said, "If b@y.example is on the list, a letter is on its way to it"},
		{"QUERY", said, "not on talk@lists.example.org"},
		{"INFO", said, "talk-owner@lists.example.org"},
	} {
		out, text := r.mail(command.Mail{Entry: command.AtRequest, List: r.talk, Line: c[0]}, "Subject: unsubscribe\r\n", "unsubscribe\n")
		if out != c[1] || !strings.Contains(text, c[2]) {
			t.Errorf("%s: %s\n%s", c[0], out, text)
		}
	}
}

// TestAMistypedLineIsNamed: among commands, and not when it can be a signature.
func TestAMistypedLineIsNamed(t *testing.T) {
	r := newRig(t)
	for body, want := range map[string]bool{"query\nsigoff talk\n": true, "query\n\nAnn Lee\n": false, "query\n-- \nsigoff\n": false} {
		out, text := r.mail(command.Mail{Entry: command.AtRequest, List: r.talk}, "", body)
		if out != said || strings.Contains(text, "This was not understood") != want {
			t.Errorf("%q: %s\n%s", body, out, text)
		}
	}
	if out, _ := r.mail(command.Mail{Entry: command.AtRequest, List: r.talk}, "", "join\nAnn Lee\n"); out != asked {
		t.Errorf("a name below: %s", out)
	}
	for body, want := range map[string]bool{"query\nsuscribe\nleave\n": true, "query\n\nsuscribe\n\nleave\n": true, "query\nsuscribe\nThanks\n": false,
		"query\n\nAnn Lee\nInfo and help desk\n": false, "query\nAnn\n\nInfo\n": false, "query\nThanks, Ann\nend\nleave\n": false,
		"query\nhello\nUnsubscribe from this newsletter by clicking below\n": false, "query\nsuscribe\nsignoff test-l\n": true} {
		out, text := r.mail(command.Mail{Entry: command.AtRequest, List: r.talk}, "", body)
		if out != said || strings.Contains(text, "Nothing below that line was read") != want {
			t.Errorf("%q: %s\n%s", body, out, text)
		}
	}
}

// TestNoLettersToOurselves: whoever asks, no letter goes to an address of ours.
func TestNoLettersToOurselves(t *testing.T) {
	r := newRig(t)
	for _, own := range []string{"talk", "talk-request", "talk-owner", "Test-L-Bounces", "listserv", "owner-talk", "talk-confirm+0123456789abcdefghjkmnpqrs"} {
		for _, verb := range []string{"subscribe", "signoff"} {
			out, text := r.mail(command.Mail{Entry: command.AtServer}, "", verb+" talk address="+own+"@lists.example.org\n")
			if out != said || !strings.Contains(text, "is an address of the lists here") {
				t.Errorf("%s %s: %s\n%s", verb, own, out, text)
			}
		}
	}
}

func TestTooManyLines(t *testing.T) {
	r := newRig(t)
	out, text := r.mail(command.Mail{Entry: command.AtServer}, "", strings.Repeat("info talk\n", 26))
	if out != said || !strings.Contains(text, "Only 25 command lines") {
		t.Error(out, text)
	}
}

func TestLeavingAuthenticated(t *testing.T) {
	r := newRig(t)
	r.add("talk", "ann@example.net", model.RoleSubscriber)
	r.add("test-l", "ann@example.net", model.RoleSubscriber)
	m := command.Mail{Entry: command.AtLeave, List: r.talk}
	if out, _ := r.mail(m, "", ""); out != left {
		t.Error("From alone took her off:", out)
	}
	m.Authenticated = true
	if out, _ := r.mail(m, "", ""); out != "goodbye"+toAnn {
		t.Error(out)
	}
	out, text := r.mail(command.Mail{Entry: command.AtServer, Authenticated: true}, "", "unsubscribe\n")
	if out != said || !strings.Contains(text, "You are on:\n        test-l") {
		t.Error(out, text)
	}
	if out, _ := r.mail(command.Mail{Entry: command.AtServer, Authenticated: true}, "", "signoff *\n"); out != "goodbye"+toAnn {
		t.Error(out)
	}
	// Authenticated as herself, she cannot take others off.
	r.add("talk", "bob@example.net", model.RoleSubscriber)
	out, _ = r.mail(command.Mail{Entry: command.AtRequest, List: r.talk, Authenticated: true}, "", "unsubscribe bob@example.net\n")
	if out != "confirm-leave>bob@example.net "+said {
		t.Error(out)
	}
}

func TestSignoffAll(t *testing.T) {
	r := newRig(t)
	r.add("talk", "ann@example.net", model.RoleSubscriber)
	r.add("test-l", "ann@example.net", model.RoleSubscriber)
	out, text := r.mail(command.Mail{Entry: command.AtServer}, "", "signoff * (netwide\n")
	if out != left+" "+left+" "+said || !strings.Contains(text, "For each of these lists") {
		t.Error(out, text)
	}
}

func TestQueryTellsTheAddressItself(t *testing.T) {
	r := newRig(t)
	r.add("hidden", "ann@example.net", model.RoleSubscriber|model.RoleOwner)
	_, text := r.mail(command.Mail{Entry: command.AtServer}, "", "query *\n")
	if !strings.Contains(text, "hidden@lists.example.org") || !strings.Contains(text, "owner") {
		t.Error(text)
	}
	if _, text = r.mail(command.Mail{Entry: command.AtServer}, "", "info hidden\n"); !strings.Contains(text, "hidden-leave@") {
		t.Error(text)
	}
}

// TestMembershipIsNotDisclosed: who names another address learns nothing.
func TestMembershipIsNotDisclosed(t *testing.T) {
	r := newRig(t)
	r.add("talk", "in@example.net", model.RoleSubscriber)
	for _, verb := range []string{"subscribe", "unsubscribe"} {
		var texts [2]string
		for i, email := range []string{"in@example.net", "out@example.net"} {
			_, text := r.mail(command.Mail{Entry: command.AtRequest, List: r.talk}, "", verb+" address="+email+"\n")
			texts[i] = strings.NewReplacer(email, "X", plain.Harmless(email, 80), "X").Replace(text)
		}
		if texts[0] != texts[1] {
			t.Errorf("%q and %q differ", texts[0], texts[1])
		}
	}
}

// TestALetterThatDoesNotGoIsNotPromised: the answer said that one was on its way. What it
// says now is the same for who is on the list, who is not and who is banned.
func TestALetterThatDoesNotGoIsNotPromised(t *testing.T) {
	r := newRig(t)
	r.add("talk", "in@example.net", model.RoleSubscriber)
	if err := r.store.SaveBan(context.Background(), &model.Ban{ListID: r.talk.ID, Pattern: "bad@example.net"}); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"subscribe", "unsubscribe"} {
		for _, email := range []string{"in@example.net", "out@example.net", "bad@example.net", "ann@example.net"} {
			for i := range 5 {
				out, text := r.mail(command.Mail{Entry: command.AtRequest, List: r.talk}, "", verb+" address="+email+"\n")
				spent := strings.Contains(text, "No more letters about this go to "+email+" today.")
				if spent != (i > 2) || spent && out != said || strings.Contains(text, "is on its way") != (!spent && email != "ann@example.net") {
					t.Errorf("%s %s, %d: %s\n%s", verb, email, i, out, text)
				}
			}
		}
	}
}
