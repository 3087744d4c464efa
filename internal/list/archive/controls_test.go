package archive_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestControlCharactersPartWords: "before", a form feed, "after" are two words. What
// an older version stored as one is no damage, and is mended by a reindex.
func TestControlCharactersPartWords(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		raw := func(id string) []byte {
			return mail(id, "Ann <ann@example.org>", "Pages", "before\x0cafter the fold\r\n\x0cnext page\r\n> said\x1bthen\r\n")
		}
		old := archive.Make(l, raw("old@x"), nil, model.At(time.Unix(1_600_000_000, 0)), true)
		old.Text.Body, old.Text.Quoted = "beforeafter the fold next page", "saidthen"
		fresh := archive.Make(l, raw("new@x"), nil, model.At(time.Unix(1_600_000_001, 0)), true)
		if _, err := s.ImportPosts(ctx, l.ID, []*model.NewPost{old, fresh}, "x", 1); err != nil {
			t.Fatal(err)
		}
		finds := func(in model.SearchColumns, text string, want int) {
			t.Helper()
			uids, err := archive.NewReader(s).Search(ctx, l.ID, archive.Phrase(in, text, false))
			if err != nil || len(uids) != want {
				t.Errorf("%q: %v, %v", text, uids, err)
			}
		}
		finds(model.InBody, "before after", 1)
		finds(model.InQuoted, "then", 1)
		if found := check(t, s, l); len(found) > 0 {
			t.Error(found)
		}
		if _, err := keeper(s).Reindex(ctx, l); err != nil {
			t.Fatal(err)
		}
		finds(model.InBody, "before after", 2)
		finds(model.InBody, "beforeafter", 0)
		finds(model.InQuoted, "then", 2)
		if found := check(t, s, l); len(found) > 0 {
			t.Error(found)
		}
	})
}
