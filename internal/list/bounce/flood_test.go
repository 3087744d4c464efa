package bounce_test

import (
	"context"
	"strings"
	"testing"

	"plenary/internal/fault"
	"plenary/internal/list/bounce"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
	"plenary/internal/token"
)

// Anybody could fill the disk through return addresses: mail of any size and number was
// kept, from whoever wrote it.

func TestAnAddressWithoutAnIDTakesReportsOnly(t *testing.T) {
	b := bounce.New(bounce.Deps{Tokens: token.New([]byte("secret"))})
	list := &model.List{Local: "talk", Domain: "example.org"}
	for _, c := range []struct {
		report bounce.Report
		says   string
	}{
		{bounce.Report{List: list}, ""},
		{bounce.Report{List: list, ID: "x", ReversePath: "x@evil.example"}, ""},
		{bounce.Report{List: list, ReversePath: "x@evil.example"}, "please write to talk-owner@example.org."},
		{bounce.Report{ReversePath: "x@evil.example"}, "please write to the postmaster."},
	} {
		err := b.Takes(c.report)
		if (err == nil) != (c.says == "") || err != nil && (!fault.Is(err, fault.NotFound) || !strings.Contains(fault.Text(err), c.says)) {
			t.Errorf("%+v: %v", c.report, err)
		}
	}
}

func TestSoManyReportsAreKeptInADay(t *testing.T) {
	s, keys := stores.SQLite(t), token.New([]byte("secret"))
	ctx, b := context.Background(), bounce.New(bounce.Deps{Store: s, Tokens: keys})
	count := func(id string, distribution, recipient int64) int {
		for range 230 {
			if err := b.Record(ctx, bounce.Report{List: &model.List{ID: 5}, ID: id, Raw: []byte("Subject: x\r\n\r\n")}); err != nil {
				t.Fatal(err)
			}
		}
		rows, err := s.BouncesOf(ctx, distribution, recipient)
		if err != nil {
			t.Fatal(err)
		}
		return len(rows)
	}
	if n := count(keys.Verp(7, 9), 7, 9); n != 20 {
		t.Errorf("%d reports about one delivery are kept", n)
	}
	if n := count("", 0, 0); n != 200 {
		t.Errorf("%d reports about none are kept", n)
	}
}

// TestALargeReportIsCut: what tells who failed stays, the load goes.
func TestALargeReportIsCut(t *testing.T) {
	load := strings.Repeat(strings.Repeat("x", 76)+"\r\n", 40_000)
	report := "From: MAILER-DAEMON@example.net\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b 1\"\r\n\r\n" +
		"--b 1\r\nContent-Type: multipart/related; boundary=in\r\n\r\n--in\r\nContent-Type: text/html\r\n\r\n" + load + "\r\n--in\r\n\r\nYour mail came back.\r\n" + load + "\r\n--in--\r\n" +
		"--b 1\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; ann@example.net\r\nStatus: 5.1.1\r\n\r\n" +
		"--b 1\r\nContent-Type: message/rfc822\r\n\r\nSubject: The post\r\nMessage-ID: <1@x>\r\n\r\n" + load + "\r\n--b 1--\r\n"
	s, keys := stores.SQLite(t), token.New([]byte("secret"))
	for i, raw := range []string{report, "Subject: no report\r\n\r\n" + load, load, "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: application/zip\r\n\r\n" + load} {
		got := keep(t, s, keys, int64(i+1), raw)
		if len(got) > 64<<10 {
			t.Fatalf("%d: %d octets are kept", i, len(got))
		}
		if i > 0 {
			continue
		}
		parts := message.Scan([]byte(got)).Root.Children
		for n, want := range []string{"Status: 5.1.1", "Message-ID: <1@x>", "Your mail came back."} {
			if len(parts) != 3 || !strings.Contains(got[parts[n].HeaderStart:parts[n].End], want) {
				t.Fatalf("%d parts, %s is not in its place:\n%.2000s", len(parts), want, got)
			}
		}
		if strings.Contains(got, "text/html") {
			t.Error("what no program reads is kept")
		}
	}
}

// TestALongHeaderKeepsItsMeaning: what tells how a report is read stays, wherever in a
// long header it stands.
func TestALongHeaderKeepsItsMeaning(t *testing.T) {
	trace := strings.Repeat("Received: from a by b; "+strings.Repeat("x", 70)+"\r\n", 400)
	load := strings.Repeat(strings.Repeat("x", 76)+"\r\n", 2000)
	to := "To: " + strings.Repeat("somebody@example.org,\r\n ", 1000) + "ann@example.org\r\n"
	report := "From: MAILER-DAEMON@example.net\r\n" + trace + to + "Message-Id: <r@x>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; ann@example.net\r\nStatus: 5.1.1\r\n\r\n" +
		"--b\r\nContent-Type: message/rfc822\r\n\r\n" + trace + "Message-ID: <1@x>\r\nSubject: The post\r\n--b\r\nContent-Type: text/html\r\n\r\n" + load + "\r\n--b--\r\n"
	got := keep(t, stores.SQLite(t), token.New([]byte("secret")), 1, report)
	if len(got) > 64<<10 {
		t.Fatalf("%d octets are kept", len(got))
	}
	root := message.Scan([]byte(got)).Root
	if root.Type != "multipart" || len(root.Children) != 2 {
		t.Fatalf("%s with %d parts", root.Type, len(root.Children))
	}
	header, status, post := got[:root.BodyStart], root.Children[0], root.Children[1]
	for _, want := range []string{"From: MAILER-DAEMON", "Message-Id: <r@x>", "Auto-Submitted:", "MIME-Version:", "Received:"} {
		if !strings.Contains(header, want) {
			t.Errorf("the header has no %s", want)
		}
	}
	if !strings.Contains(got[status.HeaderStart:status.End], "Status: 5.1.1") {
		t.Error("the status is gone")
	}
	if post.Message == nil || !strings.HasPrefix(got[post.BodyStart:post.End], "Message-ID: <1@x>\r\nSubject: The post\r\nReceived:") {
		t.Error("the post that came back is not known again")
	}
}

// keep records a report and gives what is kept of it.
func keep(t *testing.T, s *store.Store, keys *token.Keyring, id int64, raw string) string {
	t.Helper()
	ctx, b := context.Background(), bounce.New(bounce.Deps{Store: s, Tokens: keys})
	if err := b.Record(ctx, bounce.Report{ID: keys.Verp(id, 1), Raw: []byte(raw)}); err != nil {
		t.Fatal(err)
	}
	rows, err := s.BouncesOf(ctx, id, 1)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	got, err := s.Bytes(ctx, rows[0].BytesID)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}
