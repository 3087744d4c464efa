package peers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plenary/internal/config"
	"plenary/internal/list/moderation"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/real"
)

// openList takes everything from everybody, as far as rules can be turned off.
func openList(p *testkit.Plenary) *model.List {
	l := p.List("torture@lists.example.org", model.Discussion, "nonsubscriber-action=accept", "hold-size=0", "max-recipients=0",
		"require-destination=no", "administrivia=no")
	p.Add(l, model.RoleSubscriber, reader)
	return l
}

// TestTortureSet sends every message of the MIME corpus through the whole
// program: SMTP, judging, archive, fan-out, IMAP. What rules hold is released. No
// message may meet a 4yz; 5yz only for what cannot go over the wire as it is or
// must not be answered.
func TestTortureSet(t *testing.T) {
	t.Parallel()
	dir := real.Corpus(t, "mime")
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	p := testkit.Start(t, func(c *config.Config) { c.SMTP.MaxMessageBytes = 64 << 20 })
	l := openList(p)
	refused, sent := map[string]int{}, map[string][]byte{}
	for i, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil || !strings.HasSuffix(path, ".eml") && !strings.HasSuffix(path, ".msg") && !strings.HasSuffix(path, ".txt") {
			continue
		}
		raw = wire(raw)
		id := fmt.Sprintf("torture-%d@example.net", i)
		raw = append([]byte("Message-ID: <"+id+">\r\n"), raw...)
		r := p.Send("writer@example.net", []string{l.Address()}, raw)
		switch {
		case r.Code == 250:
			sent[id] = raw
		case r.Code >= 500:
			refused[r.Text]++
		default:
			t.Errorf("%s: %d %s", filepath.Base(path), r.Code, r.Text)
		}
	}
	ctx := context.Background()
	held, err := p.Store.HeldOf(ctx, l.ID, model.HeldPending)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range held {
		if err := p.Moderation.Decide(ctx, moderation.Decision{HeldID: h.ID, Action: model.Accept, By: "test"}); err != nil {
			t.Errorf("held %d (%s): %v", h.ID, h.Reasons, err)
		}
	}
	archived := map[string][]byte{}
	ix, err := p.Reader.Open(ctx, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range ix.Rows() {
		post, err := p.Store.GetPost(ctx, model.MakePostID(l.ID, row.UID))
		if err != nil {
			t.Fatal(err)
		}
		data, err := p.Store.PostBytes(ctx, post)
		if err != nil {
			t.Fatal(err)
		}
		received := data[post.OwnLen:]
		id := message.ParseHeader(received).MessageID()
		archived[id] = received
		if !bytes.Equal(received, sent[id]) {
			t.Errorf("%s: the archive changed it", id)
		}
	}
	client := testkit.DialIMAP(t, p.At.IMAP, reader, p.Password(reader))
	client.OK("EXAMINE Lists/torture")
	for _, item := range []string{"(ENVELOPE BODYSTRUCTURE RFC822.SIZE)", "(BODY.PEEK[1] BODY.PEEK[2.MIME])"} {
		if got := len(client.OK("FETCH 1:* " + item)); got != len(archived) {
			t.Errorf("FETCH %s answers for %d of %d messages", item, got, len(archived))
		}
	}
	seen := fetchAll(t, p.At.IMAP, p.Password(reader), "Lists/torture")
	if len(seen) != len(archived) {
		t.Errorf("%d messages by IMAP, %d in the archive", len(seen), len(archived))
	}
	for uid, got := range seen {
		post, err := p.Store.GetPost(ctx, model.MakePostID(l.ID, uid))
		if err != nil {
			t.Fatal(err)
		}
		id := message.ParseHeader(got[post.OwnLen:]).MessageID()
		if want := bytes.ReplaceAll(sent[id], []byte{0}, []byte{0x80}); !bytes.Equal(got[post.OwnLen:], want) { // no literal holds NUL (RFC 9051 9)
			t.Errorf("%s: IMAP gives other bytes than were sent", id)
		}
	}
	copied := map[string]bool{}
	copies := p.Caught(reader, len(archived))
	for _, c := range copies {
		c, err := p.Store.GetCaught(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		id := message.ParseHeader(c.Data).MessageID()
		if raw, ok := archived[id]; ok {
			copied[id] = true
			sameOutsideOurFields(t, id, raw, c.Data)
		}
	}
	if len(copied) != len(archived) {
		t.Errorf("the subscriber got %d of %d posts", len(copied), len(archived))
	}
	dropped := len(sent) - len(archived)
	t.Logf("%d sent, %d archived and fanned out (%d of them after release), %d dropped as automatic or looping, refused: %v",
		len(sent), len(archived), len(held), dropped, refused)
	if len(archived) < len(sent)*8/10 {
		t.Errorf("only %d of %d messages reached the archive", len(archived), len(sent))
	}
}

// wire gives a file the line ends of the wire; a bare CR cannot be sent by SMTP.
func wire(raw []byte) []byte {
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	raw = bytes.ReplaceAll(raw, []byte("\r"), []byte(" "))
	if !bytes.HasSuffix(raw, []byte("\n")) {
		raw = append(raw, '\n')
	}
	return bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
}

// ours are the fields a copy has in addition, or without (list/compose says why
// each goes: the marks of earlier hops, receipts, blind copies, passwords).
var ours = map[string]bool{"received": true, "archived-at": true, "precedence": true, "date": true, "return-path": true,
	"delivered-to": true, "x-original-to": true, "envelope-to": true, "x-envelope-to": true, "x-envelope-from": true, "apparently-to": true,
	"bcc": true, "resent-bcc": true, "disposition-notification-to": true, "return-receipt-to": true, "x-confirm-reading-to": true,
	"errors-to": true, "approved": true, "approve": true, "x-approved": true, "x-approve": true}

// sameOutsideOurFields compares a copy with what was received: the body octet by
// octet, and every field that is not ours, in order.
func sameOutsideOurFields(t *testing.T, id string, raw, letter []byte) {
	t.Helper()
	a, b := message.ParseHeader(raw), message.ParseHeader(letter)
	if !bytes.Equal(raw[a.Len():], letter[b.Len():]) {
		t.Errorf("%s: the body was changed", id)
	}
	fields := func(h message.Header) (out []string) {
		for _, f := range h.Fields() {
			if name := strings.ToLower(f.Name); !ours[name] && !strings.HasPrefix(name, "list-") {
				// A line that was no field was made one, or readers would end the header there.
				out = append(out, strings.TrimPrefix(string(h.Raw(f)), "X-Original-Line:\r\n "))
			}
		}
		return out
	}
	x, y := strings.Join(fields(a), ""), strings.Join(fields(b), "")
	if x != y {
		t.Errorf("%s: header fields were changed:\n%q\n%q", id, head(x), head(y))
	}
}

func head(s string) string { return s[:min(len(s), 300)] }

// TestRealArchivesComeBackByIMAP imports the three real archives and reads every
// message by IMAP, octet by octet.
func TestRealArchivesComeBackByIMAP(t *testing.T) {
	t.Parallel()
	paths, _ := filepath.Glob(filepath.Join(real.Corpus(t, "archives"), "*.mbox.gz"))
	p := testkit.Start(t)
	ctx := context.Background()
	for i, path := range paths {
		l := p.List(fmt.Sprintf("archive%d@lists.example.org", i), model.Discussion)
		p.Add(l, model.RoleSubscriber, reader)
		report, err := p.Transfer.Import(ctx, l, "mbox", path)
		if err != nil || report.Added == 0 {
			t.Fatalf("%s: %+v, %v", path, report, err)
		}
		again, err := p.Transfer.Import(ctx, l, "mbox", path)
		if err != nil || again.Added != 0 {
			t.Fatalf("%s again: %+v, %v", path, again, err)
		}
		password := p.Password(reader)
		uids := fetchAll(t, p.At.IMAP, password, "Lists/"+l.Address())
		if len(uids) != report.Added {
			t.Errorf("%s: %d by IMAP, %d imported", path, len(uids), report.Added)
		}
		for uid, got := range uids {
			post, err := p.Store.GetPost(ctx, model.MakePostID(l.ID, uid))
			if err != nil {
				t.Fatal(err)
			}
			want, err := p.Store.PostBytes(ctx, post)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s UID %d: %d octets by IMAP, %d in the archive (%v)", filepath.Base(path), uid, len(got), len(want), err)
			}
		}
		t.Logf("%s: %d messages", filepath.Base(path), report.Added)
	}
}
