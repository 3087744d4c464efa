package imapd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"plenary/internal/list/archive"
	"plenary/internal/list/transfer"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/postgres"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/stores"
)

// imported gives a list with a real archive that alice reads.
func imported(t testing.TB, s *store.Store, files ...string) *model.List {
	t.Helper()
	ctx := context.Background()
	l := &model.List{Local: "talk", Domain: "example.org"}
	if err := s.CreateList(ctx, l); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Subscribe(ctx, &model.Subscriber{ListID: l.ID, Email: "alice@example.org", EmailKey: "alice@example.org", Roles: model.RoleSubscriber}); err != nil {
		t.Fatal(err)
	}
	im := &transfer.Importer{Store: s, Now: func() time.Time { return noon }}
	for _, f := range files {
		if _, err := im.Import(ctx, l, "mbox", real.Corpus(t, "archives", f)); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func serveStore(t testing.TB, s *store.Store, change ...func(*Options, *times)) string {
	t.Helper()
	over := func(o *Options, _ *times) { o.Archive, o.Changes = Over(archive.NewReader(s)), s }
	_, addr := serve(t, newMemory(), append([]func(*Options, *times){over}, change...)...)
	return addr
}

// originals gives every message of a list as the archive has it.
func originals(t testing.TB, s *store.Store, l *model.List) (all [][]byte) {
	t.Helper()
	err := archive.NewReader(s).AllBytes(context.Background(), l.ID, 1, 1<<32-1, func(_ model.UID, b []byte) error {
		all = append(all, bytes.Clone(b))
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatal(len(all), err)
	}
	return all
}

// bytesOf reads the responses to FETCH with one literal each.
func bytesOf(c *client, command string) (all [][]byte) {
	c.t.Helper()
	c.send("t " + command + "\r\n")
	for {
		s := c.line()
		if strings.HasPrefix(s, "t ") {
			if !strings.HasPrefix(s, "t OK") {
				c.t.Fatal(s)
			}
			return all
		}
		m := literalEnd.FindStringSubmatch(s)
		if m == nil {
			c.t.Fatalf("%q", s)
		}
		var n int
		_, _ = fmt.Sscan(m[1], &n)
		b := make([]byte, n)
		if _, err := io.ReadFull(c.r, b); err != nil {
			c.t.Fatal(err)
		}
		if end := c.line(); end != ")" {
			c.t.Fatalf("%q", end)
		}
		all = append(all, b)
	}
}

func TestRealArchivesComeBackByteForByte(t *testing.T) {
	for _, file := range []string{"linux-man-2000.mbox.gz", "usrp-users-1500.mbox.gz", "pipermail-twisted-web-4758.mbox.gz"} {
		t.Run(file, func(t *testing.T) {
			if testing.Short() && strings.HasPrefix(file, "usrp") {
				t.Skip("skipped: 80 MB, in short mode")
			}
			s := stores.SQLite(t)
			l := imported(t, s, file)
			want := originals(t, s, l)
			c := loggedIn(t, serveStore(t, s), "alice@example.org")
			c.want("EXAMINE Lists/talk", "OK")
			same(t, "BODY.PEEK[]", want, bytesOf(c, "UID FETCH 1:* BODY.PEEK[]"), func(raw []byte) []byte { return raw })
			same(t, "HEADER", want, bytesOf(c, "FETCH 1:* BODY.PEEK[HEADER]"), func(raw []byte) []byte { return raw[:message.ParseHeader(raw).Len()] })
			same(t, "TEXT", want, bytesOf(c, "FETCH 1:* BODY.PEEK[TEXT]"), func(raw []byte) []byte { return raw[message.ParseHeader(raw).Len():] })
			usual := &section{fields: [][]byte{[]byte("From"), []byte("References"), []byte("Date"), []byte("Subject")}}
			fields := func(raw []byte) []byte { return appendFields(nil, raw, usual) }
			same(t, "usual fields", want, bytesOf(c, "FETCH 1:* BODY.PEEK[HEADER.FIELDS (from references date subject)]"), fields)
			usual.fields = append(usual.fields, []byte("Received"))
			same(t, "other fields", want, bytesOf(c, "FETCH 1:* BODY.PEEK[HEADER.FIELDS (from references date subject received)]"), fields)
			// One at a time, as mbsync does it, here and there.
			for i := 0; i < len(want); i += 97 {
				same(t, "one", want[i:i+1], bytesOf(c, fmt.Sprintf("UID FETCH %d BODY.PEEK[]", i+1)), func(raw []byte) []byte { return raw })
			}
		})
	}
}

func same(t *testing.T, what string, raw, got [][]byte, part func([]byte) []byte) {
	t.Helper()
	if len(got) != len(raw) {
		t.Fatalf("%s: %d messages, want %d", what, len(got), len(raw))
	}
	for i := range raw {
		if want := part(raw[i]); !bytes.Equal(got[i], want) {
			t.Fatalf("%s: message %d differs:\n got %.300q\nwant %.300q", what, i+1, got[i], want)
		}
	}
}

// readAll lets go-imap's client read everything about every message: what it
// cannot parse is an error.
func readAll(t *testing.T, addr string, want [][]byte) {
	t.Helper()
	c, err := imapclient.DialInsecure(addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login("alice@example.org", "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	box, err := c.Select("Lists/talk", &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil || int(box.NumMessages) != len(want) {
		t.Fatal(box, err)
	}
	whole := &imap.FetchItemBodySection{Peek: true}
	cmd := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{
		UID: true, Flags: true, InternalDate: true, RFC822Size: true, Envelope: true,
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true}, BodySection: []*imap.FetchItemBodySection{whole},
	})
	n := 0
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		data, err := msg.Collect()
		if err != nil {
			t.Fatalf("message %d: %v", n+1, err)
		}
		if raw := data.FindBodySection(whole); !bytes.Equal(raw, want[n]) || data.RFC822Size != int64(len(raw)) {
			t.Errorf("message %d differs", n+1)
		}
		if data.Envelope == nil || data.BodyStructure == nil {
			t.Errorf("message %d lacks a part", n+1)
		}
		n++
	}
	if err := cmd.Close(); err != nil || n != len(want) {
		t.Fatalf("%d of %d messages: %v", n, len(want), err)
	}
}

func TestRealClientReadsRealArchive(t *testing.T) {
	s := stores.SQLite(t)
	l := imported(t, s, "linux-man-2000.mbox.gz")
	readAll(t, serveStore(t, s), originals(t, s, l))
}

func TestRealClientReadsTortureMail(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(real.Corpus(t, "mime"), "*"))
	m := newMemory()
	m.add(model.List{Local: "talk", Domain: "example.org"}, "alice@example.org")
	var want [][]byte
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil || strings.Contains(filepath.Base(f), ".expected.") {
			continue
		}
		if bytes.Contains(raw, []byte("message/global")) {
			continue // the client knows its structure only as RFC 9051 has it, ours is RFC 3501's
		}
		m.post(1, string(raw))
		want = append(want, withoutNULs(raw))
	}
	if len(want) < 500 {
		t.Fatal(len(want), "messages")
	}
	_, addr := serve(t, m)
	readAll(t, addr, want)
	c := loggedIn(t, addr, "alice@example.org")
	c.want("EXAMINE Lists/talk", "OK")
	for _, item := range []string{"BODY", "BODY.PEEK[1]", "BODY.PEEK[2.MIME]", "BODY.PEEK[1.HEADER]", "BODY.PEEK[HEADER.FIELDS.NOT (Received)]"} {
		c.want("FETCH 1:* "+item, "OK")
	}
}

// A post that another process writes, here the command line's import, is told
// to who idles.
func TestIdleSeesAnotherProcess(t *testing.T) {
	ctx := context.Background()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "plenary.db")
	var both [2]*store.Store
	for i := range both {
		s, err := store.Open(ctx, dsn, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		if err := s.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		both[i] = s
	}
	l := imported(t, both[0])
	wake, cancel := both[0].Watch(store.TopicList(l.ID))
	for awake := false; !awake; { // the store has begun to watch for others
		if err := both[1].SetFlag(ctx, model.Mark{Account: 2, List: l.ID, Flag: fmt.Sprint("k", time.Now().UnixNano())}, []model.UID{1}, true); err != nil {
			t.Fatal(err)
		}
		select {
		case <-wake:
			awake = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	cancel()
	c := loggedIn(t, serveStore(t, both[0]), "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	c.send("a IDLE\r\n")
	c.line()
	for i := range 3 {
		p := archive.Make(l, []byte(fmt.Sprintf("Message-ID: <%d@x>\r\n\r\nbody\r\n", i)), nil, model.At(noon), true)
		if _, err := both[1].ImportPosts(ctx, l.ID, []*model.NewPost{p}, "x", int64(i)); err != nil {
			t.Fatal(err)
		}
		if s := c.line(); s != fmt.Sprintf("* %d EXISTS", i+1) {
			t.Fatal(s)
		}
	}
	if _, err := both[1].Unsubscribe(ctx, l.ID, "alice@example.org", "left"); err != nil {
		t.Fatal(err)
	}
	if s := c.line(); !strings.HasPrefix(s, "* BYE") {
		t.Fatal(s)
	}
}

// TestModSequencesHoldAcrossNodes: two servers on one database, which both are
// started again in between, give the same mod-sequences, tell each other's
// changes, and refuse a change that the other one was quicker with.
func TestModSequencesHoldAcrossNodes(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { acrossNodes(t, "sqlite:"+filepath.Join(t.TempDir(), "plenary.db")) })
	t.Run("postgres", func(t *testing.T) { acrossNodes(t, postgres.DSN(t)) })
}

func acrossNodes(t *testing.T, dsn string) {
	ctx := context.Background()
	node := func() *store.Store {
		t.Helper()
		s, err := store.Open(ctx, dsn, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		if err := s.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b := node(), node()
	l := imported(t, a)
	for i := range 5 {
		p := archive.Make(l, []byte(fmt.Sprintf("Message-ID: <%d@x>\r\n\r\nbody\r\n", i)), nil, model.At(noon), true)
		if _, err := a.ImportPosts(ctx, l.ID, []*model.NewPost{p}, "x", int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	one, two := loggedIn(t, serveStore(t, a), "alice@example.org"), loggedIn(t, serveStore(t, b), "alice@example.org")
	one.want("SELECT Lists/talk (CONDSTORE)", "OK")
	two.want("SELECT Lists/talk (CONDSTORE)", "OK")
	one.want(`STORE 2 +FLAGS.SILENT (\Flagged)`, "OK")
	two.want(`STORE 1:2 (UNCHANGEDSINCE 6) +FLAGS.SILENT (\Seen)`, "OK [MODIFIED 2]")
	eventually(t, one, "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (8))")
	for _, c := range []*client{one, two, loggedIn(t, serveStore(t, node()), "alice@example.org")} {
		c.says("STATUS Lists/talk (HIGHESTMODSEQ)", `* STATUS "Lists/talk" (HIGHESTMODSEQ 8)`)
		c.want("EXAMINE Lists/talk (CONDSTORE)", "OK")
		c.says("FETCH 1:* (FLAGS) (CHANGEDSINCE 6)", `* 1 FETCH (FLAGS (\Seen) MODSEQ (8))`, `* 2 FETCH (FLAGS (\Flagged) MODSEQ (7))`)
		c.says("SEARCH MODSEQ 8", "* SEARCH 1 (MODSEQ 8)")
	}
}

// eventually asks for news until this is told.
func eventually(t *testing.T, c *client, want string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if got := strings.Join(c.want("NOOP", "OK"), "\n"); strings.Contains(got, want) {
			return
		} else if time.Now().After(end) {
			t.Fatalf("not told: %s; last %q", want, got)
		}
	}
}

// TestPagesArePartsOfAll: whatever is sought, the newest page holds the last of all
// that is found.
func TestPagesArePartsOfAll(t *testing.T) {
	s := stores.SQLite(t)
	imported(t, s, "linux-man-2000.mbox.gz")
	c := loggedIn(t, serveStore(t, s), "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	c.want("STORE 1:1990 +FLAGS.SILENT (\\Seen)", "OK")
	for _, keys := range []string{
		"ALL", "UNSEEN", "SEEN", "TEXT manual", "BODY kernel", "BODY nothingofthesort", "NOT BODY the", "FROM alx", "SUBJECT patch", "SUBJECT \"man2, \"",
		"TO linux-man CC mtk", "SINCE 1-Jan-2024 BEFORE 1-Jul-2024", "SENTSINCE 1-Mar-2024", "LARGER 20000", "HEADER List-Id linux", "TEXT page FROM alx NOT SUBJECT re",
		"OR FROM alx TEXT kernel", "OR FROM alx SMALLER 2000", "NOT FROM alx", "UID 1:700 SUBJECT patch", "HEADER X-Mailer git BODY patch", "MODSEQ 1900",
	} {
		told := c.want("UID SEARCH "+keys, "OK")
		all := strings.Fields(strings.TrimPrefix(strings.Split(told[len(told)-1], " (MODSEQ")[0], "* SEARCH"))
		for _, r := range []page{{1, 50, true}, {3, 20, true}, {51, 100, true}, {1, 5, false}, {40, 45, false}, {1, 1500, true}} {
			want := "NIL"
			if from, to := r.of(len(all)); from < to {
				var uids []model.UID
				for _, u := range all[from:to] {
					n, _ := parseNumber(u)
					uids = append(uids, model.UID(n))
				}
				want = string(appendUIDs(nil, model.RunsOf(uids)))
			}
			got := c.want("UID SEARCH RETURN (PARTIAL "+r.String()+") "+keys, "OK")[0]
			if got = strings.Split(got, " MODSEQ")[0]; got != `* ESEARCH (TAG "t") UID PARTIAL (`+r.String()+" "+want+")" {
				t.Errorf("%s %s of %d: %.300s, want %.300s", keys, r, len(all), got, want)
			}
		}
	}
}
