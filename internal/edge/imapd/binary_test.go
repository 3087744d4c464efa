package imapd

import (
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
