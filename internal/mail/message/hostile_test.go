package message

import (
	"fmt"
	"strings"
	"testing"
)

// nested gives depth multiparts inside each other, with or without their ends.
func nested(depth int, closed bool) string {
	var out strings.Builder
	for i := range depth {
		fmt.Fprintf(&out, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	out.WriteString("Content-Type: text/plain\r\n\r\nwords\r\n")
	if closed {
		for i := depth - 1; i >= 0; i-- {
			fmt.Fprintf(&out, "--b%d--\r\n", i)
		}
	}
	return out.String()
}

// TestHostile holds input made to hurt against every function. It has no
// clock: what is not linear here does not end within the time go test allows.
func TestHostile(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		opaque    bool
	}{
		{"multiparts, closed, 10 deep", nested(10, true), false},
		{"multiparts, unclosed, 10 deep", nested(10, false), false},
		{"multiparts, unclosed, 20 deep", nested(20, false), false}, // enmime: 1.7 s
		{"multiparts, unclosed, 24 deep", nested(24, false), false}, // enmime: more than 25 s
		{"multiparts, unclosed, 50 deep", nested(50, false), false}, // enmime: weeks
		{"multiparts, unclosed, 51 deep", nested(51, false), true},
		{"multiparts, unclosed, 1000 deep", nested(1000, false), true},
		{"multiparts, closed, 1000 deep", nested(1000, true), true},
		{"50,000 empty parts", mixed + strings.Repeat("--b\r\n", 50_000), true},
		{"50,000 text parts", mixed + strings.Repeat("--b\r\n\r\nwords here\r\n", 50_000), true},
		{"900 parts", mixed + strings.Repeat("--b\r\n\r\nwords\r\n", 900) + "--b--\r\n", false},
		{"messages, 15 deep", strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 15) + "\r\nwords", false},
		{"messages, 1000 deep", strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 1000) + "\r\nwords", true},
		{"messages, 100,000 deep", strings.Repeat("Content-Type: message/rfc822\n\n", 100_000), true},
		{"one boundary for all levels", strings.Repeat("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 1000), true},
		{"100,000 fields", strings.Repeat("A: b\r\n", 100_000) + "\r\nwords", true},
		{"100,000 fields in a part", mixed + "--b\r\n" + strings.Repeat("A: b\r\n", 100_000) + "\r\nwords\r\n--b--\r\n", true},
		{"one long field", "Subject: " + strings.Repeat("x", 5<<20) + "\r\n\r\nwords", true},
		{"folded for ever", "Subject: x" + strings.Repeat("\r\n y", 200_000) + "\r\n\r\nwords", true},
		{"nothing but NUL", strings.Repeat("\x00", 1<<20), true},
		{"no header, NUL inside", "hello\x00\r\n\r\n" + strings.Repeat("\x00", 1<<20), false},
		{"one line of 50 MB", "A: b\r\n\r\n" + strings.Repeat("words and ", 5<<20), false},
		{"one line of 20 MB in a part", mixed + "--b\r\n\r\n" + strings.Repeat("words and ", 2<<20), false},
		{"one line of 20 MB of base64", "Content-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("d29yZHM", 3<<20), false},
		{"one line of 8 MB of quoted-printable", "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("=41", 3<<20), false},
		{"soft breaks", "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("=\r\n", 1<<20), false},
		{"broken base64", "Content-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("=", 2<<20), false},
		{"almost boundaries", mixed + strings.Repeat("--\n", 2<<20), false},
		{"empty lines", "A: b\r\n\r\n" + strings.Repeat("\n", 4<<20), false},
		{"html tags", "Content-Type: text/html\r\n\r\n" + strings.Repeat("<p><blockquote>", 200_000) + "words", false},
		{"html open brackets", "Content-Type: text/html\r\n\r\n" + strings.Repeat("<", 2<<20), false},
		{"html one tag", "Content-Type: text/html\r\n\r\nwords<a " + strings.Repeat("a=b ", 1<<20), false},
		{"html comments", "Content-Type: text/html\r\n\r\n" + strings.Repeat("<!--", 1<<19), false},
		{"html entities", "Content-Type: text/html\r\n\r\n" + strings.Repeat("&", 2<<20), false},
		{"html scripts", "Content-Type: text/html\r\n\r\n" + strings.Repeat("<script>", 1<<18), false},
		{"html unclosed scripts with ends", "Content-Type: text/html\r\n\r\n" + strings.Repeat("<script></scrip", 1<<18), false},
		{"quote marks", "A: b\r\n\r\n" + strings.Repeat(">", 4<<20), false},
		{"quote marks, flowed", "Content-Type: text/plain; format=flowed\r\n\r\n" + strings.Repeat("> ", 1<<20) + strings.Repeat("\r\n> ", 100_000), false},
		{"introductions", "A: b\r\n\r\n" + strings.Repeat("On x:\n", 200_000), false},
		{"parameters", "Content-Type: text/plain" + strings.Repeat("; a=b", 40_000) + "\r\n\r\nwords", false},
		{"continued parameters", "Content-Type: text/plain" + strings.Repeat("; a*1=b", 30_000) + "\r\n\r\nwords", false},
		{"comments", "Content-Type: " + strings.Repeat("(", 200_000) + "\r\n\r\nwords", false},
		{"addresses", "To: " + strings.Repeat("a@x,", 60_000) + "\r\n\r\nwords", false},
		{"references", "References: " + strings.Repeat("<a@x> ", 40_000) + "\r\n\r\nwords", false},
		{"date", "Date: " + strings.Repeat("1 ", 100_000) + "\r\n\r\nwords", false},
	} {
		raw := []byte(c.raw)
		if err := checkAll(raw); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		s := Scan(raw)
		if s.Opaque != c.opaque || s.Opaque != (s.Why != "") {
			t.Errorf("%s: opaque %v (%s), want %v", c.name, s.Opaque, s.Why, c.opaque)
		}
		h := ParseHeader(raw)
		h.Date()
		h.References()
		h.MessageID()
		IsAutomatic(h, "a@x")
		BaseSubject(h.Text("Subject"))
		UsualHeader(ParseHeader(raw))
	}
}

// TestNestingIsRead shows that what would hang enmime is not only survived but read.
func TestNestingIsRead(t *testing.T) {
	for _, depth := range []int{1, 10, 20, 50} {
		for _, closed := range []bool{true, false} {
			r := Read([]byte(nested(depth, closed)))
			if r.Body != "words" || r.Opaque {
				t.Errorf("depth %d, closed %v: %+v", depth, closed, r)
			}
		}
	}
	s := Scan([]byte(nested(3, false)))
	if !s.Unclosed || Scan([]byte(nested(3, true))).Unclosed {
		t.Error("Unclosed is wrong")
	}
}

// TestEnmimeSeesNoMultipart puts a multipart where enmime decodes: inside the
// encoding, where a parser that looks again would find it.
func TestEnmimeSeesNoMultipart(t *testing.T) {
	for _, encoding := range []string{"quoted-printable", "base64"} {
		body := nested(30, false)
		if out, ok := enmimeLeaf([]byte(body), encoding); ok && encoding == "quoted-printable" && !strings.Contains(string(out), "words") {
			t.Errorf("%s: %q", encoding, out)
		}
		Read([]byte("Content-Type: text/plain\r\nContent-Transfer-Encoding: " + encoding + "\r\n\r\n" + body))
	}
}
