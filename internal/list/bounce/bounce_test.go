package bounce_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/bounce"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
	"plenary/internal/token"
)

func TestRecord(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx, keys := context.Background(), token.New([]byte("secret"))
		b := bounce.New(bounce.Deps{Store: s, Tokens: keys, Now: func() time.Time { return time.UnixMicro(99) }})
		raw := []byte("Subject: Undelivered\r\n\r\n\x00\xff user unknown\r\n")
		list := &model.List{ID: 5}
		if err := b.Record(ctx, bounce.Report{List: list, ID: keys.Verp(7, 9), Raw: raw}); err != nil {
			t.Fatal(err)
		}
		got, err := s.BouncesOf(ctx, 7, 9)
		if err != nil || len(got) != 1 || got[0].ListID != 5 || got[0].ReceivedAt != 99 {
			t.Fatalf("%+v, %v", got, err)
		}
		if kept, err := s.Bytes(ctx, got[0].BytesID); err != nil || string(kept) != string(raw) {
			t.Errorf("%q, %v", kept, err)
		}
		for _, forged := range []string{"x", token.New([]byte("other")).Verp(7, 9)} {
			if err := b.Record(ctx, bounce.Report{List: list, ID: forged, Raw: raw}); !fault.Is(err, fault.NotFound) || b.Known(forged) {
				t.Errorf("%s: %v", forged, err)
			}
		}
		if err := b.Record(ctx, bounce.Report{List: list, Raw: raw}); err != nil || !b.Known("") {
			t.Errorf("an address without an id: %v", err)
		}
	})
}
