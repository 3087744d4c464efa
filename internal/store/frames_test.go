package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// noise is lines that cannot be packed.
func noise(lines int) string {
	var b strings.Builder
	for range lines {
		b.WriteString("\r\n " + rand.Text())
	}
	return b.String()
}

// TestReadFrame reads rows of message bytes, whole and headers only: single
// ones, imported frames and sealed ones, with memory that is used again.
func TestReadFrame(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		var want []*model.NewPost
		fresh := func() *model.NewPost {
			n := len(want)
			p := newPost(l.ID, fmt.Sprintf("%d@x", n))
			p.RawKey = fmt.Appendf(nil, "raw%d", n)
			head := fmt.Sprintf("Subject: %d\r\n%s\r\n", n, strings.Repeat("X-Trace: some text\r\n", n%7))
			if n >= 100 && n < 120 { // the headers of a frame are more than PostgreSQL is asked for at first
				head = "X-Key: " + rand.Text() + noise(300) + "\r\n" + head
			}
			p.Bytes = []byte(head + strings.Repeat(fmt.Sprintf("body %d\r\n", n), n%900))
			p.Post.Size, p.Post.HeaderLen = int64(len(p.Bytes)), int64(len(head))
			want = append(want, p)
			return p
		}
		var frame model.Frame
		var some [3]model.Frame
		read := func(p *model.Post, headers bool) { // the middle one of three that are read together
			t.Helper()
			errs := s.ReadFrames(ctx, []int64{1 << 40, p.BytesID, want[0].Post.BytesID}, headers, some[:])
			if !fault.Is(errs[0], fault.NotFound) || errs[1] != nil || errs[2] != nil {
				t.Fatal(errs)
			}
			frame = some[1]
			var alone model.Frame
			if err := s.ReadFrame(ctx, p.BytesID, headers, &alone); err != nil || !bytes.Equal(alone.Data, frame.Data) || !slices.Equal(alone.Heads, frame.Heads) {
				t.Fatal("alone it is another one: ", err)
			}
		}
		check := func() (apart int) {
			t.Helper()
			for i, n := range want {
				p, err := s.GetPost(ctx, n.Post.ID)
				if err != nil {
					t.Fatal(err)
				}
				read(p, false)
				if len(frame.Heads) != 0 || !bytes.Equal(frame.Data[p.BytesOff:p.BytesOff+p.Size], n.Bytes) {
					t.Fatal("post", i, "is not as it was")
				}
				read(p, true)
				if len(frame.Heads) == 0 {
					continue
				}
				apart++
				found := 0
				for _, h := range frame.Heads {
					if h.Off == p.BytesOff && bytes.Equal(frame.Data[h.Start:h.End], n.Bytes[:p.HeaderLen]) {
						found++
					}
				}
				if found != 1 {
					t.Fatal("the header of post", i, "was found", found, "times")
				}
			}
			return apart
		}
		for range 60 {
			savePost(t, s, fresh())
		}
		if n := check(); n != 0 {
			t.Error(n, "of single ones have a header apart")
		}
		var batch []*model.NewPost
		for range 200 {
			batch = append(batch, fresh())
		}
		if _, err := s.ImportPosts(ctx, l.ID, batch, "x", 1); err != nil {
			t.Fatal(err)
		}
		for range 200 {
			savePost(t, s, fresh())
		}
		if n := check(); n != 200 {
			t.Error(n, "of 200 imported ones have a header apart")
		}
		if _, err := s.SealPosts(ctx, l.ID); err != nil {
			t.Fatal(err)
		}
		if n := check(); n < 300 {
			t.Error("few have a header apart after sealing:", n)
		}
		if err := s.ReadFrame(ctx, 1<<40, true, &frame); !fault.Is(err, fault.NotFound) {
			t.Error("a row that is not there:", err)
		}
	})
}
