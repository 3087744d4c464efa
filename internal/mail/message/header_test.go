package message

import (
	"bytes"
	"strings"
	"testing"
)

func TestParseHeader(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		fields    string // names, "-" for a line that is no field
		size      int
	}{
		{"empty", "", "", 0},
		{"usual", "A: 1\r\nB: 2\r\n\r\nbody\r\n", "A B", 14},
		{"LF", "A: 1\nB: 2\n\nbody\n", "A B", 11},
		{"no body", "A: 1\r\nB: 2\r\n", "A B", 12},
		{"no line end", "A: 1", "A", 4},
		{"only a body", "\r\nbody\r\n", "", 2},
		{"folded", "A: 1\r\n 2\r\n\t3\r\nB: 4\r\n\r\n", "A B", 22},
		{"line of white space goes on", "A: 1\r\n \r\nB: 2\r\n\r\n", "A B", 17},
		{"mbox", "From x Mon\nA: 1\n\n", "- A", 17},
		{"no field inside", "A: 1\r\nnonsense\r\nB: 2\r\n\r\n", "A - B", 24},
		{"folded first", " x\r\nA: 1\r\n\r\n", "- A", 12},
		{"space before colon", "A : 1\r\n\r\n", "A", 9},
		{"space in a name", "A b: 1\r\n\r\n", "-", 10},
		{"colon first", ": 1\r\n\r\n", "-", 7},
		{"8-bit name", "\xc3\xbc: 1\r\n\r\n", "-", 9},
		{"NUL", "A: \x00\r\n\x00: x\r\n\r\n", "A -", 14},
		{"lone CR is no line end", "A: 1\rB: 2\r\n\r\n", "A", 13},
	} {
		raw := []byte(c.raw)
		h := ParseHeader(raw)
		var names []string
		at := 0
		for _, f := range h.Fields() {
			if f.Name == "" {
				names = append(names, "-")
			} else {
				names = append(names, f.Name)
			}
			if f.Start != at || f.End <= f.Start || !bytes.Equal(h.Raw(f), raw[f.Start:f.End]) {
				t.Errorf("%s: field %+v does not follow at %d", c.name, f, at)
			}
			at = f.End
		}
		if got := strings.Join(names, " "); got != c.fields || h.Len() != c.size {
			t.Errorf("%s: fields %q, %d octets; want %q, %d", c.name, got, h.Len(), c.fields, c.size)
		}
	}
}

func TestHeaderValues(t *testing.T) {
	h := ParseHeader([]byte("Subject:  =?utf-8?q?J=C3=BC?=\r\n\t=?utf-8?q?rgen?= \x00x\r\n" +
		"X-Two: one\r\nx-two: two\r\nX-Empty:\r\nX-Fold: a\r\n   b\n c\r\nX-Latin: caf\xe9\r\nX-CR: a\rb\r\n" +
		"From: Ann <ann@example.org>\r\nFrom: bob@example.net\r\n\r\nSubject: body\r\n"))
	for _, c := range []struct{ name, get, text string }{
		{"subject", "=?utf-8?q?J=C3=BC?= =?utf-8?q?rgen?= \x00x", "Jürgen x"},
		{"X-TWO", "one", "one"},
		{"X-Empty", "", ""},
		{"X-Absent", "", ""},
		{"X-Fold", "a   b c", "a b c"},
		{"X-Latin", "caf\xe9", "café"},
		{"X-CR", "a b", "a b"},
	} {
		if got := h.Get(c.name); got != c.get {
			t.Errorf("Get(%s) = %q, want %q", c.name, got, c.get)
		}
		if got := h.Text(c.name); got != c.text {
			t.Errorf("Text(%s) = %q, want %q", c.name, got, c.text)
		}
	}
	if got := h.All("x-TWO"); len(got) != 2 || got[1] != "two" {
		t.Errorf("All: %q", got)
	}
	if !h.Has("x-empty") || h.Has("x-absent") {
		t.Error("Has is wrong")
	}
	if got := h.Addresses("From"); len(got) != 2 || got[0].Name != "Ann" || got[1].Address.String() != "bob@example.net" {
		t.Errorf("Addresses: %+v", got)
	}
}

func TestTextUsesTheCharsetOfTheBody(t *testing.T) {
	h := ParseHeader([]byte("Subject: \xd4\xc5\xd3\xd4\r\nContent-Type: text/plain; charset=koi8-r\r\n\r\n"))
	if got := h.Text("Subject"); got != "тест" {
		t.Errorf("got %q", got)
	}
}

func TestHeaderLimits(t *testing.T) {
	raw := []byte(strings.Repeat("A: 1\r\n", 100_000) + "\r\nbody")
	h := ParseHeader(raw)
	if len(h.Fields()) != MaxFields || h.Len() != len(raw)-4 {
		t.Errorf("%d fields, %d octets", len(h.Fields()), h.Len())
	}
	if UsualHeader(ParseHeader(raw)) != nil {
		t.Error("a part of a header passed for the whole")
	}
}

func TestUsualHeader(t *testing.T) {
	raw := []byte("Received: x\r\n y\r\nsubject: a\r\n b\r\nX-Other: c\r\nFROM: d\r\nLINE\r\nList-Id: <e>\r\nMessage-Id: <f>")
	want := "subject: a\r\n b\r\nFROM: d\r\nList-Id: <e>\r\nMessage-Id: <f>\r\n"
	if got := string(UsualHeader(ParseHeader(raw))); got != want {
		t.Errorf("got %q", got)
	}
	if !UsualField("message-ID") || UsualField("received") || UsualField("") {
		t.Error("UsualField is wrong")
	}
}

func TestMessageID(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"<a@b>", "a@b"},
		{" (x) <a@b> (y)", "a@b"},
		{"a@b", "a@b"},
		{"<a@b", "a@b"},
		{`<"a"@b>`, "a@b"},
		{`<"a b"@c>`, `"a b"@c`},
		{`<"a.b"@c>`, "a.b@c"},
		{"<a@\r\n b>", "a@b"},
		{"<>", ""},
		{"", ""},
		{"two words", ""},
		{"<Ab@C>", "Ab@C"},
		{"<a\xe9@b>", "aé@b"},
		{"<a\x00@b>", "a@b"},
		{"<" + strings.Repeat("a", 600) + ">", ""},
	} {
		h := ParseHeader([]byte("Message-ID: " + c.in + "\r\n\r\n"))
		if got := h.MessageID(); got != c.want {
			t.Errorf("%.40q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestReferences(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"none", "", ""},
		{"in order", "References: <a@x> <b@x>\r\n\t<c@x>\r\n", "a@x b@x c@x"},
		{"glued", "References: <a@x><b@x>,<c@x>\r\n", "a@x b@x c@x"},
		{"doubles: the last counts", "References: <a@x> <b@x> <a@x>\r\n", "b@x a@x"},
		{"reply only", "In-Reply-To: <a@x>\r\n", "a@x"},
		{"reply only, two", "In-Reply-To: <a@x> <b@x>\r\n", "a@x"},
		{"reply only, phrase", "In-Reply-To: Your message of \"Sun\" <a@x>\r\n", "a@x"},
		{"reply known", "References: <a@x> <b@x>\r\nIn-Reply-To: <a@x>\r\n", "a@x b@x"},
		{"reply not known", "References: <a@x>\r\nIn-Reply-To: <b@x>\r\n", "a@x b@x"},
		{"author's address is no id", "References: <a@x>\r\nIn-Reply-To: Message from Ann <ann@x>\r\n", "a@x"},
		{"broken", "References: <a@x> <b <c@x> d>\r\n", "a@x c@x"},
		{"unclosed", "References: <a@x> <b@x\r\n", "a@x"},
		{"quoted", `References: <"a"@x>` + "\r\n", "a@x"},
	} {
		if got := strings.Join(ParseHeader([]byte(c.raw+"\r\n")).References(), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	var many strings.Builder
	many.WriteString("References:")
	for i := range 5000 {
		many.WriteString(" <" + strings.Repeat("x", i%7+1) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)) + "@x>")
	}
	got := ParseHeader([]byte(many.String() + " <last@x>\r\n\r\n")).References()
	if len(got) != maxRefs || got[maxRefs-1] != "last@x" {
		t.Errorf("%d references, the last is %q", len(got), got[len(got)-1])
	}
}
