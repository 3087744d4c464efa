package archive_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/testkit/stores"
)

// TestWhatNobodyUsesIsLetGo counts what a reader holds while its clock goes on.
func TestWhatNobodyUsesIsLetGo(t *testing.T) {
	ctx := context.Background()
	s := stores.SQLite(t)
	l := makeList(t, s, "talk")
	var batch []*model.NewPost
	for _, id := range []string{"1@x", "2@x", "3@x"} {
		batch = append(batch, archive.Make(l, mail(id, "Ann <ann@example.org>", "shelves", "x"), nil, march, true))
	}
	if _, err := s.ImportPosts(ctx, l.ID, batch, "x", 1); err != nil {
		t.Fatal(err)
	}
	r := archive.NewReader(s)
	now := time.Now()
	r.Now = func() time.Time { return now }
	holds := func(when string, want archive.Held) {
		t.Helper()
		if r.Tidy(); r.Held() != want {
			t.Errorf("%s %+v is held, not %+v", when, r.Held(), want)
		}
	}
	holds("at first", archive.Held{})
	before := answers(t, r, l)
	ix, err := r.Open(ctx, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Bytes(ctx, ix.Rows()[0]); err != nil {
		t.Fatal(err)
	}
	all := archive.Held{Lists: 1, Columns: 1, References: 1, Frames: 1}
	holds("at once", all)
	now = now.Add(time.Minute)
	all.Frames = 0
	holds("a minute later", all)
	now = now.Add(3 * time.Minute)
	if _, err := r.Sort(ctx, l.ID, []archive.SortKey{{By: archive.SortFrom}}, []model.UID{1}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(3 * time.Minute)
	all.References = 0
	holds("seven minutes later, and three after columns were used,", all)
	now = now.Add(12 * time.Minute)
	if err := ix.Refresh(ctx, 0); err != nil { // as a mailbox that is open does
		t.Fatal(err)
	}
	holds("while the list is open", archive.Held{Lists: 1})
	now = now.Add(20 * time.Minute)
	holds("when nobody has it open", archive.Held{})
	if after := answers(t, r, l); len(after) != len(before) || after[0] != before[0] {
		t.Error(after)
	}
}
