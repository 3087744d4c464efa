package transfer_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/list/transfer"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/real"
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

func importer(s *store.Store) *transfer.Importer {
	return &transfer.Importer{Store: s, Now: func() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }}
}

func unpack(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// splitPlainly cuts an mbox with LF lines in the simplest way that is right for
// the real archives: at lines that begin with From, end in a year and are
// followed by a header field.
func splitPlainly(data []byte) [][]byte {
	var out [][]byte
	var cur []byte
	lines := bytes.SplitAfter(data, []byte("\n"))
	for i, l := range lines {
		f := bytes.Fields(l)
		sep := bytes.HasPrefix(l, []byte("From ")) && len(f) > 5 && len(f[len(f)-1]) == 4 && bytes.Count(f[len(f)-2], []byte(":")) == 2 &&
			i+1 < len(lines) && bytes.Contains(lines[i+1], []byte(": "))
		if sep {
			if i > 0 {
				out = append(out, cur)
			}
			cur = nil
			continue
		}
		cur = append(cur, l...)
	}
	out = append(out, cur)
	for i, m := range out {
		if bytes.HasSuffix(m, []byte("\n\n")) {
			m = m[:len(m)-1]
		}
		m = bytes.ReplaceAll(m, []byte("\r\n"), []byte("\n"))
		out[i] = bytes.ReplaceAll(m, []byte("\n"), []byte("\r\n"))
	}
	return out
}

func checkArchive(t *testing.T, s *store.Store, l *model.List, want [][]byte) {
	t.Helper()
	ctx := context.Background()
	r := archive.NewReader(s)
	i := 0
	if err := r.AllBytes(ctx, l.ID, 1, 1<<32-1, func(uid model.UID, data []byte) error {
		if i < len(want) && !bytes.Equal(data, want[i]) {
			t.Errorf("message %d (UID %d) differs: %d octets, want %d", i, uid, len(data), len(want[i]))
			return errors.New("stop")
		}
		i++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if i != len(want) {
		t.Fatalf("%d messages, want %d", i, len(want))
	}
}

func TestRealArchives(t *testing.T) {
	for _, c := range []struct {
		file string
		n    int
	}{{"linux-man-2000.mbox.gz", 2000}, {"usrp-users-1500.mbox.gz", 1500}, {"pipermail-twisted-web-4758.mbox.gz", 5374}} {
		path := real.Corpus(t, "archives", c.file)
		t.Run(c.file, func(t *testing.T) {
			want := splitPlainly(unpack(t, path))
			if len(want) != c.n {
				t.Fatalf("the test reads %d messages, want %d", len(want), c.n)
			}
			run := stores.Each
			if c.n != 5374 { // PostgreSQL once, for time
				run = func(t *testing.T, f func(*testing.T, *store.Store)) { f(t, stores.SQLite(t)) }
			}
			run(t, func(t *testing.T, s *store.Store) {
				ctx := context.Background()
				l := makeList(t, s, "talk")
				rep, err := importer(s).Import(ctx, l, "mbox", path)
				if err != nil || rep.Added != c.n || rep.Messages != c.n || len(rep.Cut) > 0 {
					t.Fatalf("%+v %v", rep, err)
				}
				checkArchive(t, s, l, want)
				rep, err = importer(s).Import(ctx, l, "mbox", path)
				if err != nil || rep.Added != 0 || len(rep.Resumed) != 1 {
					t.Fatalf("again: %+v %v", rep, err)
				}
				other := filepath.Join(t.TempDir(), "other.mbox")
				if err := os.WriteFile(other, unpack(t, path), 0o600); err != nil {
					t.Fatal(err)
				}
				rep, err = importer(s).Import(ctx, l, "mbox", other)
				if err != nil || rep.Added != 0 || rep.Known != c.n {
					t.Fatalf("under another name: %+v %v", rep, err)
				}
				exportAndImport(t, s, l)
			})
		})
	}
}

// exportAndImport writes the list out, imports it into another one and compares.
func exportAndImport(t *testing.T, s *store.Store, l *model.List) {
	t.Helper()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "export.mbox")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	r := archive.NewReader(s)
	done, err := transfer.ExportMbox(ctx, r, l.ID, f, nil)
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	to := makeList(t, s, l.Local+"-again")
	rep, err := importer(s).Import(ctx, to, "mbox", path)
	if err != nil || rep.Added != done.Messages || len(done.Unread) > 0 {
		t.Fatalf("%+v exported, %+v %v", done, rep, err)
	}
	a, b := digest(t, r, l), digest(t, r, to)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("message %d changed", i)
		}
	}
}

func digest(t *testing.T, r *archive.Reader, l *model.List) (sums []string) {
	t.Helper()
	ix, err := r.Open(context.Background(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	rows := ix.Rows()
	if err := r.AllBytes(context.Background(), l.ID, 1, 1<<32-1, func(uid model.UID, data []byte) error {
		sums = append(sums, fmt.Sprintf("%x %s", sha256.Sum256(data), rows[len(sums)].ReceivedAt.Time().Format(time.RFC3339)))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return sums
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMboxFamily(t *testing.T) {
	s := stores.SQLite(t)
	const sep = "From ann@example.org Mon Mar  2 10:00:00 2026\n"
	for i, c := range []struct {
		name, format, file string
		want               []string
		cut                bool
	}{
		{"two", "mbox", sep + "A: 1\n\nx\n\n" + sep + "A: 2\n\ny\n\n", []string{"A: 1\n\nx\n", "A: 2\n\ny\n"}, false},
		{"no empty line at the end", "mbox", sep + "A: 1\n\nx\n", []string{"A: 1\n\nx\n"}, false},
		{"no empty line between", "mbox", sep + "A: 1\n\nx\n" + sep + "A: 2\n\ny\n", []string{"A: 1\n\nx\n", "A: 2\n\ny\n"}, false},
		{"prose", "mbox", sep + "A: 1\n\nx\n\nFrom here on\nit goes: down\n\n", []string{"A: 1\n\nx\n\nFrom here on\nit goes: down\n"}, false},
		{"prose with a date", "mbox", sep + "A: 1\n\nx\nFrom Mon Mar  2 10:00:00 2026\nwe ship\n", []string{"A: 1\n\nx\nFrom Mon Mar  2 10:00:00 2026\nwe ship\n"}, false},
		{"quoted stays", "mbox", sep + "A: 1\n\n>From me\n>>From you\n", []string{"A: 1\n\n>From me\n>>From you\n"}, false},
		{"quoted goes", "mboxrd", sep + "A: 1\n\n>From me\n>>From you\n> From us\n", []string{"A: 1\n\nFrom me\n>From you\n> From us\n"}, false},
		{"marked", "mbox", "From mboxrd@z Thu Jan  1 00:00:00 1970\nA: 1\n\n>From me\n", []string{"A: 1\n\nFrom me\n"}, false},
		{"wire lines", "mbox", strings.ReplaceAll(sep+"A: 1\n\nx\n\n"+sep+"A: 2\n\ny\n\n", "\n", "\r\n"), []string{"A: 1\n\nx\n", "A: 2\n\ny\n"}, false},
		{"lone CR", "mbox", sep + "A: 1\n\na\rb\n\n\n", []string{"A: 1\n\na\rb\n\n"}, false},
		{"cut in a line", "mbox", sep + "A: 1\n\nx\n\n" + sep + "A: 2\n\ny", []string{"A: 1\n\nx\n"}, true},
		{"no date anywhere", "mbox", "From ann\nA: 1\n\nx\n\nFrom bob\nA: 2\n\ny\n\n", []string{"A: 1\n\nx\n", "A: 2\n\ny\n"}, false},
		{"zone", "mbox", "From a at b  Mon Mar  2 10:00:00 CET 2026\nA: 1\n\nx\n", []string{"A: 1\n\nx\n"}, false},
		{"nothing between", "mbox", sep + sep + "A: 1\n\nx\n", []string{"A: 1\n\nx\n"}, false},
		{"empty", "mbox", "", nil, false},
		{"long line", "mbox", sep + "A: 1\n\n" + strings.Repeat("From x", 40000) + "\n", []string{"A: 1\n\n" + strings.Repeat("From x", 40000) + "\n"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := makeList(t, s, fmt.Sprint("l", i))
			rep, err := importer(s).Import(context.Background(), l, c.format, write(t, "a.mbox", c.file))
			if err != nil || rep.Added != len(c.want) || len(rep.Cut) > 0 != c.cut {
				t.Fatalf("%+v %v", rep, err)
			}
			var want [][]byte
			for _, w := range c.want {
				want = append(want, []byte(strings.ReplaceAll(w, "\n", "\r\n")))
			}
			checkArchive(t, s, l, want)
		})
	}
	_, err := importer(s).Import(context.Background(), makeList(t, s, "x"), "mbox", write(t, "a", "Subject: no mbox\n"))
	if !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	_, err = importer(s).Import(context.Background(), makeList(t, s, "y"), "tar", write(t, "a", ""))
	if !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

func mboxOf(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "From ann@example.org Mon Mar  2 10:00:00 2026\nMessage-ID: <%d@x>\nSubject: s%d\n\nbody %d\n\n", i, i, i)
	}
	return b.String()
}

func TestImportGoesOn(t *testing.T) {
	s := stores.SQLite(t)
	ctx := context.Background()
	l := makeList(t, s, "talk")
	whole := mboxOf(0, 1000)
	path := write(t, "a.mbox", whole[:len(whole)/2+3])
	rep, err := importer(s).Import(ctx, l, "mbox", path)
	if err != nil || len(rep.Cut) != 1 || rep.Added < 490 {
		t.Fatalf("%+v %v", rep, err)
	}
	first := rep.Added
	if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	rep, err = importer(s).Import(ctx, l, "mbox", path)
	if err != nil || first+rep.Added != 1000 || rep.Known != 0 || len(rep.Resumed) != 1 {
		t.Fatalf("%d and %+v %v", first, rep, err)
	}
	if err := os.WriteFile(path, []byte(whole+mboxOf(1000, 1010)), 0o600); err != nil { // it grew
		t.Fatal(err)
	}
	if rep, err = importer(s).Import(ctx, l, "mbox", path); err != nil || rep.Added != 10 || rep.Known != 0 {
		t.Fatalf("%+v %v", rep, err)
	}
	// Another file in its place, with the same beginning: nothing is lost.
	changed := whole[:6000] + strings.ReplaceAll(whole[6000:], "body", "text and")
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if rep, err = importer(s).Import(ctx, l, "mbox", path); err != nil || rep.Messages != 1000 {
		t.Fatalf("%+v %v", rep, err)
	}
}

// failing stops in the middle of an import, as a killed process does.
type failing struct {
	transfer.Store
	left int
}

func (f *failing) ImportParcel(ctx context.Context, p *model.Parcel, source string, position int64) (int, error) {
	if f.left--; f.left < 0 {
		return 0, fault.New(fault.Temporary, "gone")
	}
	return f.Store.ImportParcel(ctx, p, source, position)
}

func TestImportAfterAFailure(t *testing.T) {
	s := stores.SQLite(t)
	ctx := context.Background()
	l := makeList(t, s, "talk")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(mboxOf(0, 1500)))
	_ = z.Close()
	path := write(t, "a.mbox.gz", packed.String())
	im := importer(s)
	im.Store = &failing{s, 2} // batches of 128 and 256
	var last transfer.Progress
	im.Progress = func(p transfer.Progress) { last = p }
	rep, err := im.Import(ctx, l, "mbox", path)
	if !fault.Is(err, fault.Temporary) || rep.Added != 384 || last.Added != 384 || last.Total == 0 {
		t.Fatalf("%+v %+v %v", rep, last, err)
	}
	rep, err = importer(s).Import(ctx, l, "mbox", path)
	if err != nil || rep.Added != 1500-384 || rep.Known != 0 {
		t.Fatalf("%+v %v", rep, err)
	}
	cut := write(t, "b.mbox.gz", packed.String()[:packed.Len()-200])
	rep, err = importer(s).Import(ctx, makeList(t, s, "b"), "mbox", cut)
	if err != nil || len(rep.Cut) != 1 || rep.Added == 0 || rep.Added >= 1500 {
		t.Fatalf("%+v %v", rep, err)
	}
}

func TestMaildirAndEml(t *testing.T) {
	s := stores.SQLite(t)
	ctx := context.Background()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"cur/1700000002.a:2,S": "A: 2\n\ntwo\n\n", "new/1700000001.b": "A: 1\n\none", "tmp/1700000000.c": "no", "new/.hidden": "no",
		"deep/x.eml": "A: x\r\n\r\nx\r\n", "deep/y.txt": "no",
	} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := makeList(t, s, "talk")
	rep, err := importer(s).Import(ctx, l, "maildir", dir)
	if err != nil || rep.Added != 2 {
		t.Fatalf("%+v %v", rep, err)
	}
	checkArchive(t, s, l, [][]byte{[]byte("A: 1\r\n\r\none"), []byte("A: 2\r\n\r\ntwo\r\n\r\n")})
	e := makeList(t, s, "eml")
	rep, err = importer(s).Import(ctx, e, "eml", dir)
	if err != nil || rep.Added != 1 {
		t.Fatalf("%+v %v", rep, err)
	}
	checkArchive(t, s, e, [][]byte{[]byte("A: x\r\n\r\nx\r\n")})
	if rep, err = importer(s).Import(ctx, l, "maildir", dir); err != nil || rep.Added != 0 {
		t.Fatalf("%+v %v", rep, err)
	}
	if _, err = importer(s).Import(ctx, l, "maildir", filepath.Join(dir, "deep")); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

// What is not one message is left out and named, and the others are imported.
func TestEmlIsOneMessage(t *testing.T) {
	s := stores.SQLite(t)
	l := makeList(t, s, "talk")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("A: packed\r\n\r\nx\r\n"))
	_ = z.Close()
	paths := []string{write(t, "a.eml", "A: 1\r\n\r\nx\r\n"), write(t, "zip.eml", "PK\x03\x04\x14\x00A: 1\r\n"), write(t, "text.eml", "Dear all,\n\nA: 1\n"),
		write(t, "mbox.eml", mboxOf(0, 2)), write(t, "one.eml", mboxOf(2, 3)), write(t, "gz.eml", packed.String()), write(t, "z.eml", "B: 1\r\n\r\nx\r\n")}
	rep, err := importer(s).Import(context.Background(), l, "eml", paths...)
	if !fault.Is(err, fault.Invalid) || rep.Added != 4 || rep.Messages != 4 {
		t.Fatalf("%+v %v", rep, err)
	}
	for _, want := range []string{"zip.eml is a packed file", "text.eml is no message", "mbox.eml holds several messages: use import mbox"} {
		if !strings.Contains(fault.Text(err), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// What stands before the header is not part of the message, and text that looks like
// the beginning of another message does not make several of one.
func TestEmlWithMoreThanAMessage(t *testing.T) {
	s := stores.SQLite(t)
	const (
		bom    = "\xEF\xBB\xBF"
		dated  = "From ann@school.org Tue Jan  2 10:00:00 2024\n"
		header = "From: Ann <ann@school.org>\nSubject: Hi\n\n"
	)
	for i, c := range []struct{ name, file, want string }{
		{"empty lines", "\n\r\n" + header + "x\n", header + "x\n"},
		{"mark", bom + header + "x\n", header + "x\n"},
		{"mark and one field", bom + "From: ann@school.org\n\nx\n", "From: ann@school.org\n\nx\n"},
		{"mark and empty lines", bom + "\r\n\n" + header, header},
		{"prose", "From ann@school.org\n" + header + "\nFrom my view\nNote: this\n", "From ann@school.org\n" + header + "\nFrom my view\nNote: this\n"},
		{"prose with a date", dated + header + dated + "Note: this\nAnd: that\n", dated + header + dated + "Note: this\nAnd: that\n"},
		{"one quoted", "From ann@school.org\n" + header + dated + header, "From ann@school.org\n" + header + dated + header},
		{"two quoted", "From ann@school.org\n" + header + dated + header + dated + header, ""},
		{"quoted in a plain message", header + dated + header + dated + header, header + dated + header + dated + header},
		{"two messages", dated + header + "x\n\n" + dated + "Received: a\n\tb\nDate: c\n\n", ""},
		{"two messages behind a mark", bom + "\n" + dated + header + dated + header, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := makeList(t, s, fmt.Sprint("l", i))
			_, err := importer(s).Import(context.Background(), l, "eml", write(t, "a.eml", c.file))
			if c.want == "" {
				if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Text(err), "several messages") {
					t.Fatal(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkArchive(t, s, l, [][]byte{[]byte(strings.ReplaceAll(c.want, "\n", "\r\n"))})
		})
	}
}
