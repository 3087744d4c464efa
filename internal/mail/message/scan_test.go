package message

import (
	"fmt"
	"strings"
	"testing"
)

// sketch draws a tree as type(children) with the text of the leaves.
func sketch(raw []byte, p *Part) string {
	name := p.Subtype
	switch {
	case p.isMultipart():
		var kids []string
		for _, c := range p.Children {
			kids = append(kids, sketch(raw, c))
		}
		return name + "(" + strings.Join(kids, " ") + ")"
	case p.Message != nil:
		return name + "(" + sketch(raw, p.Message) + ")"
	}
	return fmt.Sprintf("%s%q", name, raw[p.BodyStart:p.End])
}

const mixed = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"

func TestScan(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"empty", "", `plain""`},
		{"plain", "A: b\n\nhello\n", `plain"hello\n"`},
		{"no body", "A: b\n", `plain""`},
		{"two parts", mixed + "pre\n--b\n\none\n--b\nContent-Type: text/html\n\ntwo\n\n--b--\nepilogue\n", `mixed(plain"one" html"two\n")`},
		{"at once", mixed + "--b\n\none\n--b--", `mixed(plain"one")`},
		{"unclosed", mixed + "--b\n\none\n--b\n\ntwo\n", `mixed(plain"one" plain"two\n")`},
		{"white space after", mixed + "--b \t\n\none\n--b-- \n", `mixed(plain"one")`},
		{"something after the end", mixed + "--b\n\none\n--b-->\n", `mixed(plain"one")`},
		{"something after a start is text", mixed + "--b\n\none\n--bc\ntwo\n--b--", `mixed(plain"one\n--bc\ntwo")`},
		{"no part", mixed + "text\n", `mixed(plain"text\n")`},
		{"only the end", mixed + "text\n--b--\n", `mixed(plain"text\n--b--\n")`},
		{"no boundary", "Content-Type: multipart/mixed\n\ntext\n", `mixed(plain"text\n")`},
		{"empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\n\n--\ntext\n", `mixed(plain"--\ntext\n")`},
		{"empty parts", mixed + "--b\n--b\n\n--b\nA: b\n--b--\n", `mixed(plain"" plain"" plain"")`},
		{"header without empty line", mixed + "--b\nContent-Type: text/html\n--b--\n", `mixed(html"")`},
		{"boundary in a header", mixed + "--b\nX: a\n\nc\n--b\nX:\n --b\n\nd\n--b--\n", `mixed(plain"c" plain"d")`},
		{"nested", mixed + "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n--c\n\ntwo\n--c--\n\n--b\n\nthree\n--b--\n",
			`mixed(alternative(plain"one" plain"two") plain"three")`},
		{"inner unclosed", mixed + "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n--b\n\nthree\n--b--\n", `mixed(alternative(plain"one") plain"three")`},
		{"prefix of each other", mixed + "--b\nContent-Type: multipart/alternative; boundary=bb\n\n--bb\n\none\n--bb--\n--b\n\nthree\n--b--\n",
			`mixed(alternative(plain"one") plain"three")`},
		{"same boundary twice: the inner one", mixed + "--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\none\n--b--\n--b\n\nthree\n--b--\n",
			`mixed(alternative(plain"one") plain"three")`},
		{"message", mixed + "--b\nContent-Type: message/rfc822\n\nSubject: x\n\ninside\n--b--\n", `mixed(rfc822(plain"inside"))`},
		{"message in message", "Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nA: b\n\ninside\n", `rfc822(rfc822(plain"inside\n"))`},
		{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nA: b\n\none\n--b\nContent-Type: text/plain\n\ntwo\n--b--\n", `digest(rfc822(plain"one") plain"two")`},
		{"message cut by the boundary", mixed + "--b\nContent-Type: message/rfc822\n\nSubject: x\n--b--\n", `mixed(rfc822(plain""))`},
		{"broken type", "Content-Type: text\n\nx", `plain"x"`},
		{"type without a semicolon", "Content-Type: text/html charset=utf-8\n\nx", `html"x"`},
		{"boundary with a quote mark", "Content-Type: multipart/mixed; boundary=\"a b\\\"\"\n\n--a b\"\n\nx\n--a b\"--\n", `mixed(plain"x")`},
		{"continued boundary", "Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\n\n--ab\n\nx\n--ab--\n", `mixed(plain"x")`},
		{"mbox line first", "From x Mon\nContent-Type: text/html\n\nx", `html"x"`},
		{"type twice: the first", "Content-Type: text/html\nContent-Type: text/plain\n\nx", `html"x"`},
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			raw := []byte(strings.ReplaceAll(strings.ReplaceAll(c.raw, "\r\n", "\n"), "\n", eol))
			s := Scan(raw)
			want := strings.ReplaceAll(c.want, `\n`, strings.Trim(fmt.Sprintf("%q", eol), `"`))
			if got := sketch(raw, s.Root); got != want || s.Opaque {
				t.Errorf("%s (%q):\n got %s\nwant %s", c.name, eol, got, want)
			}
			if err := checkAll(raw); err != nil {
				t.Errorf("%s (%q): %v", c.name, eol, err)
			}
		}
	}
}

const tree = mixed +
	"--b\r\n\r\none\r\n" +
	"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\ntwo\r\n--c\r\nX: y\r\n\r\nthree\r\n--c--\r\n" +
	"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: leaf\r\n\r\nfour\r\n" +
	"--b--\r\n"

func TestSection(t *testing.T) {
	raw := []byte(tree)
	s := Scan(raw)
	for _, c := range []struct {
		path []int
		what string
		want string // "-" for no such section
	}{
		{nil, "", tree},
		{nil, "HEADER", mixed},
		{nil, "TEXT", tree[len(mixed):]},
		{nil, "MIME", "-"},
		{[]int{1}, "", "one"},
		{[]int{1}, "MIME", "\r\n"},
		{[]int{1}, "HEADER", "-"},
		{[]int{1, 1}, "", "-"},
		{[]int{2}, "HEADER", "Subject: inner\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"},
		{[]int{2}, "TEXT", "--c\r\n\r\ntwo\r\n--c\r\nX: y\r\n\r\nthree\r\n--c--"},
		{[]int{2}, "MIME", "Content-Type: message/rfc822\r\n\r\n"},
		{[]int{2, 1}, "", "two"},
		{[]int{2, 2}, "", "three"},
		{[]int{2, 2}, "MIME", "X: y\r\n\r\n"},
		{[]int{2, 3}, "", "-"},
		{[]int{3}, "", "Subject: leaf\r\n\r\nfour"},
		{[]int{3, 1}, "", "four"},
		{[]int{3, 1}, "MIME", "Subject: leaf\r\n\r\n"},
		{[]int{3, 1, 1}, "", "-"},
		{[]int{0}, "", "-"},
		{[]int{-1}, "", "-"},
		{[]int{4}, "", "-"},
		{[]int{1}, "NONSENSE", "-"},
	} {
		start, end, ok := s.Section(raw, c.path, c.what)
		got := "-"
		if ok {
			got = string(raw[start:end])
		}
		if got != c.want {
			t.Errorf("%v %s: %q, want %q", c.path, c.what, got, c.want)
		}
	}
	single := []byte("A: b\r\n\r\nhello")
	if start, end, ok := Scan(single).Section(single, []int{1}, ""); !ok || string(single[start:end]) != "hello" {
		t.Error("part 1 of a message of one part")
	}
	if p := s.Find([]int{2, 2}); p == nil || fmt.Sprint(p.Path) != "[2 2]" {
		t.Error("Find and Path do not agree")
	}
}
