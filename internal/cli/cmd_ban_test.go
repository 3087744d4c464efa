package cli

import (
	"testing"

	"plenary/internal/testkit"
)

// TestBans: from the command line to the SMTP dialogue of a running service.
func TestBans(t *testing.T) {
	b := newBeside(t)
	b.ok("list", "create", talk)
	b.ok("list", "create", news, "--kind", "discussion")
	b.ok("subscriber", "add", talk, "ann@example.org")
	b.ok("subscriber", "add", news, "ann@example.org")
	try := func(from, to string) int {
		t.Helper()
		return testkit.Send(t, b.at.SMTP, from, []string{to}, testkit.Mail("From: "+from, "To: "+to, "Subject: x", "Message-ID: <"+from+to+"@x>", "", from)).Code
	}
	b.has(b.ok("ban", "add", "Ann@Example.ORG", "--list", talk, "--reason", "adverts"), "ann@example.org is banned from "+talk, "still on "+talk)
	if code := try("ann@example.org", talk); code != 550 {
		t.Errorf("a banned subscriber gets %d", code)
	}
	if code := try("ann@example.org", news); code != 250 {
		t.Errorf("on another list she gets %d", code)
	}
	b.ok("ban", "add", "@spam.example", "--site", "--days", "3")
	b.ok("ban", "add", "*@*.bad.example", "--site", "--until", "2099-01-01")
	for from, want := range map[string]int{"x@spam.example": 550, "x@a.bad.example": 550, "x@bad.example": 250} {
		if code := try(from, news); code != want {
			t.Errorf("%s gets %d", from, code)
		}
	}
	b.has(b.ok("ban", "ls"), talk, "(all)", "@spam.example", "for good", "adverts", "cli")
	if n := len(b.json("ban", "ls", news)); n != 2 {
		t.Errorf("%d bans hold on %s", n, news)
	}
	for _, row := range b.json("ban", "ls") {
		if row["pattern"] == "*@*.bad.example" && (row["until"] != "2099-01-01T00:00:00Z" || row["list"] != "" || row["over"] != false) {
			t.Errorf("%v", row)
		}
	}
	b.has(b.ok("trace", "ann@example.org"), "was banned (adverts) by the postmaster")
	b.ok("ban", "rm", "ann@example.org", "--list", talk)
	if code := try("ann@example.org", talk); code != 250 {
		t.Errorf("after the ban was lifted she gets %d", code)
	}
	b.has(b.ok("ban", "add", "*@example.org", "--site", "--remove"), "ann@example.org was taken off "+talk, "ann@example.org was taken off "+news)
	b.has(b.ok("ban", "add", "x@bücher.example", "--site"), "x@xn--bcher-kva.example is banned from all lists")
	b.ok("ban", "rm", "@SPAM.example", "--site")

	b.fails(exitFailure, "is not banned from the site; plenary ban ls", "ban", "rm", "@spam.example", "--site")
	b.fails(exitFailure, "is not banned from "+talk, "ban", "rm", "@spam.example", "--list", talk)
	b.fails(exitFailure, "would ban everybody", "ban", "add", "*@*", "--site")
	b.fails(exitFailure, "no address, @domain or pattern", "ban", "add", "spam.example", "--site")
	b.fails(exitFailure, "xn-- form", "ban", "add", "*@*.bücher.example", "--site")
	b.fails(exitFailure, "over before it begins", "ban", "add", "x@y.example", "--site", "--until", "2020-01-01")
	b.fails(exitFailure, "no list", "ban", "add", "x@y.example", "--list", "none@lists.example.org")
	b.fails(exitUsage, "no day", "ban", "add", "x@y.example", "--site", "--until", "soon")
	b.fails(exitUsage, "--site", "ban", "add", "x@y.example")
	b.fails(exitUsage, "--site", "ban", "add", "x@y.example", "--site", "--list", talk)
}
