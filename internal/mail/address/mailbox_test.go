package address

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// show writes a list of mailboxes in one line.
func show(boxes []Mailbox) string {
	var out []string
	for _, b := range boxes {
		out = append(out, b.Name+"|"+b.Address.String())
	}
	return strings.Join(out, "; ")
}

func TestParseList(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"ann@example.org", "|ann@example.org"},
		{"Ann B <ann@example.org>, bob@example.net", "Ann B|ann@example.org; |bob@example.net"},
		{`"B, Ann \"x\"" <ann@example.org>`, `B, Ann "x"|ann@example.org`},
		{"ann@example.org (Ann (the first) B)", "Ann (the first) B|ann@example.org"},
		{"Ann (x) <ann@example.org>", "Ann|ann@example.org"},
		{"friends: ann@example.org, Bob <bob@example.net>;, carl@example.com", "|ann@example.org; Bob|bob@example.net; |carl@example.com"},
		{"undisclosed-recipients:;", ""},
		{"Undisclosed recipients: ;", ""},
		{"=?utf-8?q?J=C3=BCrgen?= =?utf-8?q?_M?= <j@example.org>", "Jürgen M|j@example.org"},
		{`"=?iso-8859-1?q?J=FCrgen?=" <j@example.org>`, "Jürgen|j@example.org"},
		{"J\xfcrgen <j@example.org>", "Jürgen|j@example.org"},
		{"B, Ann <ann@example.org>", "Ann|ann@example.org"},
		{"Ann <ann@example.org> Bob <bob@example.org>", "Ann|ann@example.org; Bob|bob@example.org"},
		{"<ann@example.org> <bob@example.org>", "|ann@example.org; |bob@example.org"},
		{"ann@example.org; bob@example.org", "|ann@example.org; |bob@example.org"},
		{"Ann ann@example.org", "Ann|ann@example.org"},
		{"ann @ example . org", "|ann@example.org"},
		{"ann . b @ example.org", "|ann.b@example.org"},
		{"<@r.example,@s.example:ann@example.org>", "|ann@example.org"},
		{"<mailto:ann@example.org>", "|ann@example.org"},
		{`"Ann <ann@example.org>, bob@example.net`, "Ann|ann@example.org; |bob@example.net"},
		{"ann@example.org (unclosed, bob@example.net", "|ann@example.org; |bob@example.net"},
		{`"a b"@example.org`, `|"a b"@example.org`},
		{"ann@example.org,,, ,bob@example.net,", "|ann@example.org; |bob@example.net"},
		{"MAILER-DAEMON, <>, ann at example.org", ""},
		{"ann@example.org <ann@example.org>", "ann@example.org|ann@example.org"},
		{"ann@example..org, bob@example.net", "|bob@example.net"},
		{"Ann\r\n B\r\n\t<ann@example.org>", "Ann B|ann@example.org"},
		{"\"Ann\r\nBcc: x@example.net\" <ann@example.org>", "Ann Bcc: x@example.net|ann@example.org"},
		{"ann@example.org, x@[192.0.2.1]", "|ann@example.org"},
	} {
		if got := show(ParseList(c.in)); got != c.want {
			t.Errorf("ParseList(%q)\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestMailboxString(t *testing.T) {
	a := Address{Local: "ann", Domain: "example.org"}
	for _, c := range []struct{ name, want string }{
		{"", "ann@example.org"},
		{"Ann B", "Ann B <ann@example.org>"},
		{"Ann B.", `"Ann B." <ann@example.org>`},
		{`Ann "x" \`, `"Ann \"x\" \\" <ann@example.org>`},
		{"Ann\r\nBcc: all@example.net", `"Ann Bcc: all@example.net" <ann@example.org>`},
		{"Ann\x00\x1b", "Ann <ann@example.org>"},
		{"Jürgen", "=?utf-8?q?J=C3=BCrgen?= <ann@example.org>"},
		{"=?utf-8?q?x?=", "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <ann@example.org>"},
		{"\r\n", "ann@example.org"},
	} {
		if got := (Mailbox{Name: c.name, Address: a}).String(); got != c.want {
			t.Errorf("name %q: %s, want %s", c.name, got, c.want)
		}
	}
	long := Mailbox{Name: strings.Repeat("ж", 5000), Address: a}.String()
	if len(long) > 998 || len(ParseList(long)) != 1 {
		t.Errorf("a long name gives %d octets", len(long))
	}
}

func TestNamesSurvive(t *testing.T) {
	a := Address{Local: "ann", Domain: "example.org"}
	for _, name := range []string{"Ann", "A. B.", "Ünïcode Näme", "日本語の名前 とても長いので二つに分かれます", "a,b;c:d<e>f@g", "x=?y?=z", "'quoted'", "Ann (x)", "Zoë 🙂"} {
		got := ParseList(Mailbox{Name: name, Address: a}.String())
		if len(got) != 1 || got[0].Name != name || got[0].Address != a {
			t.Errorf("%q came back as %+v", name, got)
		}
	}
}

func TestListsOfAbuse(t *testing.T) {
	for name, in := range map[string]string{
		"many":        strings.Repeat("a@example.org,", 100_000),
		"parens":      strings.Repeat("(", 300_000),
		"quotes":      strings.Repeat(`"\`, 150_000),
		"angles":      strings.Repeat("<", 300_000),
		"colons":      strings.Repeat("a:", 150_000),
		"brackets":    "a@" + strings.Repeat("[", 300_000),
		"words":       strings.Repeat("a ", 150_000),
		"ats":         strings.Repeat("@", 300_000),
		"routes":      "<" + strings.Repeat("@a,", 100_000) + ":a@example.org>",
		"comments":    strings.Repeat("(a)", 100_000) + "a@example.org",
		"late at":     strings.Repeat("w ", 60_000) + "@" + strings.Repeat(" :", 60_000),
		"nul":         strings.Repeat("\x00", 300_000),
		"alternation": strings.Repeat("<a@example.org> b ", 20_000),
	} {
		if got := ParseList(in); len(got) > maxEntries {
			t.Errorf("%s: %d entries", name, len(got))
		}
	}
}

func FuzzParseList(f *testing.F) {
	for _, s := range []string{"a@b", "A <a@b>, c@d", `"x`, "g: a@b;", "(c) <@r:a@b>", "=?utf-8?q?=41?= <a@b>", "a@[x]", "<<a@b>>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, b := range ParseList(s) {
			written := b.String()
			if !utf8.ValidString(b.Name) || strings.ContainsAny(written, "\r\n\x00") {
				t.Fatalf("%q gives %q", s, written)
			}
			again := ParseList(written)
			if len(again) != 1 || again[0].Address != b.Address {
				t.Fatalf("%q written as %q reads as %+v", s, written, again)
			}
		}
	})
}

func BenchmarkParseList(b *testing.B) {
	in := `"B, Ann" <ann@example.org>, =?utf-8?q?J=C3=BCrgen?= <j@example.net>, bob@example.com (Bob)`
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		ParseList(in)
	}
}
