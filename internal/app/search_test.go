package app_test

import (
	"io"
	"net/http"
	"regexp"
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
	p.List("talk@other.example", model.Discussion) // has the short name of the folder
	open := p.List("open@"+host, model.Discussion, "archive-access=public")
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
	raw := testkit.Mail("From: Bo <bo@example.net>", "To: open@"+host, "Subject: Open", "Message-ID: <3@example.net>", "", "Oak for all.")
	if _, _, err := p.Store.SavePost(t.Context(), archive.Make(open, raw, nil, model.At(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)), true)); err != nil {
		t.Fatal(err)
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
		{"ann@example.org", "SEARCH talk 図書", "«図書»館", "Shelves"},
		{"ann@example.org", "SEARCH talk is:unread", "Library hours", "Shelves"},
		{"ann@example.org", "SEARCH talk oak -is:unread", "Shelves", "Library hours"},
		{"bo@example.net", "SEARCH talk is:unread", "What is: looks at are your own marks", "Shelves"},
		{"ann@example.org", "SEARCH talk s: oak", "Behind s: belongs a word", ""},
		{"ann@example.org", "SEARCH talk *elves", "The * stands at the end of a word", ""},
		{"ann@example.org", "SEARCH talk oak", "To read them, open the folder Lists/talk@" + host + " in your mail program: IMAP at", "http"},
		{"cleo@example.com", "SEARCH open oak", "«Oak» for all. http", "folder"},
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

// TestSearchOnTheWeb: the page of a public list answers the same question, and its
// links open the posts.
func TestSearchOnTheWeb(t *testing.T) {
	p := testkit.Start(t)
	l := p.List("open@"+host, model.Discussion, "archive-access=public")
	raw := testkit.Mail("From: Bo <bo@example.net>", "To: open@"+host, "Subject: Shelves", "Message-ID: <1@example.net>", "", "The oak shelves came.")
	if _, _, err := p.Store.SavePost(t.Context(), archive.Make(l, raw, nil, model.At(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)), true)); err != nil {
		t.Fatal(err)
	}
	get := func(path string) string {
		t.Helper()
		resp, err := http.Get("http://" + p.At.HTTP + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(path, resp.Status, err)
		}
		return string(body)
	}
	found := get("/list/open@" + host + "/search?q=s:shelves+oak")
	link := regexp.MustCompile(`<a href="(/archive/[^"]+)">Shelves</a>`).FindStringSubmatch(found)
	if link == nil || !strings.Contains(found, "The <mark>oak</mark>") {
		t.Fatal(found)
	}
	if text := get(link[1]); !strings.Contains(text, "The oak shelves came.") {
		t.Error(text)
	}
	if text := get("/list/open@" + host + "/search?q=s:"); !strings.Contains(text, "Behind s: belongs a word") {
		t.Error(text)
	}
}
