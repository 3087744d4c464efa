package store_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestWireFormsInGroups reads every range of a list whose posts came one by one,
// by import and again one by one, before, while and after they are sealed.
func TestWireFormsInGroups(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		r := rand.New(rand.NewPCG(1, 2))
		var want []*model.NewPost
		fresh := func() *model.NewPost {
			p := newPost(l.ID, fmt.Sprintf("%d@x", len(want)))
			n := len(want)
			p.RawKey = fmt.Appendf(nil, "raw%d", n)
			p.Envelope = fmt.Appendf(nil, "(%d %s)", n, strings.Repeat("e", r.IntN(900)))
			p.Header = fmt.Appendf(nil, "H: %d %s\r\n", n, strings.Repeat("h", r.IntN(2500)))
			p.Columns = fmt.Appendf(nil, "c%d", n)
			switch r.IntN(20) {
			case 0:
				p.Header = nil
			case 1:
				p.Header = bytes.Repeat([]byte("long "), 60<<10)
			}
			want = append(want, p)
			return p
		}
		check := func(from, to model.UID) {
			t.Helper()
			for name, c := range map[string]struct {
				read func(context.Context, int64, model.UID, model.UID, func(model.UID, []byte) error) error
				of   func(*model.NewPost) []byte
			}{
				"envelope": {s.PostEnvelopes, func(p *model.NewPost) []byte { return p.Envelope }},
				"header":   {s.PostHeaders, func(p *model.NewPost) []byte { return p.Header }},
				"columns":  {s.PostColumns, func(p *model.NewPost) []byte { return p.Columns }},
			} {
				next := from
				if err := c.read(ctx, l.ID, from, to, func(u model.UID, b []byte) error {
					if u != next || !bytes.Equal(b, c.of(want[u-1])) {
						t.Errorf("%s %d:%d: post %d is not %d, or is not as it was", name, from, to, u, next)
					}
					next++
					return nil
				}); err != nil || next != min(to, model.UID(len(want)))+1 {
					t.Error(name, from, to, next, err)
				}
			}
		}
		all := func() {
			t.Helper()
			check(1, 1<<32-1)
			for range 12 {
				a := model.UID(1 + r.IntN(len(want)))
				check(a, a+model.UID(r.IntN(len(want)-int(a)+1)))
			}
		}
		live := func(n int) {
			for range n {
				savePost(t, s, fresh())
			}
		}
		live(150)
		all()
		var batch []*model.NewPost
		for range 200 {
			batch = append(batch, fresh())
		}
		if n, err := s.ImportPosts(ctx, l.ID, batch, "x", 1); n != 200 || err != nil {
			t.Fatal(n, err)
		}
		live(150)
		all()
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { check(1, 1<<32-1) })
			wg.Go(func() { check(340, 480) })
		}
		if _, err := s.SealPosts(ctx, l.ID); err != nil {
			t.Error(err)
		}
		wg.Wait()
		all()
		live(20)
		all()
		if n, err := s.CountRows(ctx, "post_headers"); err != nil || n > 220 {
			t.Error("little was packed:", n, err)
		}
		if err := s.RemoveList(ctx, l.ID); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"post_envelopes", "post_headers", "post_columns"} {
			if n, err := s.CountRows(ctx, table); err != nil || n != 0 {
				t.Error(table, n, err)
			}
		}
	})
}
