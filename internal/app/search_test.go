package app_test

import (
	"strings"
	"testing"
	"time"

	"plenary/internal/list/archive"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/testkit"
)

// TestSearchByMail: the letter that answers SEARCH shows the posts as the archive
// has them, with the marks of who asks; a query that is none is explained.
func TestSearchByMail(t *testing.T) {
	p := testkit.Start(t)
	talk := "talk@" + host
	l := p.List(talk, model.Discussion, "name=School library people")
	p.Add(l, model.RoleSubscriber, "ann@example.org", "bo@example.net")
	p.Password("ann@example.org")
	for _, post := range [][3]string{{"1", "Shelves", "The oak shelves came."}, {"2", "Library hours", "Oak is closed on Monday. 図書館"}} {
		raw := testkit.Mail("From: Bo <bo@example.net>", "To: School library people <"+talk+">", "Subject: "+post[1], "Message-ID: <"+post[0]+"@example.net>",
			"Content-Type: text/plain; charset=utf-8", "", post[2])
		np := archive.Make(l, raw, nil, model.At(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)), true)
		if _, _, err := p.Store.SavePost(t.Context(), np); err != nil {
			t.Fatal(err)
		}
	}
	acc, err := p.Store.FindAccount(t.Context(), "ann@example.org")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Store.SetFlag(t.Context(), model.Mark{Account: acc.ID, List: l.ID, Flag: `\seen`}, []model.UID{1}, true); err != nil {
		t.Fatal(err)
	}
	letters := map[string]int{}
	for _, c := range []struct{ from, line, says, not string }{
		{"ann@example.org", "SEARCH talk oak", "2 posts match, newest first:", ""},
		{"ann@example.org", "SEARCH talk library", "2026-03-02  Bo: Library hours\n        Oak is closed", "Shelves"},
		{"ann@example.org", "SEARCH talk “oak shelves”", "The «oak» «shelves» came.", "Monday"},
		{"ann@example.org", "SEARCH talk 図書", "«図書館»", "Shelves"},
		{"ann@example.org", "SEARCH talk is:unread", "Library hours", "Shelves"},
		{"ann@example.org", "SEARCH talk oak -is:unread", "Shelves", "Library hours"},
		{"bo@example.net", "SEARCH talk is:unread", "What is: looks at are your own marks", "Shelves"},
		{"ann@example.org", "SEARCH talk s: oak", "Behind s: belongs a word", ""},
		{"ann@example.org", "SEARCH talk *elves", "The * stands at the end of a word", ""},
		{"ann@example.org", "HELP SEARCH", "thread:Message-ID.", "Also"},
	} {
		raw := testkit.Mail("From: "+c.from, "To: listserv@"+host, "Subject:", "Message-ID: <q"+c.from+string(rune('a'+letters[c.from]))+">",
			"Content-Type: text/plain; charset=utf-8", "", c.line)
		if r := p.Send(c.from, []string{"listserv@" + host}, raw); r.Code != 250 {
			t.Fatal(r)
		}
		letters[c.from]++
		all := p.Caught(c.from, letters[c.from])
		last, err := p.Store.GetCaught(t.Context(), all[len(all)-1].ID)
		if err != nil {
			t.Fatal(err)
		}
		text := message.Read(last.Data).Body + message.Read(last.Data).Quoted
		if one := strings.Join(strings.Fields(text), " "); !strings.Contains(one, strings.Join(strings.Fields(c.says), " ")) || c.not != "" && strings.Contains(one, c.not) {
			t.Errorf("%s: %s", c.line, text)
		}
	}
}
