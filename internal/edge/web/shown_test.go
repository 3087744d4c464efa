package web

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"plenary/internal/model"
)

// holds asks for a page and tells what it lacks and what it should not say.
func holds(t *testing.T, u string, wants, lacks []string) {
	t.Helper()
	status, text, _ := ask(t, "GET", u, "")
	if status != 200 {
		t.Errorf("%s: %d", u, status)
	}
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s: no %q in\n%s", u, want, text)
		}
	}
	for _, bad := range lacks {
		if strings.Contains(text, bad) {
			t.Errorf("%s: %q in\n%s", u, bad, text)
		}
	}
}

func TestHTMLIsShownAsText(t *testing.T) {
	w, srv := start(t)
	html := "Content-Type: text/html; charset=utf-8\r\n\r\n<div>Yes, the <b>oak</b> ones.</div><blockquote>Which shelves?</blockquote>\r\n"
	with := func(kind, part string) string {
		return "Subject: Shelves\r\nMIME-Version: 1.0\r\nContent-Type: multipart/" + kind + "; boundary=b\r\n\r\n--b\r\n" + html + "--b\r\nContent-Type: text/plain\r\n\r\n" + part + "\r\n--b--\r\n"
	}
	only := "Subject: Shelves\r\nMIME-Version: 1.0\r\n" + html
	w.posts = map[string]string{"only": only, "twins": with("alternative", "Yes, the oak ones."), "both": with("mixed", "The plain words.")}
	w.letters = map[int64]string{9: only, 10: with("mixed", "The footer.")}
	words := "<pre>Yes, the oak ones.\n&gt; Which shelves?"
	holds(t, srv.URL+"/archive/open@lists.example.org/only", []string{words}, nil)
	holds(t, srv.URL+"/archive/open@lists.example.org/both", []string{words + "\nThe plain words."}, nil)
	holds(t, srv.URL+"/archive/open@lists.example.org/twins", []string{"<pre>Yes, the oak ones.</pre>"}, nil)
	holds(t, srv.URL+"/catch/9", []string{words}, nil)
	holds(t, srv.URL+"/catch/10", []string{words + "\nThe footer."}, nil)
}

func TestWhatHasNoSubjectIsNamed(t *testing.T) {
	w, srv := start(t)
	none := "<title>(no subject)</title>"
	w.posts = map[string]string{"bare": "From: ann@example.org\r\n\r\nwords\r\n", "blank": "Subject:  =?utf-8?q?=20?=\r\n\r\nwords\r\n"}
	w.letters = map[int64]string{9: w.posts["bare"]}
	w.subject = ""
	holds(t, srv.URL+"/archive/open@lists.example.org/bare", []string{none, "<h1>(no subject)</h1>"}, nil)
	holds(t, srv.URL+"/archive/open@lists.example.org/blank", []string{none}, nil)
	holds(t, srv.URL+"/catch/9", []string{none}, nil)
	holds(t, srv.URL+"/list/open@lists.example.org/search?q=oak", []string{`">(no subject)</a>`}, nil)
}

// TestAnAddressForANameIsHidden: some mail programs write the address where the name should be.
func TestAnAddressForANameIsHidden(t *testing.T) {
	w, srv := start(t)
	w.posts = map[string]string{"name": "From: \"ann@example.net\" <ann@example.net>\r\nSubject: x\r\n\r\nwords\r\n",
		"wide": "From: =?utf-8?q?ann=EF=BC=A0example.net?= <ann@example.net>\r\nSubject: x\r\n\r\nwords\r\n",
		"both": "From: Ann Lee <ann@example.net>\r\nSubject: x\r\n\r\nwords\r\n"}
	holds(t, srv.URL+"/archive/open@lists.example.org/name", []string{"ann@…"}, []string{"example.net"})
	holds(t, srv.URL+"/archive/open@lists.example.org/wide", []string{"ann@…"}, []string{"example.net"})
	holds(t, srv.URL+"/archive/open@lists.example.org/both", []string{"Ann Lee"}, []string{"example.net"})
}

func TestPagesOfferOnlyWhatTheListAllows(t *testing.T) {
	post, join, owner := `href="mailto:talk@lists.example.org"`, `href="mailto:talk-join@lists.example.org"`, `href="mailto:talk-owner@lists.example.org"`
	for _, c := range []struct {
		name                string
		change              func(*model.List)
		page, notPage       []string
		leaving, notLeaving []string // both before and after
	}{
		{"open", func(*model.List) {}, []string{post, join, "answer the confirmation)"}, []string{"moderator"}, []string{"join again at any time", join}, []string{"moderator"}},
		{"moderators agree", func(l *model.List) { l.JoinPolicy = model.JoinConfirmModerate },
			[]string{post, join, "then a moderator must agree"}, nil, []string{"ask to join again", join, "a moderator must agree"}, []string{"at any time"}},
		{"owners add", func(l *model.List) { l.JoinPolicy = model.JoinClosed },
			[]string{post, "Only its owners add people"}, []string{"talk-join@"}, []string{"Only its owners can add you again", owner}, []string{"talk-join@", "at any time"}},
		{"closed", func(l *model.List) { l.Closed = true },
			[]string{"takes no new posts", "takes no new subscribers", "talk-leave@"}, []string{"talk-join@", post}, []string{"nobody can join it again"}, []string{"talk-join@", "at any time"}},
		{"announcements", func(l *model.List) { l.Kind = model.Announcement }, []string{"Only its editors post", join}, []string{post}, []string{join}, nil},
		{"newsletter", func(l *model.List) { l.Kind = model.Newsletter }, []string{"Only its editors post", join}, []string{post}, []string{join}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, srv := start(t)
			c.change(&w.lists[0])
			holds(t, srv.URL+"/list/talk@lists.example.org", c.page, c.notPage)
			holds(t, srv.URL+"/unsubscribe/good", append(c.leaving, "<button"), c.notLeaving)
			_, text, _ := ask(t, "POST", srv.URL+"/unsubscribe/good", "List-Unsubscribe=One-Click")
			for _, want := range append(c.leaving, "You have left School libraries") {
				if !strings.Contains(text, want) {
					t.Errorf("after leaving: no %q in\n%s", want, text)
				}
			}
			for _, bad := range append(c.notLeaving, "<button") {
				if strings.Contains(text, bad) {
					t.Errorf("after leaving: %q in\n%s", bad, text)
				}
			}
		})
	}
}

// A list in another script is found by each of its names, which all lead to one
// page; people read its addresses as they are written, and links are in ASCII.
func TestListInAnotherScript(t *testing.T) {
	w, srv := start(t)
	w.lists = append(w.lists, model.List{ID: 4, Local: "läsning", Domain: "xn--bcher-kva.example", Advertised: true, ArchiveAccess: model.AccessPublic})
	path := "/list/l%C3%A4sning@xn--bcher-kva.example"
	for _, local := range []string{"läsning", "LÄSNING", "la\u0308sning", "xn--lsning-bua", "XN--LSNING-BUA"} {
		for _, domain := range []string{"bücher.example", "BÜCHER.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example"} {
			name := url.PathEscape(local + "@" + domain)
			holds(t, srv.URL+"/list/"+name, []string{`<a href="mailto:xn--lsning-bua@xn--bcher-kva.example">läsning@bücher.example</a>`,
				`<a href="mailto:xn--lsning-bua-join@xn--bcher-kva.example">läsning-join@bücher.example</a>`, fmt.Sprintf(`<form action="%s/search">`, path)}, nil)
			holds(t, srv.URL+"/list/"+name+"/search", []string{fmt.Sprintf(`<form action="%s/search">`, path), fmt.Sprintf(`<a href="%s">läsning</a>`, path)}, nil)
			holds(t, srv.URL+"/archive/"+name+"/abc", []string{fmt.Sprintf(`<a href="%s">läsning@bücher.example</a>`, path)}, nil)
		}
	}
	holds(t, srv.URL+"/", []string{fmt.Sprintf(`<a href="%s">läsning</a>`, path), "läsning@bücher.example"}, []string{">läsning@xn--"})
	for _, wrong := range []string{"xn--lsning-bub@xn--bcher-kva.example", "xn--secret@lists.example.org", "xn--@lists.example.org"} {
		if status, _, _ := ask(t, "GET", srv.URL+"/list/"+wrong, ""); status != 404 {
			t.Errorf("%s: %d", wrong, status)
		}
	}
}
