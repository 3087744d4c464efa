package cli

import (
	"os"
	"strings"
	"testing"
)

func TestSearchVerb(t *testing.T) {
	r := newRig(t)
	r.ok("list", "create", "talk@lists.example.org")
	r.ok("subscriber", "add", "talk@lists.example.org", "ann@example.org")
	r.ok("access", "ann@example.org")
	r.ok("access", "bob@example.org")
	const sep = "From ann@example.org Mon Mar  2 10:00:00 2026\n"
	r.ok("import", "mbox", "talk@lists.example.org", r.file("a.mbox", sep+"Message-ID: <a@x>\nFrom: Ann <ann@example.org>\nSubject: Oak\n\noak shelves\n\n"+
		sep+"Message-ID: <b@x>\nFrom: Bob <bob@example.org>\nSubject: Shelves\n\nno oak\n\n"+sep+"Message-ID: <c@x>\nFrom: Cy <cy@example.org>\nSubject: Elm\n\noak \x1b[31mor elm\n"))
	r.has(r.ok("search", "talk@lists.example.org", "oak", "--limit", "1"), "«oak»", "1 of 3 posts that match")
	first := func(args ...string) string {
		return r.json(append([]string{"search", "talk@lists.example.org"}, args...)...)[0]["message_id"].(string)
	}
	if a, b, c := first("oak"), first("oak", "--best"), first("oak", "--skip", "1"); a != "c@x" || b != "a@x" || c != "b@x" {
		t.Error(a, b, c)
	}
	if n := len(r.json("search", "talk@lists.example.org", "--as", "ann@example.org", "is:unread oak")); n != 3 {
		t.Error(n)
	}
	r.fails(exitFailure, "may not read", "search", "talk@lists.example.org", "--as", "bob@example.org", "oak")
	r.fails(exitFailure, "has no account", "search", "talk@lists.example.org", "--as", "cy@example.org", "oak")
	r.fails(exitUsage, "--as EMAIL", "search", "talk@lists.example.org", "is:unread")
	if id := first("oak", "-elm", "-s:oak"); id != "b@x" {
		t.Error(id)
	}
	if id := first("-(oak", "s:shelves)", "-c:x", "-b:elm"); id != "a@x" {
		t.Error(id)
	}
	r.has(r.ok("search", "talk@lists.example.org", "nothing"), "no post matches")
	r.ok("list", "create", "search@lists.example.org")
	r.ok("import", "mbox", "search@lists.example.org", r.file("b.mbox", sep+"Message-ID: <d@x>\nFrom: Ann <ann@example.org>\nSubject: Oak\n\noak\n"))
	r.has(r.ok("search", "all", "oak", "-elm"), "LIST", "talk@lists.example.org", "search@lists.example.org")
	if all := r.json("search", "all", "oak list:search"); len(all) != 1 || all[0]["list"] != "search@lists.example.org" {
		t.Error(all)
	}
	if n := len(r.json("search", "all", "--as", "ann@example.org", "oak")); n != 3 {
		t.Error(n)
	}
	r.fails(exitFailure, "a bracket is opened and not closed", "search", "talk@lists.example.org", "(oak")
}

// A value that begins with - belongs to its option, and is no word that is not wanted.
func TestSearchOptionsHaveValues(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"search all --limit -1 oak -elm", "search all --limit=-1 oak !elm"},
		{"search all -elm --skip 5", "search all !elm --skip=5"},
		{"-c x search --as -a@x oak -c y -z", "-c x search --as=-a@x oak -c y !z"},
		{"search all -- -elm --limit 3", "search all -- -elm --limit 3"},
		{"search all --limit", "search all --limit"},
	} {
		if got := strings.Join(queryArgs(strings.Fields(c.args)), " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.args, got, c.want)
		}
	}
	r := newRig(t)
	r.fails(exitUsage, "--limit and --skip are numbers", "search", "all", "oak", "--limit", "-1")
	r.ok("list", "create", "talk@lists.example.org")
	r.fails(exitFailure, "is a pipe or a device", "import", "mbox", "talk@lists.example.org", os.DevNull)
}
