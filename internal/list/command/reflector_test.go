package command_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"plenary/internal/list/command"
	"plenary/internal/list/notify"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// A stranger wrote to the command address in a victim's name, and the answer carried
// his subject and each line of his advertisement to her.

// advert is a mail of commands that are none of the victim's.
func advert() (header, body string) {
	header = "Subject: CHEAP PILLS http://evil.example/now\r\n"
	for i := range 25 {
		body += fmt.Sprintf("SEARCH talk OR CHEAP PILLS http://evil.example/%d www.evil.example buy@evil.example\n", i)
	}
	return header, body
}

// readsAll makes the archive of talk one that strangers may search.
func (r *rig) readsAll() {
	r.t.Helper()
	r.talk.ArchiveAccess = model.AccessPublic
	if err := r.store.SaveList(context.Background(), r.talk); err != nil {
		r.t.Fatal(err)
	}
	r.Search = func(context.Context, address.Address, *model.List, string, int) (command.Found, error) {
		return command.Found{}, nil
	}
}

// subjects are those the letters were given.
func (r *rig) subjects() (all string) {
	for _, l := range r.letters {
		all += l.Data.Subject
	}
	return all
}

func TestAnotherReturnAddressIsNotAnsweredInDetail(t *testing.T) {
	r := newRig(t)
	r.readsAll()
	r.add("test-l", "ann@example.net", model.RoleSubscriber)
	const fixed = "other-return" + toAnn
	header, body := advert()
	for _, c := range []struct{ header, body, out string }{
		{header, body, fixed},
		{header, "buy this\nand that\n", fixed},
		{"Subject: query\r\n", "", fixed},
		{"Subject: Viagra\r\n", "query talk\nsubscribe talk\n", asked + " " + fixed},
		{"", "subscribe talk\n", asked},
		{"", "signoff test-l\n", "confirm-leave" + toAnn},
		{"", "subscribe talk WITH http://evil.example\n", asked + " " + fixed},
		{"", "subscribe cheap-pills\n", fixed},
		{"", "subscribe talk b@y.example\n", "confirm-join>b@y.example " + fixed},
		{"", "end\n", ""},
	} {
		out, text := r.mail(command.Mail{Entry: command.AtServer, ReversePath: "x@evil.example"}, c.header, c.body)
		if out != c.out || text != "" || r.subjects() != "" {
			t.Errorf("%q: %s, want %s\n%s%s", c.body, out, c.out, r.subjects(), text)
		}
		if l := r.letters; out != "" && l[len(l)-1].Kind == notify.OtherReturn && l[len(l)-1].Data.Taken != (len(l) > 1) {
			t.Errorf("%q: %+v", c.body, l)
		}
	}
	for _, own := range []command.Mail{{ReversePath: "ann+x@example.net"}, {ReversePath: "prvs=12345678ab=ann@example.net"}, {ReversePath: "x@evil.example", Authenticated: true}} {
		own.Entry = command.AtServer
		if out, text := r.mail(own, "", "lists\n"); out != said || !strings.Contains(text, "talk@lists.example.org") {
			t.Errorf("%s: %s\n%s", own.ReversePath, out, text)
		}
	}
	out, text := r.mail(command.Mail{Entry: command.AtRequest, List: r.talk, ReversePath: "x@evil.example"}, header, "hello\n")
	if out != "help"+toAnn+" forwarded" || strings.Contains(text, "hello") {
		t.Error(out, text)
	}
}

// What we say to everybody is said to a stranger's return address too: with send-as, or
// with a server of one's own, real people have one.
func TestFixedTextIsSentToAnybody(t *testing.T) {
	r := newRig(t)
	const notAll = "Some of your message was not answered"
	for _, c := range []struct{ header, body, out, text, not string }{
		{"Subject: help\r\n", "", said, "The commands are below", notAll},
		{"Subject: CHEAP PILLS\r\n", "info talk\nlists cheap-pills\ncheap pills\n", said, "Archive access:", notAll},
		{"", "lists\nsubscribe talk\n", asked + " " + said, "About test-l.", notAll},
		{"", "help\nquery\n", said, notAll, "any of the lists"},
	} {
		out, text := r.mail(command.Mail{Entry: command.AtServer, ReversePath: "x@gmail.example"}, c.header, c.body)
		if out != c.out || !strings.Contains(text, c.text) || strings.Contains(text, c.not) || strings.Contains(text+r.subjects(), "pills") {
			t.Errorf("%q: %s\n%s", c.body, out, text)
		}
	}
}

// A code proves who has it: she is answered, without a word of the mail.
func TestACodeIsTakenFromAnotherReturnAddress(t *testing.T) {
	r := newRig(t)
	tok := r.ask(model.PendingJoin)
	m := command.Mail{Entry: command.AtServer, ReversePath: "srs0=ab=cd=example.net=ann@forwarder.example"}
	if out, text := r.mail(m, "Subject: hello\r\n", "OK "+tok+"\n"); out != "welcome"+toAnn {
		t.Errorf("%s\n%s", out, text)
	}
	out, text := r.mail(m, "Subject: CHEAP PILLS\r\n", "OK "+tok+" cheap pills\n")
	if out != said || !strings.Contains(text, "answered already") || strings.Contains(text+r.subjects(), "pills") {
		t.Errorf("%s\n%s", out, text)
	}
}

// An envelope can be forged as well as From: then little of the mail comes back, and
// no link.
func TestLittleOfAMailIsRepeated(t *testing.T) {
	r := newRig(t)
	r.readsAll()
	header, body := advert()
	for _, body := range []string{body, "click http://evil.example/x\nor //evil.example\nor www.evil.example and evil.example " + strings.Repeat("pills ", 90) + "\n",
		strings.Repeat("INFO evil.example/x\nsubscribe talk WITH http://evil.example\n", 12)} {
		out, text := r.mail(command.Mail{Entry: command.AtServer}, header, body)
		lower := strings.ToLower(text)
		for _, link := range []string{"http", "www.", "//", "evil.example"} {
			if strings.Contains(lower, link) {
				t.Errorf("%s in\n%s", link, text)
			}
		}
		if n := strings.Count(lower, "evil") + strings.Count(lower, "pills"); !strings.HasSuffix(out, said) || r.subjects() != "" || n > 6 {
			t.Errorf("%s %d times %q\n%s", out, n, r.subjects(), text)
		}
	}
	for subject, want := range map[string]string{"lists": "lists", "Re: INFO talk": "INFO talk", "hello": "", "search talk " + strings.Repeat("x ", 60): ""} {
		if out, _ := r.mail(command.Mail{Entry: command.AtServer}, "Subject: "+subject+"\r\n", "lists\n"); out != said || r.subjects() != want {
			t.Errorf("%s: %s %q", subject, out, r.subjects())
		}
	}
	if _, text := r.mail(command.Mail{Entry: command.AtServer}, "", "info talk@lists.example.org\n"); !strings.HasPrefix(text, "> info talk@lists.example.org\n") {
		t.Error(text)
	}
}

func TestFewOtherAddressesInOneMail(t *testing.T) {
	r := newRig(t)
	body := ""
	for i := range 20 {
		body += fmt.Sprintf("subscribe talk p%d@example.com\n", i)
	}
	out, text := r.mail(command.Mail{Entry: command.AtServer}, "", body)
	if strings.Count(out, "confirm-join") != 10 || strings.Count(text, "> ") != 10 || !strings.HasPrefix(text, "> subscribe talk p0@example.com\n    If p0@example.com is not") ||
		!strings.HasSuffix(text, "Nothing was done\nfor the next one,\n    p10@example.com\nnor for those after it, 10 commands in all. Please send them again in\nanother mail.") {
		t.Errorf("%s\n%s", out, text)
	}
	// Nothing but the address that the answer names comes back.
	out, text = r.mail(command.Mail{Entry: command.AtServer}, "", "subscribe talk address=q@example.com Buy at http://evil.example\n")
	if strings.Contains(text, "evil.example") {
		t.Errorf("%s\n%s", out, text)
	}
}

// A line that was written many times was answered as many times.
func TestEqualBlocksAreOne(t *testing.T) {
	r := newRig(t)
	_, text := r.mail(command.Mail{Entry: command.AtServer}, "", strings.Repeat("info gardening\n", 8)+strings.Repeat("info talk\n", 3)+"help signoff\n")
	if strings.Count(text, "> ") != 4 || !strings.Contains(text, "> INFO … (5 times)\n    There is no list") || !strings.Contains(text, "> info talk (3 times)\n") {
		t.Error(text)
	}
}
