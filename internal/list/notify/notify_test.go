package notify

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plenary/internal/mail/address"
	"plenary/internal/model"
	"plenary/templates"
)

var update = flag.Bool("update", false, "write the golden letters anew")

// kept is a store that remembers.
type kept struct {
	letters []*model.Distribution
	data    [][]byte
	count   map[string]int
}

func (k *kept) SaveLetter(_ context.Context, d *model.Distribution, data []byte) error {
	k.letters, k.data = append(k.letters, d), append(k.data, data)
	return nil
}

func (k *kept) CountAutoReply(_ context.Context, key string, day int64, limit int) (bool, error) {
	if k.count == nil {
		k.count = map[string]int{}
	}
	key = fmt.Sprint(key, day)
	k.count[key]++
	return k.count[key] <= limit, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func service(t *testing.T) (*Service, *kept) {
	t.Helper()
	k := &kept{}
	s, err := New(Deps{Store: k, Rand: zeros{}, Now: func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) },
		ArchiveURL: func(l *model.List) string { return "https://lists.example.org/" + l.Local + "/" }})
	if err != nil {
		t.Fatal(err)
	}
	return s, k
}

func sampleList() *model.List {
	return &model.List{ID: 3, Local: "talk", Domain: "lists.example.org", Name: "School Library Talk",
		Description: "Talk among people who work in school libraries.", Welcome: "We meet online on the first Monday of each month."}
}

func sample(f form) Letter {
	l := Letter{Kind: f.Kind, List: sampleList(), To: address.Address{Local: "ann", Domain: "example.net"}, InReplyTo: "q1@example.net",
		Data: Data{Email: "ann@example.net", Name: "Ann Müller", Until: time.Date(2026, 3, 5, 9, 0, 0, 0, time.UTC),
			Author: "Zoë Čapek <zoe@example.com>", Subject: "Reading week: what do you do?", Size: 48_213,
			Reasons:  []string{"The author is not a subscriber of the list.", "The message has 25 addresses in To and Cc; more than 20 are looked at by a person."},
			Decision: "released", By: "olga@example.net", Comment: "Please send the poster as a link,\nnot as a file. Thank you!",
			Text: "> SUBSCRIBE talk Ann Müller\n    A letter is on its way to ann@example.net. Reply to it to join."}}
	if f.Token {
		l.Token = "0123456789abcdefghjkmnpqrs"
	}
	if f.Kind == HeldModerator {
		l.Data.Text = "Dear colleagues,\n\nin our school every class reads one book in that week.\nWhat do you do?"
	}
	if f.Kind == Rejected {
		l.Attach = []byte("From: ann@example.net\r\nSubject: Reading week: what do you do?\r\n\r\nHello\r\n")
	}
	if f.Kind == HeldModerator {
		l.Thread = HeldThread(l.List, &model.Held{TokenHash: []byte("0123456789abcdef")})
		l.Attach = []byte("From: zoe@example.com\r\nSubject: Reading week: what do you do?\r\n\r\nHello all,\r\nwe have posters.\r\n")
	}
	return l
}

// TestEveryLetter renders each kind, checks what every letter must have, and
// compares it with the copy in testdata that people can read.
func TestEveryLetter(t *testing.T) {
	for _, f := range kinds {
		t.Run(string(f.Kind), func(t *testing.T) {
			s, k := service(t)
			if f.Doc == "" {
				t.Error("no doc")
			}
			if err := s.Send(context.Background(), sample(f)); err != nil {
				t.Fatal(err)
			}
			raw := k.data[len(k.data)-1]
			d := k.letters[len(k.letters)-1]
			if d.ReversePath != "" || d.Recipient != "ann@example.net" || d.Kind != model.DistributeLetter || d.ListID != 3 {
				t.Errorf("distribution %+v", d)
			}
			checkLetter(t, f, raw)
			golden(t, string(f.Kind), raw)
		})
	}
}

func checkLetter(t *testing.T, f form, raw []byte) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "List-Id", "MIME-Version", "Content-Type"} {
		if len(m.Header[textproto.CanonicalMIMEHeaderKey(name)]) != 1 {
			t.Errorf("%s stands %d times", name, len(m.Header[textproto.CanonicalMIMEHeaderKey(name)]))
		}
	}
	if f.Token != (m.Header.Get("Reply-To") == "talk-confirm+0123456789abcdefghjkmnpqrs@lists.example.org") {
		t.Errorf("Reply-To is %q", m.Header.Get("Reply-To"))
	}
	if f.Token && (TokenOf(m.Header.Get("Message-ID")) == "" || !strings.Contains(m.Header.Get("Subject"), "(0123")) {
		t.Error("the token is not in Message-ID and subject")
	}
	for i, line := range bytes.Split(raw, []byte("\r\n")) {
		if len(line) > maxLine || bytes.ContainsAny(line, "\r\n") {
			t.Errorf("line %d does not fit: %q", i+1, line)
		}
	}
	text := letterText(t, m)
	for _, bad := range []string{"<no value>", "{{", "}}", "%!", "<nil>", "01-01-01", "\n\n\n"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q is left in the text:\n%s", bad, text)
		}
	}
	if len(strings.Fields(text)) < 10 {
		t.Errorf("too short: %q", text)
	}
}

// letterText is the decoded text part.
func letterText(t *testing.T, m *mail.Message) string {
	t.Helper()
	var body io.Reader = m.Body
	encoding := m.Header.Get("Content-Transfer-Encoding")
	typ, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if typ == "multipart/mixed" {
		p, err := multipart.NewReader(m.Body, params["boundary"]).NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		body, encoding = p, p.Header.Get("Content-Transfer-Encoding")
	}
	if encoding == "quoted-printable" {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".eml")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(want, got) {
		t.Errorf("differs from %s (go test -update writes it anew), %v:\n%s", path, err, got)
	}
}

// TestAPostWithoutSubject: no letter about it ends in a colon.
func TestAPostWithoutSubject(t *testing.T) {
	s, k := service(t)
	l := sample(form{Kind: HeldAuthor})
	l.Data.Subject = ""
	if err := s.Send(context.Background(), l); err != nil || !bytes.Contains(k.data[0], []byte("waits for a moderator: (no subject)\r\n")) || bytes.Count(k.data[0], []byte("(no subject)")) != 2 {
		t.Errorf("%v\n%s", err, k.data)
	}
}

// TestHeldOtherwise: where nobody decides, and where a refusal could not be said.
func TestHeldOtherwise(t *testing.T) {
	for name, set := range map[string]func(*Data){"alone": func(d *Data) { d.Alone = true }, "unsaid": func(d *Data) { d.Unsaid = true }} {
		s, k := service(t)
		l := sample(form{Kind: HeldAuthor})
		set(&l.Data)
		if err := s.Send(context.Background(), l); err != nil {
			t.Fatal(err)
		}
		golden(t, "held-author-"+name, k.data[0])
	}
}

// TestGoodbyeOfAClosedList: it does not say how to join again.
func TestGoodbyeOfAClosedList(t *testing.T) {
	for _, closed := range []bool{false, true} {
		s, k := service(t)
		l := sample(form{Kind: Goodbye})
		l.List.Closed = closed
		if err := s.Send(context.Background(), l); err != nil || bytes.Contains(k.data[0], []byte("-join@")) == closed {
			t.Errorf("%v: %v\n%s", closed, err, k.data)
		}
	}
}

func TestServerLetters(t *testing.T) {
	s, k := service(t)
	for _, kind := range []Kind{Help, CommandReply} {
		err := s.Send(context.Background(), Letter{Kind: kind, Domain: "lists.example.org", To: address.Address{Local: "ann", Domain: "example.net"},
			Data: Data{Text: "> LISTS\n    talk@lists.example.org  School Library Talk", Help: true}})
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "server-"+string(kind), k.data[len(k.data)-1])
	}
}

func TestSpeaksFor(t *testing.T) {
	ann := address.Address{Local: "ann", Domain: "example.net"}
	for reversePath, want := range map[string]bool{"ann@example.net": true, "ANN@Example.NET": true, "al123@example.net": true, "": false, "ann@example.net.evil.example": false, "ann2@mail.example.net": true, "ann@a.b.example.net": true, "ann@net": false, "ann@badexample.net": false, "ann@le.net": false,
		"ann@evil.example": false, "SRS0=x=y=example.net=ann@evil.example": false, "not an address": false} {
		if SpeaksFor(reversePath, ann) != want || SpeaksFor(reversePath, address.Address{}) {
			t.Error(reversePath)
		}
	}
	sub := address.Address{Local: "ann", Domain: "mail.uni.example"}
	for reversePath, want := range map[string]bool{"ann2@uni.example": true, "ann@example": false, "ann@other.uni.example": false} {
		if SpeaksFor(reversePath, sub) != want {
			t.Error(reversePath)
		}
	}
}

// TestOtherReturnBesideARequest: what was taken is not called left out.
func TestOtherReturnBesideARequest(t *testing.T) {
	s, k := service(t)
	l := sample(form{Kind: OtherReturn})
	l.Data.Taken = true
	if err := s.Send(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	golden(t, "other-return-taken", k.data[0])
}

func TestEveryTemplateIsAKind(t *testing.T) {
	files, err := fs.Glob(templates.FS, "mail/*.txt")
	if err != nil || len(files) != len(kinds) {
		t.Errorf("%d templates, %d kinds, %v", len(files), len(kinds), err)
	}
	seen := map[Kind]bool{}
	for _, f := range kinds {
		if seen[f.Kind] {
			t.Errorf("%s stands twice", f.Kind)
		}
		seen[f.Kind] = true
	}
}

func TestNothingIsInjected(t *testing.T) {
	evil := "x\r\nBcc: victim@example.com\r\n\r\nBuy now\x00\x1b[2J"
	for _, f := range kinds {
		s, k := service(t)
		l := sample(f)
		l.List.Name, l.List.Description, l.InReplyTo, l.Thread = evil, evil, evil, evil
		l.Data = Data{Email: evil, Name: evil, Author: evil, Subject: evil, By: evil, Decision: evil, Comment: evil, Text: evil, Reasons: []string{evil}}
		if err := s.Send(context.Background(), l); err != nil {
			t.Fatal(err)
		}
		raw := k.data[len(k.data)-1]
		m, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(f.Kind, err)
		}
		if m.Header.Get("Bcc") != "" || bytes.ContainsAny(raw, "\x00\x1b") {
			t.Errorf("%s lets a header field or control characters in:\n%s", f.Kind, raw)
		}
	}
}

// TestNoAdvertisementInALetterToItsAuthor: who forges envelope and From has his
// subject sent to a victim, but short and with no link in it.
func TestNoAdvertisementInALetterToItsAuthor(t *testing.T) {
	for _, f := range kinds {
		s, k := service(t)
		l := sample(f)
		l.Attach, l.Data.Subject = nil, "CHEAP PILLS http://evil.example/x buy@evil.example www.evil.example "+strings.Repeat("now ", 40)
		if err := s.Send(context.Background(), l); err != nil {
			t.Fatal(err)
		}
		shown := bytes.Contains(k.data[0], []byte("http://evil.example")) // moderators see the message itself
		if shown != (f.Kind == HeldModerator || f.Kind == Decided) || !shown && bytes.Contains(k.data[0], []byte("evil.example")) || bytes.Count(k.data[0], []byte("now ")) > 90 {
			t.Errorf("%s:\n%s", f.Kind, k.data[0])
		}
	}
}

func TestAtMostTenCountedLettersADay(t *testing.T) {
	s, k := service(t)
	for range 10_000 {
		if err := s.Send(context.Background(), sample(form{Kind: Help})); err != nil {
			t.Fatal(err)
		}
	}
	if len(k.letters) != 10 {
		t.Fatalf("%d letters left", len(k.letters))
	}
	if err := s.Send(context.Background(), sample(form{Kind: HeldModerator, Token: true})); err != nil || len(k.letters) != 11 {
		t.Fatal("a moderator's letter must not be counted", err)
	}
}

// TestModeratorsAreNotFlooded: invented authors wrote two hundred posts, and each
// moderator got as many letters with a post attached.
func TestModeratorsAreNotFlooded(t *testing.T) {
	s, k := service(t)
	now := s.Now()
	s.Now = func() time.Time { return now }
	flood := func() (asked, more int) {
		before := len(k.letters)
		for range 200 {
			if err := s.Send(context.Background(), sample(form{Kind: HeldModerator, Token: true})); err != nil {
				t.Fatal(err)
			}
		}
		for _, raw := range k.data[before:] {
			if bytes.Contains(raw, []byte("Subject: To decide")) {
				asked++
			} else if bytes.Contains(raw, []byte("Subject: Many messages wait")) && !bytes.Contains(raw, []byte("post.eml")) {
				more++
			}
		}
		return asked, more
	}
	for range 2 {
		if asked, more := flood(); asked != 30 || more != 1 {
			t.Errorf("%d letters ask, %d say that there are more", asked, more)
		}
		now = now.Add(time.Hour)
	}
	l := sample(form{Kind: HeldModerator, Token: true})
	l.List.Local = "other"
	if n := len(k.letters); s.Send(context.Background(), l) != nil || len(k.letters) != n+1 {
		t.Error("another list's moderators are not asked")
	}
}

// TestSuffixesOfAnAddressAreOnePerson: who names victim+1@, victim+2@ and so on reaches
// one mailbox.
func TestSuffixesOfAnAddressAreOnePerson(t *testing.T) {
	s, k := service(t)
	for i := range 25 {
		l := sample(form{Kind: Help})
		l.To.Local = fmt.Sprint("victim+", i)
		if err := s.Send(context.Background(), l); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range []string{"+victim", "victim2"} {
		l := sample(form{Kind: Help})
		l.To.Local = other
		if err := s.Send(context.Background(), l); err != nil {
			t.Fatal(err)
		}
	}
	if len(k.letters) != 12 || k.letters[9].Recipient != "victim+9@example.net" {
		t.Errorf("%d letters", len(k.letters))
	}
}

// TestNobodyIsKeptFromJoining: a stranger who used up somebody's letters, even those that
// ask her whether to join other lists, left her those of this one.
func TestNobodyIsKeptFromJoining(t *testing.T) {
	s, k := service(t)
	send := func(kind Kind, list string) bool {
		l, before := sample(form{Kind: kind, Token: kind == ConfirmJoin}), len(k.letters)
		l.List.Local = list
		if err := s.Send(context.Background(), l); err != nil {
			t.Fatal(err)
		}
		return len(k.letters) > before
	}
	for range 11 {
		send(Help, "talk")
	}
	for i, want := range []bool{true, true, true, false} {
		if send(ConfirmJoin, "talk") != want {
			t.Errorf("request %d", i)
		}
	}
	if !send(ConfirmJoin, "other") {
		t.Error("of another list")
	}
	n := len(k.letters)
	for i := range 100 {
		send(ConfirmJoin, fmt.Sprint("list", i))
	}
	if n = len(k.letters) - n; n != 16 {
		t.Errorf("many lists asked %d times more", n)
	}
}

// TestAShareIsTold: for each address its own of a list; the answer does not tell which
// letter went.
func TestAShareIsTold(t *testing.T) {
	for _, pair := range [][2]Kind{{ConfirmJoin, AlreadyOnList}, {ConfirmLeave, NotOnList}} {
		for _, kind := range pair {
			s, k := service(t)
			for n := range 5 {
				for round := range 4 {
					l := sample(form{Kind: kind})
					l.To.Local, l.Unsent = fmt.Sprint("kids+", n), round == 0
					if spent, err := s.Ask(context.Background(), l); err != nil || spent != (round == 3) {
						t.Errorf("%s to %s, %d: %v, %v", kind, l.To, round, spent, err)
					}
				}
			}
			if n := len(k.letters); n > 10 || kind == pair[0] && n != 10 {
				t.Errorf("%d letters %s", n, kind)
			}
		}
		s, _ := service(t)
		for round := range 4 {
			if spent, err := s.Ask(context.Background(), sample(form{Kind: pair[round%2]})); err != nil || spent != (round == 3) {
				t.Errorf("%s: %v, %v", pair[round%2], spent, err)
			}
		}
	}
}

func TestLargePostIsAttachedAsHeader(t *testing.T) {
	s, k := service(t)
	f, _ := find(HeldModerator)
	l := sample(f)
	l.Attach = []byte("Subject: big\r\nX-A: 1\r\n\r\n" + strings.Repeat("a line\r\n", 200_000))
	if err := s.Send(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	raw := string(k.data[0])
	if len(raw) > 5000 || !strings.Contains(raw, "text/rfc822-headers") || !strings.Contains(raw, "only its header") || !strings.Contains(raw, "\r\nX-A: 1\r\n") {
		t.Fatalf("%d octets: %.3000s", len(raw), raw)
	}
}

// TestWhatChokesMailProgramsIsNotAttached: a thousand levels crash the reader that
// opens them; the moderators get the header and the reason.
func TestWhatChokesMailProgramsIsNotAttached(t *testing.T) {
	s, k := service(t)
	f, _ := find(HeldModerator)
	l := sample(f)
	l.HeaderOnly = true
	l.Attach = []byte("From: eve@example.com\r\nSubject: deep\r\n\r\n" + strings.Repeat("--b\r\n", 1000))
	if err := s.Send(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	text := string(k.data[0])
	if !strings.Contains(text, "text/rfc822-headers") || !strings.Contains(text, "only its header is attached") || strings.Contains(text, "--b\r\n--b\r\n") {
		t.Error(text)
	}
}

func TestAttachmentStaysAsItIs(t *testing.T) {
	s, k := service(t)
	f, _ := find(HeldModerator)
	l := sample(f)
	l.Attach = []byte("Subject: caf\xe9\r\nFrom: x\r\n\r\n\r\nFrom here\r\n--=_000000000000000000000000\r\n.\r\n8 bit: \xff\r\n")
	if err := s.Send(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	m, err := mail.ReadMessage(bytes.NewReader(k.data[0]))
	if err != nil || m.Header.Get("Content-Transfer-Encoding") != "8bit" {
		t.Fatal(err, m.Header)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for range 2 {
		p, err := r.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(p); p.Header.Get("Content-Type") == "message/rfc822" && !bytes.Equal(got, l.Attach) {
			t.Fatalf("%q", got)
		}
	}
}

func TestLongNamesUseTheRequestAddress(t *testing.T) {
	s, k := service(t)
	l := sample(form{Kind: ConfirmJoin, Token: true})
	l.List.Local = strings.Repeat("long", 10)
	if err := s.Send(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(k.data[0]), "\r\nReply-To: "+l.List.Local+"-request@lists.example.org\r\n") {
		t.Fatalf("%s", k.data[0])
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"short\n", "short\n"},
		{"  * " + strings.Repeat("word ", 20) + "\n", "  * " + strings.TrimRight(strings.Repeat("word ", 14), " ") + "\n    " + strings.TrimRight(strings.Repeat("word ", 6), " ") + "\n"},
		{"see https://example.org/" + strings.Repeat("x", 90) + " there\n", "see\nhttps://example.org/" + strings.Repeat("x", 90) + "\nthere\n"},
		{strings.Repeat("word ", 16) + "\nand more\n", strings.TrimSpace(strings.Repeat("word ", 15)) + "\nword and more\n"},
		{strings.Repeat("é", 74) + "\n", strings.Repeat("é", 74) + "\n"},
	} {
		if got := wrap(tidy(c.in)); got != c.want {
			t.Errorf("%q\ngives %q\nwant  %q", c.in, got, c.want)
		}
	}
}

func TestTokenOf(t *testing.T) {
	for in, want := range map[string]string{"<confirm.abc.12@x.example>": "abc", "confirm.abc.12@x": "abc", "abc@x": "", "": ""} {
		if got := TokenOf(in); got != want {
			t.Errorf("%q gives %q", in, got)
		}
	}
}
