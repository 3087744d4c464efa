package imapd

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// encoded is a message of one part with this transfer encoding.
func encoded(encoding, body string) string {
	return crlf("From: bob@example.org\nSubject: Encoded\nMessage-ID: <"+encoding+"@x>\nContent-Type: text/plain\nContent-Transfer-Encoding: "+encoding+"\n\n") + body
}

// TestBinaryIsWhole shows that BINARY gives all of a text whose encoding is
// slightly broken (RFC 3516, RFC 2045 6.8).
func TestBinaryIsWhole(t *testing.T) {
	long := strings.Repeat("words and ", 600)
	m := sample(t)
	_, addr := serve(t, m)
	c := loggedIn(t, addr, "alice@example.org")
	c.exact = true
	for _, s := range []struct{ encoding, body, want string }{
		{"quoted-printable", long + "=20more\r\nlast\r\n", "{6013}\n" + long + " more\r\nlast\r\n"},
		{"quoted-printable", "one\x0ctwo\r\nlast=21\r\n", "{16}\none\x0ctwo\r\nlast!\r\n"},
		{"quoted-printable", "\x1b$B%F%9%H\x1b(B\r\nlast=21\r\n", "{21}\n\x1b$B%F%9%H\x1b(B\r\nlast!\r\n"},
		{"base64", "SGVsbG8gd29ybGQ\r\n", "{11}\nHello world"},
		{"base64", "SGVsb!G8gd29\r\nybGQ=\r\n", "{11}\nHello world"},
	} {
		m.post(1, encoded(s.encoding, s.body))
		c.want("SELECT Lists/talk", "OK")
		if got := c.want("FETCH * BINARY.PEEK[1]", "OK"); !strings.HasSuffix(got[0], "(BINARY[1] "+s.want+")") {
			t.Errorf("%s %.60q: got %.200q", s.encoding, s.body, got)
		}
	}
}

// TestNoLiteralHasNUL: CHAR8 leaves NUL out (RFC 9051 9), literal8 does not. What is
// kept stays as it is.
func TestNoLiteralHasNUL(t *testing.T) {
	m := sample(t)
	raw := crlf("From: bob@example.org\nSubject: a\x00b\nX-Odd: c\x00d\nMessage-ID: <nul@x>\n\none\x00two\n")
	m.post(1, raw)
	_, addr := serve(t, m)
	c := loggedIn(t, addr, "alice@example.org")
	c.exact = true
	c.want("SELECT Lists/talk", "OK")
	for _, s := range [][2]string{
		{"BODY.PEEK[]", "{" + strconv.Itoa(len(raw)) + "}\n" + strings.ReplaceAll(raw, "\x00", "\x80")},
		{"BODY.PEEK[TEXT]", "{9}\none\x80two\r\n"},
		{"BODY.PEEK[1]<2.3>", "{3}\ne\x80t"},
		{"BODY.PEEK[HEADER.FIELDS (Subject)]", "{16}\nSubject: a\x80b\r\n\r\n"},
		{"BODY.PEEK[HEADER.FIELDS (X-Odd)]", "{14}\nX-Odd: c\x80d\r\n\r\n"},
		{"RFC822.TEXT", "{9}\none\x80two\r\n"},
		{"BINARY.PEEK[1]", "~{9}\none\x00two\r\n"},
	} {
		if got := c.want("FETCH 4 "+s[0], "OK"); !strings.HasSuffix(got[0], " "+s[1]+")") {
			t.Errorf("%s: %q", s[0], got)
		}
	}
}

// TestBinaryOfWhatIsNotThere: a part that there is not is NIL, as with BODY; one in
// an encoding that nobody knows is refused, and no size is made up (RFC 3516 4.3).
func TestBinaryOfWhatIsNotThere(t *testing.T) {
	m := sample(t)
	m.post(1, encoded("x-odd", "one\r\n"))
	_, addr := serve(t, m)
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	c.says("FETCH 1 (BODY.PEEK[9] BINARY.PEEK[9])", "* 1 FETCH (BODY[9] NIL BINARY[9] NIL)")
	c.says("FETCH 1 (UID BINARY.SIZE[9])", "* 1 FETCH (UID 1 BINARY.SIZE[9] 0)")
	for _, s := range [][]string{
		{"BINARY.SIZE[1]"},
		{"(UID BINARY.SIZE[1])", "* 4 FETCH (UID 4)"},
		{"(BINARY.SIZE[1] BINARY.SIZE[])", "* 4 FETCH (BINARY.SIZE[] 131)"},
		{"(BODY.PEEK[1]<0.3> BINARY.SIZE[1])", "* 4 FETCH (BODY[1]<0> {3}\none)"},
		{"BINARY.PEEK[1]", "* 4 FETCH (BINARY[1] NIL)"},
	} {
		if got := c.want("FETCH 4 "+s[0], "NO [UNKNOWN-CTE]"); !slices.Equal(got, s[1:]) {
			t.Errorf("%s: %q", s[0], got)
		}
	}
}
