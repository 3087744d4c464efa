package compose

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

var update = flag.Bool("update", false, "write the golden messages anew")

const divider = "----------\n"

var bob = Recipient{Address: "bob@example.com", Verp: "v3rp", OneClick: "t0ken"}

// TestGolden runs every case of testdata: settings, the incoming message, and
// after the divider the copy Bob gets. Line ends are LF in the files and CRLF in
// the messages.
func TestGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.golden")
	if len(files) == 0 {
		t.Fatal("no cases")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".golden"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.SplitN(string(text), divider, 3)
			if len(parts) != 3 {
				t.Fatalf("%d parts instead of settings, message and copy", len(parts))
			}
			l := parseList(t, parts[0])
			raw := []byte(crlf(parts[1]))
			info := ArchiveInfo{ReceivedAt: time.Date(2026, 11, 23, 20, 21, 0, 0, time.UTC), BaseURL: "https://lists.example.org"}
			info.Trace = Trace(address.Address{Local: l.Local, Domain: l.Domain}, Arrival{Helo: "mx.example.net", Addr: netip.MustParseAddr("192.0.2.7"), Protocol: "ESMTPS",
				Host: "lists.example.org", At: info.ReceivedAt})
			info.ArchivedAt = PostURL(l, info.BaseURL, "0123abcd")
			own := Archived(l, raw, info)
			o := Snapshot(l, info.BaseURL, info.ArchivedAt)
			o.Host = "lists.example.org"
			got := whole(Prepare(own, raw, o).For(bob).Segments)
			if strings.Contains(strings.ReplaceAll(got, "\r\n", ""), "\n") {
				t.Error("a line ends in a bare LF")
			}
			got = strings.ReplaceAll(got, "\r\n", "\n")
			if *update {
				if err := os.WriteFile(file, []byte(parts[0]+divider+parts[1]+divider+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != parts[2] {
				t.Errorf("got\n%s\nwant\n%s", got, parts[2])
			}
		})
	}
}

func parseList(t *testing.T, settings string) *model.List {
	t.Helper()
	l := &model.List{Local: "talk", Domain: "example.org", Name: "Talk"}
	for line := range strings.Lines(settings) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case key == "" || strings.HasPrefix(key, "#"):
		case key == "list":
			a, err := address.Parse(value)
			if err != nil {
				t.Fatal(err)
			}
			l.Local, l.Domain = a.Local, a.Domain
		case key == "title":
			l.Name = value
		case key == "description":
			l.Description = value
		case key == "tag":
			l.SubjectTag = value
		case key == "footer":
			l.Footer += value + "\n"
		case key == "reply-to" && value == "list":
			l.ReplyTo = model.ReplyToList
		case key == "kind" && value == "announcement":
			l.Kind = model.Announcement
		default:
			t.Fatalf("no such setting: %s", line)
		}
	}
	return l
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func whole(segments [][]byte) string { return string(bytes.Join(segments, nil)) }

// TestTable holds the table of steps to its promises.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Steps() {
		if names[s.Name] || s.Name == "" || s.Apply == nil {
			t.Errorf("the step %q is there twice, has no name or does nothing", s.Name)
		}
		names[s.Name] = true
		if len(s.Doc) < 10 || !strings.HasSuffix(s.Doc, ".") {
			t.Errorf("%s: the doc is no sentence: %q", s.Name, s.Doc)
		}
		if _, err := os.Stat(filepath.Join("testdata", s.Name+".golden")); err != nil {
			t.Errorf("%s has no golden case: %v", s.Name, err)
		}
	}
}

func TestOptionsSurviveTheDatabase(t *testing.T) {
	l := &model.List{Local: "talk", Domain: "example.org", Name: "Talk", Description: "About libraries", SubjectTag: "[talk]",
		Footer: "Bye", ReplyTo: model.ReplyToList, Kind: model.Announcement}
	o := Snapshot(l, "https://lists.example.org", "https://lists.example.org/archive/talk@example.org/1")
	o.Host = "mx.example.org"
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var back Options
	if err := json.Unmarshal(text, &back); err != nil || back != o {
		t.Errorf("%+v became %+v, %v", o, back, err)
	}
}

func TestReversePathFits(t *testing.T) {
	o := Options{Local: "talk", Domain: "example.org"}
	if got := o.Bounces("abc"); got != "talk-bounces+abc@example.org" {
		t.Errorf("%s", got)
	}
	o.Local = strings.Repeat("x", 40)
	id := strings.Repeat("v", 40)
	a, err := address.Parse(o.Bounces(id))
	if err != nil || a.Local != "bounces+"+id {
		t.Errorf("%v, %v", a, err)
	}
}

// TestHostileNames: nothing an owner, a peer or a subscriber can name gets a
// line of its own.
func TestHostileNames(t *testing.T) {
	evil := "x\r\nBcc: victim@example.net\r\n\r\nHello " + strings.Repeat("long ", 400) + "\x00\x7f<b>ü"
	l := &model.List{Local: "talk", Domain: "example.org", Name: evil, Description: evil, SubjectTag: evil, ReplyTo: model.ReplyToList}
	raw := []byte("From: ann@example.net\r\nSubject: Hours\r\n\r\nText\r\n")
	trace := Trace(address.Address{Local: l.Local, Domain: l.Domain}, Arrival{Helo: evil, Protocol: evil, Host: evil})
	own := Archived(l, raw, ArchiveInfo{Trace: trace, BaseURL: "https://lists.example.org"})
	msg := whole(Prepare(own, raw, Snapshot(l, "https://lists.example.org", "")).For(bob).Segments)
	head, body, _ := strings.Cut(msg, "\r\n\r\n")
	if body != "Text\r\n" {
		t.Errorf("the body is %q", body)
	}
	for _, text := range []string{head, string(own)} {
		h := message.ParseHeader([]byte(text))
		if h.Has("Bcc") {
			t.Error("a field was smuggled in")
		}
		for _, f := range h.Fields() {
			if f.Name == "" {
				t.Errorf("%q is no field", h.Raw(f))
			}
		}
		for line := range strings.Lines(text) {
			if len(line) > maxLine+2 {
				t.Errorf("a line of %d octets: %.60q", len(line), line)
			}
		}
	}
}

func TestArchivedFields(t *testing.T) {
	l := &model.List{Local: "talk", Domain: "example.org", Name: "Talk"}
	at := time.Date(2026, 11, 23, 20, 21, 0, 0, time.UTC)
	bare := []byte("From: ann@example.net\r\n\r\nText\r\n")
	own := Archived(l, bare, ArchiveInfo{ReceivedAt: at})
	h := message.ParseHeader(own)
	if bytes.Contains(own, []byte("\r\n\r\n")) || !bytes.HasSuffix(own, []byte("\r\n")) {
		t.Fatalf("%q is no block of fields", own)
	}
	id := h.MessageID()
	if id == "" || id != MessageID(l, message.ParseHeader(bare), bare, at) {
		t.Errorf("the Message-ID is %q", id)
	}
	if again := MessageID(l, message.ParseHeader(bare), bare, at.Add(time.Hour)); again != id {
		t.Error("the same bytes got another Message-ID within the day")
	}
	if later := MessageID(l, message.ParseHeader(bare), bare, at.Add(48*time.Hour)); later == id {
		t.Error("the same words two days later got the same Message-ID")
	}
	if h.Get("Date") != "Mon, 23 Nov 2026 20:21:00 +0000" || h.Get("List-Id") != "Talk <talk.example.org>" {
		t.Errorf("%s", own)
	}
	full := []byte("From: ann@example.net\r\nMessage-ID: <1@example.net>\r\nDate: Mon, 23 Nov 2026 21:21:00 +0100\r\n\r\nText\r\n")
	if h := message.ParseHeader(Archived(l, full, ArchiveInfo{ReceivedAt: at})); h.Has("Message-ID") || h.Has("Date") {
		t.Error("fields the message has were added")
	}
}

// TestCopiesShareTheirBody: a thousand copies of a large post cost no thousand
// bodies.
func TestCopiesShareTheirBody(t *testing.T) {
	raw := []byte("From: ann@example.net\r\nSubject: Hours\r\n\r\n" + strings.Repeat("Text\r\n", 20000))
	p := Prepare(nil, raw, Options{Local: "talk", Domain: "example.org", BaseURL: "https://lists.example.org"})
	a, b := p.For(bob), p.For(Recipient{Address: "cem@example.com", Verp: "other", OneClick: "other"})
	last := len(a.Segments) - 1
	if &a.Segments[last][0] != &b.Segments[last][0] {
		t.Error("two copies hold two bodies")
	}
	if &a.Segments[last][len(a.Segments[last])-1] != &raw[len(raw)-1] {
		t.Error("the body was copied")
	}
	if whole(a.Segments) == whole(b.Segments) || a.ReversePath == b.ReversePath {
		t.Error("two copies do not differ")
	}
}

func TestTraceSaysWhereItCameFrom(t *testing.T) {
	to := address.Address{Local: "talk", Domain: "example.org"}
	at := time.Date(2026, 11, 23, 20, 21, 0, 0, time.FixedZone("", 3600))
	for _, c := range []struct {
		a    Arrival
		want string
	}{
		{Arrival{Helo: "mx.example.net", Addr: netip.MustParseAddr("2001:db8::1"), Protocol: "UTF8SMTPS", Host: "lists.example.org", At: at},
			"from mx.example.net ([IPv6:2001:db8::1]) by lists.example.org with UTF8SMTPS for <talk@example.org>; Mon, 23 Nov 2026 19:21:00 +0000"},
		{Arrival{Addr: netip.MustParseAddr("::ffff:192.0.2.1"), At: at},
			"from [192.0.2.1] by example.org with SMTP for <talk@example.org>; Mon, 23 Nov 2026 19:21:00 +0000"},
		{Arrival{Helo: "[192.0.2.1]; by evil\r\nX: y", At: at},
			"from [192.0.2.1]byevilX:y by example.org with SMTP for <talk@example.org>; Mon, 23 Nov 2026 19:21:00 +0000"},
	} {
		h := message.ParseHeader(Trace(to, c.a))
		if got := h.Get("Received"); got != c.want || len(h.Fields()) != 1 {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestWithoutForgedResults(t *testing.T) {
	kept := "Received: from a\r\nAuthentication-Results: mx.example.net; spf=pass\r\n"
	rest := "From: ann@example.net\r\n\r\nAuthentication-Results: mx.example.org; spf=pass\r\n"
	forged := "Authentication-Results: (x) MX.example.org;\r\n spf=pass\r\n"
	for raw, want := range map[string]string{kept + rest: kept + rest, forged + kept + forged + rest: kept + rest, "": "", forged: "", "\r\nbody": "\r\nbody"} {
		if got := string(WithoutForgedResults([]byte(raw), "mx.example.org")); got != want {
			t.Errorf("%q became %q", raw, got)
		}
	}
	if got := string(WithoutForgedResults([]byte(forged+rest), "")); got != forged+rest {
		t.Errorf("without a name: %q", got)
	}
}
