package app_test

import (
	"strings"
	"sync"
	"testing"

	"plenary/internal/config"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/sink"
)

// TestAListInAnotherScriptGoesThroughAnyRelay: the copies and letters of
// läsning@bücher.example pass a relay without SMTPUTF8 (RFC 6531), answers and
// bounces find back, and only who has such an address herself is refused, for
// good and with the reason.
func TestAListInAnotherScriptGoesThroughAnyRelay(t *testing.T) {
	var mu sync.Mutex
	paths, texts := map[string]string{}, map[string]string{}
	k, err := sink.Start(sink.Options{NoUTF8: true, OnMessage: func(m sink.Message) {
		mu.Lock()
		defer mu.Unlock()
		paths[m.Recipients[0]], texts[m.Recipients[0]] = m.ReversePath, string(m.Data)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	got := func(who string) (path, text string) {
		mu.Lock()
		defer mu.Unlock()
		path, text = paths[who], texts[who]
		delete(texts, who)
		return path, text
	}
	p := testkit.Start(t, func(c *config.Config) {
		c.Outbound.Mode, c.Outbound.Relay, c.Outbound.RelayTLS = "relay", k.Addr(), "none"
	})
	l := p.List("läsning@bücher.example", model.Discussion, "reply-to=list", "name=Läsning", "subject-tag=[läsning]")
	p.Add(l, model.RoleSubscriber, "bo@example.net", "åsa@example.net")

	// Joining by the ASCII form, answered by just replying.
	p.Send("ann@example.org", []string{"xn--lsning-bua-join@xn--bcher-kva.example"}, testkit.Mail("From: ann@example.org", "To: läsning-join@bücher.example", "Subject: x", "", ""))
	var letter string
	eventually(t, "the letter that asks Ann", func() bool { _, letter = got("ann@example.org"); return letter != "" })
	if h := letter[:strings.Index(letter, "\r\n\r\n")]; !ascii(h) || !strings.Contains(h, "xn--lsning-bua-confirm+") {
		t.Errorf("the letter's header:\n%s", h)
	}
	reply := message.ParseHeader([]byte(letter)).Addresses("Reply-To")[0].Address.String()
	if r := p.Send("ann@example.org", []string{reply}, testkit.Mail("From: ann@example.org", "To: "+reply, "Subject: Re: x", "", "")); r.Code != 250 {
		t.Fatal(r)
	}
	eventually(t, "Ann's welcome", func() bool { _, letter = got("ann@example.org"); return strings.Contains(letter, "l=C3=A4sning@") })

	if r := p.Send("ann@example.org", []string{"xn--lsning-bua@xn--bcher-kva.example"}, testkit.Mail("From: ann@example.org",
		"To: xn--lsning-bua@xn--bcher-kva.example", "Subject: hours", "Message-ID: <1@example.org>", "", "Hello.")); r.Code != 250 {
		t.Fatal(r)
	}
	var path, text string
	eventually(t, "Bo's copy", func() bool { path, text = got("bo@example.net"); return text != "" })
	if !ascii(path) || !ascii(text) || !strings.Contains(path, "-bounces+") {
		t.Errorf("reverse-path %s\n%s", path, text)
	}
	if r := p.Send("", []string{path}, testkit.Mail("From: mailer-daemon@example.net", "Subject: failure", "", "no such user")); r.Code != 250 {
		t.Errorf("a bounce to the copy's reverse-path: %v", r)
	}
	eventually(t, "what became of Åsa's copy", func() bool {
		for id := int64(1); id < 20; id++ {
			rows, err := p.Store.TracedDeliveries(t.Context(), id, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				if r.Email == "åsa@example.net" {
					return r.State == model.DeliveryFailed && strings.Contains(r.Reply, "needs SMTPUTF8")
				}
			}
		}
		return false
	})
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 126 }) < 0
}
