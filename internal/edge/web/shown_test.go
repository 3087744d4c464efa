package web

import (
	"strings"
	"testing"
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
