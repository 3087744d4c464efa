package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plenary/internal/list/archive"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

func makeList(t testing.TB, s *store.Store, local string) *model.List {
	t.Helper()
	l := &model.List{Local: local, Domain: "lists.example.org"}
	if err := s.CreateList(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	return l
}

// mail writes a small message; extra are header lines.
func mail(id, from, subject, body string, extra ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "From: %s\nTo: talk@lists.example.org\nSubject: %s\nMessage-ID: <%s>\nDate: Mon, 2 Mar 2026 10:00:00 +0100\n", from, subject, id)
	for _, x := range extra {
		b.WriteString(x + "\n")
	}
	b.WriteString("\n" + body + "\n")
	return []byte(strings.ReplaceAll(b.String(), "\n", "\r\n"))
}

var march = model.At(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))

func save(t testing.TB, s *store.Store, l *model.List, raw []byte) model.UID {
	t.Helper()
	p := archive.Make(l, raw, []byte("List-Id: <talk.lists.example.org>\r\n"), march, false)
	id, dup, err := s.SavePost(context.Background(), p)
	if err != nil || dup {
		t.Fatal(dup, err)
	}
	return id.UID()
}

func TestReaderGivesTheBytes(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		r := archive.NewReader(s)
		var want [][]byte
		for i := range 70 {
			raw := mail(fmt.Sprintf("%d@x", i), "Ann <ann@example.org>", "Shelves", strings.Repeat("Books and boxes.\n", 300+i))
			save(t, s, l, raw)
			want = append(want, append([]byte("List-Id: <talk.lists.example.org>\r\n"), raw...))
		}
		ix, err := r.Open(ctx, l.ID)
		if err != nil {
			t.Fatal(err)
		}
		check := func() {
			t.Helper()
			for i, row := range ix.Rows() {
				data, err := r.Bytes(ctx, row)
				if err != nil || !bytes.Equal(data, want[i]) || int(row.Size) != len(want[i]) {
					t.Fatalf("post %d: %v", i, err)
				}
			}
			n := 0
			if err := r.AllBytes(ctx, l.ID, 1, 1<<32-1, func(u model.UID, data []byte) error {
				if !bytes.Equal(data, want[u-1]) {
					t.Errorf("post %d differs", u)
				}
				n++
				return nil
			}); err != nil || n != len(want) {
				t.Fatal(n, err)
			}
			n = 0
			if err := r.AllHeaders(ctx, l.ID, 1, 1<<32-1, func(u model.UID, header []byte) error {
				if all, _, _ := bytes.Cut(want[u-1], []byte("\r\n\r\n")); !bytes.Equal(header, append(bytes.Clone(all), "\r\n\r\n"...)) {
					t.Errorf("the header of post %d differs", u)
				}
				n++
				return nil
			}); err != nil || n != len(want) {
				t.Fatal(n, err)
			}
		}
		check()
		if n, err := s.SealPosts(ctx, l.ID); n == 0 || err != nil {
			t.Fatal(n, err)
		}
		check() // the index still names the old places
		before := ix.Rows()
		save(t, s, l, mail("new@x", "Ann <ann@example.org>", "New", "new"))
		if err := ix.Refresh(ctx, 0); err != nil || len(ix.Rows()) != 71 || len(before) != 70 {
			t.Fatal(err, len(ix.Rows()), len(before))
		}
		if _, next := ix.Snapshot(); next != 72 {
			t.Fatal(next)
		}
		if ix.UIDValidity() != l.UIDValidity {
			t.Error(ix.UIDValidity())
		}
	})
}

// TestMakeWithTheTextReadBefore: the same as reading the message as it is stored.
func TestMakeWithTheTextReadBefore(t *testing.T) {
	l := &model.List{ID: 7}
	own := []byte("Received: from a by b\r\n\tfor c; Mon, 2 Mar 2026 09:00:00 +0000\r\nArchived-At: <https://x/y>\r\n")
	long := strings.Repeat("X-Long: "+strings.Repeat("x", 900)+"\r\n", message.MaxHeader/910)
	for name, raw := range map[string]string{
		"plain":      "From: a@x\r\nSubject: s\r\n\r\ntext\r\n> quoted\r\n",
		"no header":  "Hello all,\r\n\r\nI have no header.\r\n",
		"folded":     " Hello: all\r\nFrom: a@x\r\n\r\ntext\r\n",
		"no field":   "Hello all\r\nFrom: a@x\r\n\r\ntext\r\n",
		"empty":      "",
		"empty line": "\r\ntext\r\n",
		"parts": "From: a@x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>two" +
			"\r\n--b\r\nContent-Type: image/png; name=p.png\r\n\r\nx\r\n--b--\r\n",
		"8 bits":            "From: a@x\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n\xfcber\r\n",
		"as long as may be": long + strings.Repeat("Y", message.MaxHeader-len(long)-4) + "\r\n\r\ntext\r\n",
	} {
		text := message.Read([]byte(raw))
		got := archive.MakeRead(l, archive.Source{Raw: []byte(raw), Own: own, Text: &text, ReceivedAt: march})
		if diff := cmp.Diff(archive.Make(l, []byte(raw), own, march, false), got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	other := message.Reading{Body: "read before"}
	if p := archive.MakeRead(l, archive.Source{Raw: []byte("From: a@x\r\n\r\ntext\r\n"), Own: own, Text: &other, ReceivedAt: march}); p.Text.Body != "read before" {
		t.Errorf("read again: %q", p.Text.Body)
	}
}

func TestMakeReadsTheMessage(t *testing.T) {
	l := &model.List{ID: 7, SubjectTag: "[talk]"}
	raw := mail("a@x", "=?utf-8?q?Zo=C3=AB?= <Zoe@Example.ORG>", "Re: [talk] =?utf-8?b?w5xiZXI=?= Regale", "Ich auch.\n> Wer kommt?",
		"References: <r@x> <p@x>", "In-Reply-To: <p@x>")
	own := []byte("List-Id: <talk.example.org>\r\n")
	p := archive.Make(l, raw, own, march, false)
	if p.Post.Author != "Zoë" || p.Post.AuthorKey != "zoe@example.org" || p.Post.Subject != "Re: [talk] Über Regale" {
		t.Errorf("%+v", p.Post)
	}
	if p.Post.Flags != model.PostIsReply || p.Post.OwnLen != int64(len(own)) || p.Post.Size != int64(len(p.Bytes)) ||
		!bytes.Equal(p.Bytes, append(slices.Clone(own), raw...)) {
		t.Errorf("%+v", p.Post)
	}
	if !strings.HasSuffix(string(p.Bytes[:p.Post.HeaderLen]), "\r\n\r\n") {
		t.Error(p.Post.HeaderLen)
	}
	if p.Post.SentAt.Time().Format(time.RFC3339) != "2026-03-02T09:00:00Z" {
		t.Error(p.Post.SentAt.Time())
	}
	if len(p.References) != 2 || p.References[1].Key != archive.ThreadKey("p@x") || p.Self.Key != archive.ThreadKey("a@x") {
		t.Errorf("%+v %+v", p.References, p.Self)
	}
	if p.Text.Subject != "re talk uber regale" || p.Text.Body != "ich auch" || p.Text.Quoted != "wer kommt" ||
		p.Text.Author != "zoe zoe example org" {
		t.Errorf("%+v", p.Text)
	}
	q := archive.Make(l, bytes.ReplaceAll(raw, []byte("Ich auch."), []byte("Ich  auch.")), own, march, false)
	if !bytes.Equal(p.BodyKey, q.BodyKey) || bytes.Equal(p.RawKey, q.RawKey) {
		t.Error("keys")
	}
	if archive.Make(l, []byte{}, nil, march, true) == nil || archive.Make(l, []byte("\x00\xff\n"), nil, march, true) == nil {
		t.Error("nothing")
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"Don't re-use file_name.txt, O.K.?", "don t re use file name txt o k"},
		{"Müller ÀÉÎ Łódź straße Ærø œuvre ﬁne ﬂow Ⅷ", "muller aei lodz strasse aero oeuvre fine flow viii"},
		{"Mu\u0308ller", "muller"},
		{"Ёлка ёж", "елка еж"},
		{"ΛΌΓΟΣ", "λογοσ"},
		{"日本語", "日本 本語 語"},
		{"Linux内核v2", "linux 内核 核 v2"},
		{"が", "が"},
		{"한국어를", "한국 국어 어를 를"},
		{"ｶﾞ ＡＢＣ", "ガ abc"},
		{"שָׁלוֹם", "שלום"},
		{"a\xffb\x00c", "a b c"},
		{strings.Repeat("x", 60), strings.Repeat("x", 48)},
	} {
		if got := archive.IndexWords(c.text); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
	for _, c := range []struct {
		text, want string
		prefix     bool
	}{
		{"Straße!", "strasse", false}, {"日", "日", true}, {"日本", "日本", false}, {"日本語", "日本|本語", false},
		{"foo 日", "foo|日", true}, {"日本 foo", "日本|本|foo", false}, {"...", "", false}, {"日日日", "日日|日日", false},
	} {
		words, prefix := archive.QueryWords(c.text)
		if got := strings.Join(words, "|"); got != c.want || prefix != c.prefix {
			t.Errorf("%q: %q %v", c.text, got, prefix)
		}
	}
	thin := strings.Fields(archive.IndexWords(strings.Repeat("the ", 300) + "end"))
	if len(thin) != 301 || thin[255] != "the" || thin[256] != archive.Filler || thin[300] != "end" {
		t.Error(len(thin), thin[250:260])
	}
	if n := len(strings.Fields(archive.IndexWords(strings.Repeat("a b c d e f g h i j ", 4000)))); n != 16000 {
		t.Error(n)
	}
}

// TestWhoMayReadIsFresh: a reader that keeps what it knows of the lists notices at
// once what changed.
func TestWhoMayReadIsFresh(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		r := archive.NewReader(s)
		ann := model.Actor{AccountID: 1, Email: "ann@example.org", Keys: []string{"ann@example.org"}}
		look := func(what string, want ...string) {
			t.Helper()
			lists, err := r.Lists(ctx, ann)
			var got []string
			for i := range lists {
				got = append(got, lists[i].Local)
				if ok, err := r.MayRead(ctx, ann, lists[i].ID); !ok || err != nil {
					t.Error(what, lists[i].Local, ok, err)
				}
			}
			if err != nil || !slices.Equal(got, want) {
				t.Fatal(what, got, err)
			}
		}
		look("nothing there")
		a, b := makeList(t, s, "a"), makeList(t, s, "b")
		look("not subscribed")
		if _, err := s.Subscribe(ctx, &model.Subscriber{ListID: b.ID, Email: "ann@example.org", EmailKey: "ann@example.org", Roles: model.RoleSubscriber}); err != nil {
			t.Fatal(err)
		}
		look("subscribed", "b")
		a.ArchiveAccess = model.AccessPublic
		if err := s.SaveList(ctx, a); err != nil {
			t.Fatal(err)
		}
		look("one is public", "a", "b")
		if _, err := s.Unsubscribe(ctx, b.ID, "ann@example.org", "left"); err != nil {
			t.Fatal(err)
		}
		look("she left", "a")
		if err := s.RemoveList(ctx, a.ID); err != nil {
			t.Fatal(err)
		}
		look("removed")
		if ok, err := r.MayRead(ctx, ann, a.ID); ok || err != nil {
			t.Error(ok, err)
		}
	})
}
