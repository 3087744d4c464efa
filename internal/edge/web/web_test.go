package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/metrics"
	"plenary/internal/model"
)

// world answers for the services.
type world struct {
	lists   []model.List
	left    []string
	unwell  string
	posts   map[string]string // by permalink
	letters map[int64]string
	subject string // of what is found
}

func (w *world) Lists(context.Context) ([]model.List, error) {
	return append([]model.List{}, w.lists...), nil
}
func (w *world) FindList(_ context.Context, local, domain string) (*model.List, error) {
	for i := range w.lists {
		if w.lists[i].Local == local && w.lists[i].Domain == domain {
			return &w.lists[i], nil
		}
	}
	return nil, nil
}
func (w *world) GetList(_ context.Context, id int64) (*model.List, error) { return &w.lists[id-1], nil }
func (w *world) OneClickList(_ context.Context, token string) (*model.List, error) {
	if token != "good" {
		return nil, fault.New(fault.NotFound, "this link does not name a subscription")
	}
	return &w.lists[0], nil
}
func (w *world) OneClick(_ context.Context, token string) error {
	w.left = append(w.left, token)
	return nil
}
func (w *world) Recipients(context.Context) ([]string, error) {
	return []string{"ann@example.org"}, nil
}
func (w *world) Letters(_ context.Context, _ string, before int64, _ int) ([]Caught, error) {
	c, _ := w.Letter(context.Background(), 7)
	if before != 0 {
		return nil, nil
	}
	return []Caught{*c}, nil
}
func (w *world) Letter(_ context.Context, id int64) (*Caught, error) {
	if id != 7 && w.letters[id] != "" {
		return &Caught{ID: id, Recipient: "ann@example.org", Data: []byte(w.letters[id])}, nil
	}
	if id != 7 {
		return nil, fault.New(fault.NotFound, "there is no such letter")
	}
	return &Caught{ID: 7, Recipient: "ann@example.org", At: time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC), ReversePath: "talk-bounces+x@lists.example.org",
		Data: []byte("From: =?utf-8?q?Zo=C3=AB?= <zoe@example.com>\r\nTo: talk@lists.example.org\r\nSubject: <script>alert(1)</script>\r\n\r\nHello <b>all</b>\r\n")}, nil
}
func (w *world) PostByPermalink(_ context.Context, _ *model.List, hash string) ([]byte, error) {
	if w.posts[hash] != "" {
		return []byte(w.posts[hash]), nil
	}
	if hash != "abc" {
		return nil, fault.New(fault.NotFound, "there is no such post")
	}
	c, _ := w.Letter(context.Background(), 7)
	return c.Data, nil
}

// Ask finds 41 posts that hold "oak".
func (w *world) Ask(_ context.Context, who model.Actor, a archive.Ask) (archive.Answer, error) {
	switch {
	case !who.Anonymous || a.List != 2 || a.Limit != 20:
		return archive.Answer{}, fmt.Errorf("asked %+v by %+v", a, who)
	case strings.HasPrefix(a.Text, "is:"):
		return archive.Answer{}, archive.ErrWhose
	case !strings.Contains(a.Text, "oak"):
		return archive.Answer{}, nil
	}
	out := archive.Answer{Total: 41}
	for range min(20, 41-a.Skip) {
		out.Hits = append(out.Hits, archive.Hit{Author: "ann@example.org", Subject: w.subject, MessageID: "1@example.org", Snippet: "the \x01oak\x02 <b> \x01tree\x02"})
	}
	return out, nil
}

func start(t *testing.T) (*world, *httptest.Server) {
	t.Helper()
	w := &world{subject: "Oak", lists: []model.List{
		{ID: 1, Local: "talk", Domain: "lists.example.org", Name: "School libraries", Description: "For colleagues", Advertised: true},
		{ID: 2, Local: "open", Domain: "lists.example.org", Advertised: true, ArchiveAccess: model.AccessPublic},
		{ID: 3, Local: "secret", Domain: "lists.example.org"},
	}}
	s, err := New(Options{Hostname: "lists.example.org", Lists: w, Leave: w, Catcher: w, Archive: w, Search: w, Metrics: metrics.New().Handler(),
		Folder: func(_ context.Context, l *model.List) (string, error) { return "Lists/" + l.Address(), nil },
		Health: func(context.Context) (bool, string) { return w.unwell == "", "ok" + w.unwell }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.http.Handler)
	t.Cleanup(srv.Close)
	return w, srv
}

func ask(t *testing.T, method, u, body string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, u, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), resp.Header
}

func TestPages(t *testing.T) {
	_, srv := start(t)
	for _, c := range []struct {
		path   string
		status int
		has    string
	}{
		{"/", 200, "School libraries"},
		{"/list/talk@lists.example.org", 200, "talk-join@lists.example.org"},
		{"/list/talk@lists.example.org", 200, "<b>Lists/talk@lists.example.org</b>"},
		{"/list/TALK@Lists.Example.ORG", 200, "talk-join@lists.example.org"},
		{"/list/secret@lists.example.org", 404, "no such list"},
		{"/list/none@lists.example.org", 404, "no such list"},
		{"/list/" + url.PathEscape("../../etc/passwd"), 404, "no such list"},
		{"/archive/open@lists.example.org/abc", 200, "Hello &lt;b&gt;all"},
		{"/archive/open@lists.example.org/xyz", 404, "no such post"},
		{"/list/open@lists.example.org", 200, `<form action="/list/open@lists.example.org/search">`},
		{"/list/open@lists.example.org/search", 200, "Search"},
		{"/list/open@lists.example.org/search?q=oak", 200, `the <mark>oak</mark> &lt;b&gt; <mark>tree</mark>`},
		{"/list/open@lists.example.org/search?q=oak", 200, `<a href="/archive/open@lists.example.org/`},
		{"/list/open@lists.example.org/search?q=oak", 200, "· ann@…<"},
		{"/list/open@lists.example.org/search?q=%22oak%22&order=best", 200, `<a href="?order=best&amp;q=%22oak%22&amp;skip=20">More`},
		{"/list/open@lists.example.org/search?q=oak&skip=20", 200, "41 posts match"},
		{"/list/open@lists.example.org/search?q=nothing", 200, "No post matches."},
		{"/list/open@lists.example.org/search?q=is:unread", 200, "are your own marks"},
		{"/list/open@lists.example.org/search?q=" + strings.Repeat("x", 2001), 200, "too long"},
		{"/list/open@lists.example.org/search?q=" + strings.Repeat("%E7%8C%AB", 1500), 200, "No post matches."},
		{"/list/open@lists.example.org/search?q=%ff%fe", 200, "That is not text in UTF-8"},
		{"/list/talk@lists.example.org/search?q=oak", 403, "for subscribers"},
		{"/list/secret@lists.example.org/search?q=oak", 404, "no such list"},
		{"/archive/talk@lists.example.org/abc", 403, "for subscribers"},
		{"/archive/secret@lists.example.org/abc", 404, "no such list"},
		{"/unsubscribe/good", 200, "Leave the list"},
		{"/unsubscribe/bad", 404, "does not name"},
		{"/catch", 200, "&lt;script&gt;"},
		{"/catch?to=ann@example.org", 200, "ann@example.org"},
		{"/catch/7", 200, "x@lists.example.org"},
		{"/catch/8", 404, "no such letter"},
		{"/catch/x", 404, "no such letter"},
		{"/catch/7/raw", 200, "Subject: <script>"},
		{"/assets/style.css", 200, "color-scheme"},
		{"/assets/page.html", 404, ""},
		{"/healthz", 200, "ok"},
		{"/metrics", 200, "go_goroutines"},
		{"/nothing", 404, ""},
	} {
		status, text, h := ask(t, "GET", srv.URL+c.path, "")
		if status != c.status || !strings.Contains(text, c.has) {
			t.Errorf("%s: %d, wants %d and %q in\n%s", c.path, status, c.status, c.has, text)
		}
		if !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: no policy", c.path)
		}
		if strings.Contains(text, "<script>") && !strings.HasSuffix(c.path, "/raw") {
			t.Errorf("%s: foreign markup came through", c.path)
		}
	}
}

func TestOnlyPostLeaves(t *testing.T) {
	w, srv := start(t)
	for _, method := range []string{"GET", "HEAD"} {
		ask(t, method, srv.URL+"/unsubscribe/good", "")
	}
	if len(w.left) != 0 {
		t.Fatal("a GET changed something")
	}
	status, text, h := ask(t, "POST", srv.URL+"/unsubscribe/good", "List-Unsubscribe=One-Click")
	if status != 200 || len(w.left) != 1 || h.Get("Location") != "" || h.Get("Set-Cookie") != "" || !strings.Contains(text, "You have left") {
		t.Fatalf("%d %v %v %s", status, w.left, h, text)
	}
	if status, _, _ = ask(t, "POST", srv.URL+"/unsubscribe/bad", "List-Unsubscribe=One-Click"); status != 404 || len(w.left) != 1 {
		t.Fatalf("a wrong token: %d, %v", status, w.left)
	}
}

func TestMetricsAreNotForStrangersBehindAProxy(t *testing.T) {
	_, srv := start(t)
	req, err := http.NewRequest("GET", srv.URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", "192.0.2.1")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 404 {
		t.Errorf("a stranger behind a proxy gets %d", resp.StatusCode)
	}
}

func TestHealthSaysWhenTheDatabaseIsAway(t *testing.T) {
	w, srv := start(t)
	if status, text, _ := ask(t, "GET", srv.URL+"/healthz", ""); status != 200 || text != "ok\n" {
		t.Fatalf("%d %s", status, text)
	}
	w.unwell = ", the database is away"
	if status, text, _ := ask(t, "GET", srv.URL+"/healthz", ""); status != 503 || text != "ok, the database is away\n" {
		t.Fatalf("%d %s", status, text)
	}
}
