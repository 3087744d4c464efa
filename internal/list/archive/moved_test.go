package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// vain counts the frames that were asked for and are not there.
type vain struct {
	*store.Store
	n atomic.Int32
}

func (v *vain) Bytes(ctx context.Context, id int64) ([]byte, error) {
	b, err := v.Store.Bytes(ctx, id)
	v.note(err)
	return b, err
}

func (v *vain) ReadFrames(ctx context.Context, ids []int64, headers bool, out []model.Frame) []error {
	errs := v.Store.ReadFrames(ctx, ids, headers, out)
	for _, err := range errs {
		v.note(err)
	}
	return errs
}

func (v *vain) note(err error) {
	if fault.Is(err, fault.NotFound) {
		v.n.Add(1)
	}
}

// TestMovedPostsAreSoughtOnce: who has a list open while its posts are packed finds
// each of them, and looks in vain for few.
func TestMovedPostsAreSoughtOnce(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		const posts = 300
		var want [][]byte
		for i := range posts {
			raw := mail(fmt.Sprintf("%d@example.org", i), "ann@example.org", "a", strings.Repeat(fmt.Sprintf("line %d\n", i), 200))
			save(t, s, l, raw)
			want = append(want, append([]byte("List-Id: <talk.lists.example.org>\r\n"), raw...))
		}
		v := &vain{Store: s}
		r := archive.NewReader(v)
		ix, err := r.Open(ctx, l.ID)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.SealPosts(ctx, l.ID); err != nil || n == 0 {
			t.Fatal(n, err)
		}
		rows := ix.Rows()
		one := func() {
			t.Helper()
			for i, row := range rows {
				if got, err := r.Bytes(ctx, row); err != nil || !bytes.Equal(got, want[i]) {
					t.Fatalf("post %d: %d octets, %v", i+1, len(got), err)
				}
			}
		}
		one()
		if n := v.n.Load(); n > 2+posts/200 {
			t.Errorf("%d posts were sought in vain", n)
		}
		v.n.Store(0)
		one()
		i := 0
		if err := r.AllBytes(ctx, l.ID, 1, posts, func(uid model.UID, got []byte) error {
			if i++; uid != model.UID(i) || !bytes.Equal(got, want[i-1]) {
				t.Fatalf("post %d: UID %d, %d octets", i, uid, len(got))
			}
			return nil
		}); err != nil || i != posts {
			t.Fatal(i, err)
		}
		if n := v.n.Load(); n > 2 {
			t.Errorf("%d posts were sought in vain again", n)
		}
		fresh := archive.NewReader(s)
		if _, err := fresh.Bytes(ctx, rows[posts-1]); err != nil {
			t.Error(err)
		}
	})
}
