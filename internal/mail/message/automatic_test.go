package message

import "testing"

func TestIsAutomatic(t *testing.T) {
	for _, c := range []struct {
		path, header string
		yes          bool
	}{
		{"ann@example.org", "Subject: hello\r\n", false},
		{"", "Subject: hello\r\n", true},
		{"<>", "", true},
		{"MAILER-DAEMON@example.org", "", true},
		{"postmaster@example.org", "", true},
		{"talk-bounces@example.org", "", true},
		{"owner-talk@example.org", "", true},
		{"bounces@example.org", "", false},
		{"ann@example.org", "Auto-Submitted: no\r\n", false},
		{"ann@example.org", "Auto-Submitted: No (really)\r\n", false},
		{"ann@example.org", "Auto-Submitted: auto-replied\r\n", true},
		{"ann@example.org", "Auto-Submitted: auto-generated; x=y\r\n", true},
		{"ann@example.org", "auto-submitted: (c) auto-notified\r\n", true},
		{"ann@example.org", "Precedence: bulk\r\n", true},
		{"ann@example.org", "Precedence: LIST\r\n", true},
		{"ann@example.org", "Precedence: junk\r\n", true},
		{"ann@example.org", "Precedence: first-class\r\n", false},
		{"ann@example.org", "List-Id: Talk <talk.example.org>\r\n", true},
		{"ann@example.org", "X-Auto-Response-Suppress: All\r\n", true},
		{"ann@example.org", "X-Auto-Response-Suppress: None\r\n", false},
		{"ann@example.org", "X-Autoreply: yes\r\n", true},
		{"ann@example.org", "Content-Type: multipart/report; report-type=delivery-status\r\n", true},
		{"ann@example.org", "Content-Type: multipart/mixed; boundary=x\r\n", false},
	} {
		why, yes := IsAutomatic(ParseHeader([]byte(c.header+"\r\n")), c.path)
		if yes != c.yes || yes == (why == "") {
			t.Errorf("%q with %q: %v, %q", c.path, c.header, yes, why)
		}
	}
}
