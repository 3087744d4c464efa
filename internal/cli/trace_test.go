package cli

import (
	"strings"
	"testing"

	"plenary/internal/list/notify"
	"plenary/internal/testkit/sink"
)

// story is a list with a week's worth of fates, told by what trace says.
func story(t *testing.T) *beside {
	b := newBeside(t)
	b.ok("list", "create", talk)
	b.ok("subscriber", "add", talk, "early@example.org")
	b.ok("subscriber", "add", talk, "ann@example.org", "Ann")
	b.ok("subscriber", "add", talk, "mod@example.org", "--role", "moderator")
	b.ok("subscriber", "add", talk, "off@example.org", "--set", "delivery=off-by-subscriber")
	b.ok("subscriber", "add", talk, "bounced@example.org", "--set", "delivery=off-by-bounces")
	b.ok("subscriber", "rm", talk, "early@example.org")
	b.post("ann@example.org", "first")
	b.ok("subscriber", "add", talk, "late@example.org")
	b.post("ann@example.org", "second")
	b.wait("the copies", func() bool {
		return b.got("ann@example.org", "second") == 1 && b.got("late@example.org", "second") == 1
	})
	b.wait("the records", func() bool {
		return strings.Contains(b.ok("trace", "first@example.net"), "finished") && strings.Contains(b.ok("trace", "second@example.net"), "finished")
	})
	return b
}

// line gives the lines of trace that hold all of these.
func (b *beside) line(text string, want ...string) {
	b.t.Helper()
next:
	for line := range strings.Lines(text) {
		for _, w := range want {
			if !strings.Contains(line, w) {
				continue next
			}
		}
		return
	}
	b.t.Errorf("no line with %q in:\n%s", want, text)
}

// TestTraceOfAPerson: why did I not get it?
func TestTraceOfAPerson(t *testing.T) {
	b := story(t)
	ann := b.ok("trace", "ann@example.org")
	b.line(ann, talk, "ann@example.org is on the list as subscriber since", "delivery is on")
	b.line(ann, `"first" <first@example.net>`, "delivered; the answer was: 250")
	b.line(ann, `"second" <second@example.net>`, "was accepted", "came from 127.0.0.1, reverse-path <ann@example.org>")
	b.line(ann, "was added as subscriber by the postmaster")
	if strings.Index(ann, "<second@") > strings.Index(ann, "<first@") {
		t.Errorf("the oldest comes first:\n%s", ann)
	}
	if strings.ContainsAny(ann, "{}") {
		t.Errorf("trace prints JSON:\n%s", ann)
	}
	late := b.ok("trace", "late@example.org")
	b.line(late, `"first"`, "not sent: joined on", "after this post")
	b.line(late, `"second"`, "delivered")
	early := b.ok("trace", "early@example.org")
	b.line(early, "is not on the list: was on it from", "(removed by the postmaster)")
	b.line(early, `"first"`, "not sent: had left on", "(removed by the postmaster)")
	b.line(early, "was taken off the list by the postmaster")
	off := b.ok("trace", "off@example.org")
	b.line(off, "delivery is off, by her own choice")
	b.line(off, `"first"`, "not sent: delivery is off")
	bounced := b.ok("trace", "bounced@example.org")
	b.line(bounced, "delivery is off because her address bounced")
	b.line(bounced, `"second"`, "not sent: delivery is off because of bounces")
	mod := b.ok("trace", "mod@example.org")
	b.line(mod, "is on the list as moderator only and gets no posts")
	b.line(mod, `"first"`, "not sent: on the list as moderator only")

	b.ok("subscriber", "add", talk, "early@example.org")
	again := b.ok("trace", "early@example.org", "first@example.net")
	b.line(again, `"first"`, "not sent: had left on")
	if strings.Contains(again, "second") {
		t.Errorf("the part in one message tells of another:\n%s", again)
	}
	if n := strings.Count(b.ok("trace", "ann@example.org", "--limit", "1"), "delivered"); n != 1 {
		t.Errorf("--limit 1 tells of %d copies", n)
	}
	for _, l := range b.json("trace", "ann@example.org") {
		if l["what"] == "delivery.sent" && (l["code"] != 250.0 || l["message"] == "" || l["subject"] == "" || l["list"] != talk || l["reply"] == "" || l["at"] == "") {
			t.Errorf("%v", l)
		}
	}
	b.fails(exitFailure, "nothing is known of nobody@example.org", "trace", "nobody@example.org")
	b.fails(exitFailure, "nothing is known of the message <nope@x>", "trace", "ann@example.org", "<nope@x>")
	b.fails(exitUsage, "--limit", "trace", "ann@example.org", "--limit", "0")
}

// TestTraceOfAnAuthor: what became of my post?
func TestTraceOfAnAuthor(t *testing.T) {
	b := story(t)
	b.post("stranger@example.com", "released")
	b.post("stranger@example.com", "refused")
	b.ok("held", "approve", b.held("released"))
	b.ok("held", "reject", b.held("refused"), "--reason", "Not about libraries.")
	b.ok("list", "set", talk, "nonsubscriber-action=reject")
	told := b.ok("trace", "stranger@example.com")
	b.line(told, "<released@example.net>", "was held by the rule nonsubscriber-hold: ")
	b.line(told, "<released@example.net>", "the moderators were asked about held post 1; plenary held show 1")
	b.line(told, `"released" <released@example.net>`, "was released by the postmaster")
	b.line(told, "<refused@example.net>", "was refused by the postmaster: Not about libraries. (held post 2)")
	b.line(told, `letter of ours`)

	// Whoever is shown what became of the letters to a moderator cannot decide by it.
	tokens := map[string]bool{}
	b.wait("the letters to the moderator", func() bool {
		for l := range b.sink.Snapshot().Letters {
			if token := notify.TokenOf(l.MessageID); token != "" && l.Recipient == "mod@example.org" {
				tokens[token] = true
			}
		}
		return len(tokens) == 2
	})
	b.line(b.ok("trace", "mod@example.org"), "To decide: released (...)", "<confirm.....")
	both := b.ok("trace", "mod@example.org") + b.ok("trace", "mod@example.org", "--json")
	for token := range tokens {
		if strings.Contains(both, token) {
			t.Errorf("the token %s is told:\n%s", token, both)
		}
	}
}

// TestTraceOfAMessage: one line for each event, down to the answer of the
// recipient's server.
func TestTraceOfAMessage(t *testing.T) {
	b := story(t)
	told := b.ok("trace", "<first@example.net>")
	b.line(told, "was accepted (came from 127.0.0.1")
	b.line(told, `is in the archive as UID 1, "first" from ann@example.org`)
	b.line(told, "3 recipients: sent 1, to be tried again 0, failed 0, skipped 2 (1: delivery is off, 1: delivery is off because of bounces); finished ")
	b.line(told, "ann@example.org: delivered; the answer was: 250")
	b.line(told, "off@example.org: not sent: delivery is off")
	if strings.Contains(told, "<first@example.net>") || strings.ContainsAny(told, "{}") {
		t.Errorf("repeats what was asked, or JSON:\n%s", told)
	}
	short := b.ok("trace", "first@example.net", "--limit", "1")
	b.line(short, "2 more recipients are counted above")
	if strings.Contains(short, "delivered;") {
		t.Errorf("trouble does not come first:\n%s", short)
	}
	addr := b.sink.Addr()
	_ = b.sink.Close()
	refusing, err := sink.Start(sink.Options{Addr: addr, RefuseData: "550 5.1.1 no such person"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = refusing.Close() })
	b.post("ann@example.org", "third")
	b.wait("the refusal", func() bool { return strings.Contains(b.ok("trace", "third@example.net"), "failed 2") })
	b.line(b.ok("trace", "third@example.net"), "late@example.org: refused for good; the answer was: 550 5.1.1 no such person")
	b.line(b.ok("trace", "late@example.org"), `"third" <third@example.net>`, "refused for good; the answer was: 550 5.1.1 no such person")
	b.ok("queue", "pause")
	b.post("ann@example.org", "fourth")
	b.line(b.ok("trace", "late@example.org"), `"fourth" <fourth@example.net>`, "not sent yet: waits in the queue")
	b.line(b.ok("trace", "fourth@example.net"), "not tried yet 4")
	mbox := b.file("old.mbox", "From x@example.org Mon Jan  5 10:00:00 2026\nFrom: x@example.org\nSubject: old\nMessage-ID: <old@example.org>\n\nOld.\n")
	b.ok("import", "mbox", talk, mbox)
	b.line(b.ok("trace", "old@example.org"), `"old" from x@example.org; it was imported, so nobody was sent a copy`)
}
