package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"plenary/internal/list/archive"
	"plenary/internal/list/transfer"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

func TestTooLargeIsLeftOut(t *testing.T) {
	s := stores.SQLite(t)
	l := makeList(t, s, "talk")
	const sep = "From ann@example.org Mon Mar  2 10:00:00 2026\n"
	path := write(t, "a.mbox", sep+"A: 1\n\nsmall\n\n"+sep+"A: 2\n\n"+strings.Repeat("large ", 5000)+"\n\n"+sep+"A: 3\n\nsmall\n")
	im := importer(s)
	im.Limit = 20_000
	rep, err := im.Import(context.Background(), l, "mbox", path)
	if err != nil || rep.Added != 2 || rep.TooLarge != 1 || rep.Messages != 3 {
		t.Fatalf("%+v %v", rep, err)
	}
	checkArchive(t, s, l, [][]byte{[]byte("A: 1\r\n\r\nsmall\r\n"), []byte("A: 3\r\n\r\nsmall\r\n")})
}

// Two imports of one file and posts that arrive meanwhile: each message once,
// no UID twice.
func TestImportsSideBySide(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		path := write(t, "a.mbox", mboxOf(0, 1200))
		var wg sync.WaitGroup
		var added [2]int
		for i := range added {
			wg.Go(func() {
				for range 20 { // who comes second is told to try again later
					rep, err := importer(s).Import(ctx, l, "mbox", path)
					added[i] += rep.Added
					if err == nil {
						return
					}
				}
				t.Error("the import did not end")
			})
		}
		wg.Go(func() {
			for i := range 30 {
				raw := []byte(fmt.Sprintf("Message-ID: <live%d@x>\r\nSubject: live\r\n\r\nbody\r\n", i))
				p := archive.Make(l, raw, []byte("List-Id: <talk.lists.example.org>\r\n"), 1e15, false)
				if _, dup, err := s.SavePost(ctx, p); dup || err != nil {
					t.Error(dup, err)
				}
			}
		})
		wg.Wait()
		n, err := s.CountPosts(ctx, l.ID)
		if err != nil || added[0]+added[1] != 1200 || n != 1230 {
			t.Errorf("%d added, %d posts (%v)", added, n, err)
		}
	})
}

// What the simplest writer of mboxrd writes, our reader reads back.
func FuzzMbox(f *testing.F) {
	f.Add("A: 1\n\nx\n", "From me\n>From\n", uint8(3))
	f.Add("\n\n", "From ann Mon Mar  2 10:00:00 2026\nA: b", uint8(9))
	f.Add("\r\n.\r", "\r\r\n", uint8(1))
	mboxrd, _ := transfer.FindFormat("mboxrd")
	f.Fuzz(func(t *testing.T, a, b string, chunk uint8) {
		var file bytes.Buffer
		var want []string
		for _, m := range []string{a, b} {
			m = strings.ReplaceAll(strings.ReplaceAll(m, "\r\n", "\n"), "\n", "\r\n")
			if !strings.HasSuffix(m, "\r\n") {
				m += "\r\n"
			}
			want = append(want, m)
			file.WriteString("From mboxrd@z Mon Mar  2 10:00:00 2026\n")
			for line := range strings.SplitAfterSeq(m, "\r\n") {
				if strings.HasPrefix(strings.TrimLeft(line, ">"), "From ") {
					file.WriteByte('>')
				}
				if body, ok := strings.CutSuffix(line, "\r\n"); ok && !strings.HasSuffix(body, "\r") {
					line = body + "\n"
				}
				file.WriteString(line)
			}
			file.WriteByte('\n')
		}
		r := mboxrd.Read(&slow{file.Bytes(), int(chunk) + 1}, 0, 1<<20)
		for i := 0; ; i++ {
			m, err := r.Next()
			if errors.Is(err, io.EOF) {
				if i != 2 {
					t.Fatalf("%d messages of %q", i, file.String())
				}
				return
			}
			if err != nil || i > 1 || string(m.Raw) != want[i] {
				t.Fatalf("message %d: %q, want %q (%v)", i, m.Raw, want, err)
			}
		}
	})
}

// slow gives few octets at a time.
type slow struct {
	data []byte
	n    int
}

func (s *slow) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.data[:min(s.n, len(s.data))])
	s.data = s.data[n:]
	return n, nil
}

// Any file at all is read to its end, and the pieces are not larger than it.
func FuzzAnyFile(f *testing.F) {
	f.Add([]byte("From a Mon Mar  2 10:00:00 2026\n\n\nFrom b Mon Mar  2 10:00:00 2026\nx"))
	f.Add([]byte("\n\nFrom \nFrom \nA:\n\nFrom \nB:"))
	mbox, _ := transfer.FindFormat("mbox")
	f.Fuzz(func(t *testing.T, data []byte) {
		r := mbox.Read(bytes.NewReader(data), 0, 1<<20)
		for last := int64(0); ; {
			m, err := r.Next()
			if err != nil {
				return
			}
			if m.End < last || m.End > int64(len(data)) || len(m.Raw) > 2*len(data) {
				t.Fatalf("ends at %d after %d, %d octets", m.End, last, len(m.Raw))
			}
			last = m.End
			archive.Make(&model.List{ID: 1}, m.Raw, nil, 1, true)
		}
	})
}
