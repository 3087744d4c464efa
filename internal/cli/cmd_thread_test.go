package cli

import "testing"

func TestThreadVerbs(t *testing.T) {
	r := newRig(t)
	r.ok("list", "create", "talk@lists.example.org")
	const sep = "From ann@example.org Mon Mar  2 10:00:00 2026\n"
	mbox := sep + "Message-ID: <a@x>\nFrom: Ann <ann@example.org>\nSubject: Shelves\n\none\n\n" +
		sep + "Message-ID: <b@x>\nFrom: Bob <bob@example.org>\nSubject: Re: Shelves\nReferences: <a@x>\n\ntwo\n\n" +
		sep + "Message-ID: <c@x>\nFrom: \x1b[31mCy\nSubject: Ladders\nReferences: <gone@x>\n\nthree\n\n" +
		sep + "Message-ID: <d@x>\nFrom: Ann <ann@example.org>\nSubject: Ladders\nReferences: <gone@x>\n\nfour\n"
	r.ok("import", "mbox", "talk@lists.example.org", r.file("a.mbox", mbox))
	show := func(post string) (out []string) {
		for _, row := range r.json("thread", "show", "talk@lists.example.org", post) {
			text := ""
			for range int(row["depth"].(float64)) {
				text += "."
			}
			out = append(out, text+row["message_id"].(string)+" "+row["by"].(string))
		}
		return out
	}
	same := func(got []string, want ...string) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%q, want %q", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%q, want %q", got, want)
			}
		}
	}
	same(show("2"), "a@x references", ".b@x references")
	same(show("c@x"), "gone@x references", ".c@x references", ".d@x references")
	r.has(r.ok("thread", "show", "talk@lists.example.org", "<d@x>"), "(a message that never came: gone@x)", "· Ladders")
	r.has(r.ok("thread", "show", "talk@lists.example.org", "1"), "-           Ann", "references  Bob")
	r.has(r.ok("thread", "split", "talk@lists.example.org", "2"), "a thread of its own")
	same(show("2"), "b@x moderator")
	r.has(r.ok("thread", "merge", "talk@lists.example.org", "4", "a@x"), "belongs to")
	same(show("a@x"), "a@x references", ".c@x references", ".d@x references")
	r.has(r.ok("thread", "move", "talk@lists.example.org", "a@x", "b@x"), "stands below")
	same(show("4"), "b@x moderator", ".a@x moderator", "..c@x references", "..d@x references")
	r.ok("archive", "reindex", "talk@lists.example.org")
	r.ok("archive", "check", "talk@lists.example.org")
	same(show("4"), "b@x moderator", ".a@x moderator", "..c@x references", "..d@x references")
	r.has(r.ok("thread", "reset", "talk@lists.example.org", "a@x"), "where its message says")
	r.ok("thread", "reset", "talk@lists.example.org", "c@x") // the missing message above it was moved
	same(show("c@x"), "gone@x references", ".c@x references", ".d@x references")
	r.has(r.ok("trace", "b@x"), "was made a thread of its own by the postmaster")
	r.fails(exitFailure, "no post", "thread", "show", "talk@lists.example.org", "nobody@x")
	r.fails(exitFailure, "below itself", "thread", "move", "talk@lists.example.org", "b@x", "b@x")
	r.fails(exitFailure, "no moderator decided", "thread", "reset", "talk@lists.example.org", "d@x")
}

// Taking a decision back does not hang a post below itself: another decision has to
// go first.
func TestResetMakesNoLoop(t *testing.T) {
	r := newRig(t)
	r.ok("list", "create", "talk@lists.example.org")
	const sep = "From ann@example.org Mon Mar  2 10:00:00 2026\n"
	mbox := sep + "Message-ID: <k1@x>\nFrom: Ann <ann@example.org>\nSubject: Shelves\n\none\n\n" +
		sep + "Message-ID: <k2@x>\nFrom: Bob <bob@example.org>\nSubject: Re: Shelves\nReferences: <k1@x>\n\ntwo\n\n" +
		sep + "Message-ID: <k3@x>\nFrom: Cy <cy@example.org>\nSubject: Re: Shelves\nReferences: <k1@x> <k2@x>\n\nthree\n\n" +
		sep + "Message-ID: <l1@x>\nFrom: Cy <cy@example.org>\nSubject: Loop\nReferences: <l2@x>\n\nfour\n\n" +
		sep + "Message-ID: <l2@x>\nFrom: Cy <cy@example.org>\nSubject: Loop\nReferences: <l1@x>\n\nfive\n"
	r.ok("import", "mbox", "talk@lists.example.org", r.file("a.mbox", mbox))
	r.ok("thread", "split", "talk@lists.example.org", "k2@x")
	r.ok("thread", "move", "talk@lists.example.org", "k1@x", "k3@x")
	before := r.ok("thread", "show", "talk@lists.example.org", "k1@x")
	r.fails(exitFailure, "take that back first", "thread", "reset", "talk@lists.example.org", "k2@x")
	if after := r.ok("thread", "show", "talk@lists.example.org", "k1@x"); after != before {
		t.Errorf("%s became\n%s", before, after)
	}
	r.ok("thread", "reset", "talk@lists.example.org", "k1@x")
	r.ok("thread", "reset", "talk@lists.example.org", "k2@x")
	r.ok("thread", "split", "talk@lists.example.org", "l2@x") // messages that name each other
	r.ok("thread", "reset", "talk@lists.example.org", "l2@x")
	r.ok("archive", "check", "talk@lists.example.org")
}
