package store_test

import (
	"context"
	"encoding/binary"
	"testing"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestManyKeysAreLookedUpOneByOne: also in a table that PostgreSQL believes to be
// small, of which it would read everything.
func TestManyKeysAreLookedUpOneByOne(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		const have, sought = 3000, 700
		var posts []*model.NewPost
		for i := range have {
			key := binary.BigEndian.AppendUint64(nil, uint64(i))
			posts = append(posts, &model.NewPost{ListID: l.ID, RawKey: key, Bytes: key, Self: model.Reference{Key: int64(i) + 1}})
		}
		if n, err := s.ImportPosts(ctx, l.ID, posts, "a", 1); n != have || err != nil {
			t.Fatal(n, err)
		}
		wanted := posts[have-sought/2:]
		for i := range sought / 2 {
			wanted = append(wanted, &model.NewPost{RawKey: []byte{byte(i), byte(i >> 8)}})
		}
		found, read, err := s.TestKnownRaw(ctx, l.ID, wanted)
		if err != nil || found != sought/2 || read > sought {
			t.Errorf("%d found, want %d; %d rows read: %v", found, sought/2, read, err)
		}
	})
}
