package posting_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"plenary/internal/list/posting"
	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/store"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/stores"
)

// TestTortureSet offers every odd message there is to an open list: each gets an
// answer that is no failure of ours, what waits can be released, and the archive
// has the received bytes.
func TestTortureSet(t *testing.T) {
	dir := real.Corpus(t, "mime")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	stores.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		r.list.NonsubscriberAction = model.Accept
		counts := map[model.Action]int{}
		for i, e := range entries {
			if strings.Contains(e.Name(), ".expected") || s.Dialect() == store.Postgres && i%4 != 0 {
				continue
			}
			raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
			r.check(err)
			// Each file its own Message-ID: the set has some twice.
			raw = bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
			raw = append([]byte("X-Case: "+strconv.Itoa(i)+"\r\n"), raw...)
			j, err := r.Judge(ctx, r.list, r.offer(raw, "ann@example.net"))
			if err != nil {
				t.Fatalf("%s: %v", e.Name(), err)
			}
			res, err := r.Settle(ctx, j)
			if err != nil {
				t.Fatalf("%s: %v", e.Name(), err)
			}
			counts[res.Action]++
			if res.Action == model.Hold && !res.Duplicate {
				h, err := s.GetHeld(ctx, res.HeldID)
				r.check(err)
				if err := r.Release(ctx, h, "mod@example.net"); err != nil {
					t.Fatalf("%s: %v", e.Name(), err)
				}
			}
			if res.Action == model.Accept && !res.Duplicate {
				post, err := s.GetPost(ctx, res.PostID)
				r.check(err)
				if stored, err := s.PostBytes(ctx, post); err != nil || !bytes.Equal(stored[post.OwnLen:], raw) {
					t.Errorf("%s: the archive has other bytes, %v", e.Name(), err)
				}
			}
		}
		t.Logf("%v", counts)
		c := &posting.Composer{Store: s, Tokens: r.keys}
		for after := int64(0); ; {
			ds, err := s.ActiveDistributions(ctx, model.LanePost, after, 100)
			r.check(err)
			for i := range ds {
				p, err := c.Open(ctx, &ds[i])
				r.check(err)
				if l := p.Letter(queue.Recipient{ID: 1, Address: "bob@example.com"}); l.Size() == 0 {
					t.Error("an empty copy")
				}
				after = ds[i].ID
			}
			if len(ds) == 0 {
				return
			}
		}
	})
}
