package address

import (
	"errors"
	"strings"
	"testing"

	"plenary/internal/fault"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, local, domain, out string }{
		{"ann@example.org", "ann", "example.org", "ann@example.org"},
		{" <Ann.B@EXAMPLE.org>\r\n", "Ann.B", "example.org", "Ann.B@example.org"},
		{"a+tag@sub.example.org", "a+tag", "sub.example.org", "a+tag@sub.example.org"},
		{"a@localhost", "a", "localhost", "a@localhost"},
		{`"a b"@example.org`, "a b", "example.org", `"a b"@example.org`},
		{`"ann"@example.org`, "ann", "example.org", "ann@example.org"},
		{`"a@b"@example.org`, "a@b", "example.org", `"a@b"@example.org`},
		{`"a\"\\b"@example.org`, `a"\b`, "example.org", `"a\"\\b"@example.org`},
		{"a..b@example.com", "a..b", "example.com", `"a..b"@example.com`},
		{"a.@example.com", "a.", "example.com", `"a."@example.com`},
		{"jürgen@bücher.example", "jürgen", "xn--bcher-kva.example", "jürgen@xn--bcher-kva.example"},
		{"ju\u0308rgen@example.org", "jürgen", "example.org", "jürgen@example.org"},
		{"a@XN--BCHER-KVA.example", "a", "xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"用户@例え.example", "用户", "xn--r8jz45g.example", "用户@xn--r8jz45g.example"},
		{"x@a--b.example", "x", "a--b.example", "x@a--b.example"},
		{"!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~", "example.org", "!#$%&'*+-/=?^_`{|}~@example.org"},
	} {
		a, err := Parse(c.in)
		if err != nil || a.Local != c.local || a.Domain != c.domain {
			t.Errorf("Parse(%q) = %+v, %v", c.in, a, err)
			continue
		}
		if a.String() != c.out {
			t.Errorf("Parse(%q).String() = %q, want %q", c.in, a.String(), c.out)
		}
		if again, err := Parse(a.String()); err != nil || again != a {
			t.Errorf("%q does not survive being written and read: %+v %v", c.in, again, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{"", "ann", "@example.org", "ann@", "a@b@c.example", "a b@example.org", "a\r\nb@example.org", "a\x00b@example.org",
		"Ann <ann@example.org>", "ann@example.org (Ann)", "<@a.example,@b.example:c@d.example>", "a@[192.0.2.1]", "a@192.0.2.1", "a@[IPv6:::1]",
		"a@ex_ample.org", "a@-x.example", "a@x-.example", "a@.example", "a@example..org", "a@example.org.", `"a`, `"a"b@example.org`, `"a\"@example.org`,
		"a\u202eb@example.org", "a\u00a0b@example.org", "a\u0085b@example.org", "a\xffb@example.org", "a@ex\u202eample.org", "a,b@example.org", "a<b@example.org",
		"\"a\tb\"@example.org", "\"a\x00\"@example.org", "a\u2028@example.org", "a\ue000@example.org",
		strings.Repeat("a", 65) + "@example.org", "a@" + strings.Repeat("a", 64) + ".example", "a@" + strings.Repeat("abcdefg.", 40) + "example",
		strings.Repeat("x", 100_000), strings.Repeat("é", 33) + "@example.org"} {
		if a, err := Parse(in); err == nil {
			t.Errorf("Parse(%.60q) = %+v", in, a)
		} else if kind := fault.KindOf(err); kind != fault.Invalid {
			t.Errorf("Parse(%.60q): kind %v", in, kind)
		} else if f := (*fault.Error)(nil); !errors.As(err, &f) || strings.ContainsAny(f.Text, "\r\n\x00") {
			t.Errorf("Parse(%.60q): unsafe text %q", in, err)
		}
	}
	if _, err := Parse(strings.Repeat("a", 64) + "@" + strings.Repeat("abcdefg.", 22) + "example"); err != nil {
		t.Errorf("an address of 248 octets: %v", err)
	}
}

func TestKeyAndForms(t *testing.T) {
	for _, c := range []struct{ in, key, people string }{
		{"Ann.B+x@Example.org", "ann.b+x@example.org", "Ann.B+x@example.org"},
		{"JÜRGEN@bücher.example", "jürgen@xn--bcher-kva.example", "JÜRGEN@bücher.example"},
		{`"A B"@example.org`, "a b@example.org", `"A B"@example.org`},
	} {
		a, err := Parse(c.in)
		if err != nil || a.Key() != c.key || a.Unicode() != c.people {
			t.Errorf("%q: key %q, for people %q, %v", c.in, a.Key(), a.Unicode(), err)
		}
		if (a.Domain == "xn--bcher-kva.example") != a.NeedsUTF8() {
			t.Errorf("%q: NeedsUTF8 %v", c.in, a.NeedsUTF8())
		}
	}
	var none Address
	if !none.IsZero() || none.String() != "" || none.Key() != "" || none.Unicode() != "" {
		t.Error("the zero address is something")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a@b", `"a b"@c.example`, "<x@y>", "ü@ü.example", "a..b@c", "\x00@x", `"\`, "a@xn--a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(a.String(), "\r\n\x00") || len(a.Local) > maxLocal || len(a.Domain) > maxDomain {
			t.Fatalf("%q gives %q", s, a.String())
		}
		again, err := Parse(a.String())
		if err != nil || again != a || again.Key() != a.Key() {
			t.Fatalf("%q written as %q reads as %+v, %v", s, a.String(), again, err)
		}
	})
}
