package imapd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/testkit/stores"
)

// TestUnseenIsRight: also after messages were taken away that had been seen.
func TestUnseenIsRight(t *testing.T) {
	m := sample(t)
	for range 5 {
		m.post(1, plainPost)
	}
	_, addr := serve(t, m)
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	c.want(`STORE 2:5,8 +FLAGS.SILENT (\Seen)`, "OK")
	c.says("STATUS Lists/talk (MESSAGES UNSEEN)", `* STATUS "Lists/talk" (MESSAGES 8 UNSEEN 3)`)
	for _, uid := range []model.UID{1, 3, 8} { // two were seen
		m.remove(1, uid)
	}
	_, addr = serve(t, m)
	c = loggedIn(t, addr, "alice@example.org")
	c.says("STATUS Lists/talk (MESSAGES UNSEEN UIDNEXT)", `* STATUS "Lists/talk" (MESSAGES 5 UIDNEXT 9 UNSEEN 2)`)
	c.want("EXAMINE Lists/talk", "OK")
	c.says("UID SEARCH UNSEEN", "* SEARCH 6 7")
}

func TestMissing(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 4))
		var rows []archive.Row
		var want, got []model.UID
		next := model.UID(1)
		for range r.IntN(60) {
			if r.IntN(1+int(seed%9)) == 0 {
				want = append(want, next)
			} else {
				rows = append(rows, archive.Row{UID: next})
			}
			next++
		}
		for _, r := range missing(rows, next) {
			for u := r.From; u <= r.To; u++ {
				got = append(got, u)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: %v, want %v", seed, got, want)
		}
	}
}

// millionRows is an index of a million posts, some of them taken away.
type millionRows struct {
	rows []archive.Row
	next model.UID
}

func (x millionRows) Refresh(context.Context, model.UID) error { return nil }
func (x millionRows) Rows() []archive.Row                      { return x.rows }
func (x millionRows) Snapshot() ([]archive.Row, model.UID)     { return x.rows, x.next }
func (x millionRows) UIDValidity() uint32                      { return 1 }

type withIndex struct {
	Archive
	index Index
}

func (a withIndex) Open(context.Context, int64, model.UID) (Index, error) { return a.index, nil }

// BenchmarkStatusOfAMillion: UNSEEN is a count of bits, not a walk through posts,
// with or without some that were taken away.
func BenchmarkStatusOfAMillion(b *testing.B) {
	const n = 1_000_000
	s := stores.SQLite(b)
	ctx := context.Background()
	l := &model.List{Local: "talk", Domain: "example.org", ArchiveAccess: model.AccessPublic}
	if err := s.CreateList(ctx, l); err != nil {
		b.Fatal(err)
	}
	uids := make([]model.UID, 0, n)
	for u := model.UID(1); u < n; u += 2 {
		uids = append(uids, u)
	}
	if err := s.SetFlag(ctx, model.Mark{Account: 1, List: l.ID, Flag: seen}, uids, true); err != nil {
		b.Fatal(err)
	}
	for _, gone := range []int{0, 100} {
		var rows []archive.Row
		for u := model.UID(1); u <= n; u++ {
			if gone == 0 || int(u)%(n/gone) != 0 {
				rows = append(rows, archive.Row{UID: u, Size: 3000})
			}
		}
		b.Run(fmt.Sprintf("%d gone", gone), func(b *testing.B) {
			_, addr := serve(b, newMemory(), func(o *Options, _ *times) {
				o.Archive, o.Changes = withIndex{Over(archive.NewReader(s)), millionRows{rows, n + 1}}, s
			})
			c := loggedIn(b, addr, "alice@example.org")
			c.want("STATUS Lists/talk (SIZE)", "OK") // added up once
			b.ResetTimer()
			for range b.N {
				c.want("STATUS Lists/talk (MESSAGES UNSEEN UIDNEXT SIZE)", "OK")
			}
		})
	}
}

// TestKeywordsEnd: a person has so many keywords on a list, and room again when
// some are on no message any more.
func TestKeywordsEnd(t *testing.T) {
	_, addr := serve(t, sample(t))
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	for i := range maxKeywords {
		c.want(`STORE 1 +FLAGS.SILENT (kw`+itoa(i)+`)`, "OK")
	}
	c.want(`STORE 1 +FLAGS.SILENT (more)`, "NO [LIMIT]")
	if all := strings.Join(c.want("SELECT Lists/talk", "OK"), "\n"); !strings.Contains(all, "kw7") || strings.Contains(all, `\*`) {
		t.Error("more keywords are promised:", all)
	}
	c.want(`STORE 2 +FLAGS.SILENT (kw7 \Flagged)`, "OK")
	c.want(`STORE 1 -FLAGS.SILENT (kw3)`, "OK")
	c.want(`STORE 1 +FLAGS.SILENT (more)`, "OK")
}
