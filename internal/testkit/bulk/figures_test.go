package bulk_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/bulk"
)

// TestFigures measures a large list, by hand only:
//
//	PLENARY_BULK=1000000 PLENARY_BULK_DSN=sqlite:/var/tmp/bulk.db go test ./internal/testkit/bulk -run Figures -v -timeout 2h
//
// PLENARY_BULK is the number of posts. The database is kept and filled up to
// that number, so that a second run only measures. PLENARY_BULK_LARGEST bounds
// a message, in octets (24000 unless set), PLENARY_BULK_ERA is Store.EraPosts.
func TestFigures(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("PLENARY_BULK"))
	if err != nil {
		t.Skip("not run: PLENARY_BULK is not set (see the comment)")
	}
	dsn := os.Getenv("PLENARY_BULK_DSN")
	if dsn == "" {
		dsn = "sqlite:" + t.TempDir() + "/bulk.db"
	}
	ctx := context.Background()
	s, err := store.Open(ctx, dsn, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	s.EraPosts, _ = strconv.Atoi(os.Getenv("PLENARY_BULK_ERA"))
	f := &figures{t: t, s: s, r: archive.NewReader(s)}
	f.list()
	f.fill(n)
	f.measure()
}

type figures struct {
	t *testing.T
	s *store.Store
	r *archive.Reader
	l *model.List
}

func (f *figures) list() {
	ctx := context.Background()
	l, err := f.s.FindList(ctx, "list", "lists.example.org")
	if err != nil {
		f.t.Fatal(err)
	}
	if l == nil {
		l = &model.List{Local: "list", Domain: "lists.example.org"}
		if err := f.s.CreateList(ctx, l); err != nil {
			f.t.Fatal(err)
		}
	}
	f.l = l
}

// fill imports what is missing. The generator is run from the beginning, so that
// the list is the same however often it was stopped.
func (f *figures) fill(n int) {
	ctx := context.Background()
	have, err := f.s.CountPosts(ctx, f.l.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	largest := 24000
	if v, err := strconv.Atoi(os.Getenv("PLENARY_BULK_LARGEST")); err == nil {
		largest = v
	}
	g := bulk.New(bulk.Options{Seed: 1, Largest: largest})
	const batch = 256
	ready := make(chan []*model.NewPost, 2)
	octets := int64(0)
	go func() {
		defer close(ready)
		for i := 0; i < n; i += batch {
			var raws []bulk.Message
			for range min(batch, n-i) {
				raws = append(raws, g.Next())
			}
			if int64(i+batch) <= have {
				continue
			}
			var posts []*model.NewPost
			for _, m := range raws {
				posts = append(posts, archive.Make(f.l, m.Raw, nil, model.At(m.ReceivedAt), true))
			}
			ready <- posts
		}
	}()
	start, added := time.Now(), 0
	for posts := range ready {
		for _, p := range posts {
			octets += int64(len(p.Bytes))
		}
		k, err := f.s.ImportPosts(ctx, f.l.ID, posts, "bulk", int64(added))
		if err != nil {
			f.t.Fatal(err)
		}
		if added += k; added/50_000 != (added-k)/50_000 {
			fmt.Printf("  %d posts, %.0f/s, %.1f GB\n", added, float64(added)/time.Since(start).Seconds(), float64(octets)/1e9)
		}
	}
	if added > 0 {
		d := time.Since(start)
		f.t.Logf("import (generating and parsing on the same processors): %d posts, %.2f GB in %v, %.0f/s", added, float64(octets)/1e9, d.Round(time.Second), float64(added)/d.Seconds())
	}
}

// times runs something often and tells the middle and the 95th percentile.
func (f *figures) times(what string, n int, run func(i int) int) {
	var all []time.Duration
	hits := 0
	for i := range n {
		start := time.Now()
		hits += run(i)
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	f.t.Logf("%-44s p50 %8.2f ms  p95 %8.2f ms  max %8.2f ms  (%d found each)", what, ms(all[n/2]), ms(all[n*95/100]), ms(all[n-1]), hits/n)
}

func (f *figures) memory(what string) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.t.Logf("memory %-37s %8.1f MB", what, float64(m.HeapAlloc)/1e6)
}

func (f *figures) measure() {
	ctx := context.Background()
	f.memory("before")
	f.times("Open, the first time", 1, func(int) int { return len(f.open()) })
	f.memory("with the index")
	f.times("Open again (STATUS)", 200, func(int) int { return len(f.open()) })
	rows := f.open()
	words := sought()
	found := func(uids []model.UID, err error) int {
		if err != nil {
			f.t.Fatal(err)
		}
		return len(uids)
	}
	search := func(q archive.Query) int { return found(f.r.Search(ctx, f.l.ID, q)) }
	f.times("SEARCH TEXT word", 100, func(i int) int { return search(archive.Phrase(model.InAll, words[i], false)) })
	f.times("SEARCH BODY word, its beginning", 100, func(i int) int { return search(archive.Phrase(model.InText, words[i], true)) })
	newest := func(q archive.Query) int { return found(f.r.Newest(ctx, f.l.ID, q, 1<<32-1, 50)) }
	f.times("newest 50 TEXT word", 100, func(i int) int { return newest(archive.Phrase(model.InAll, words[i], false)) })
	f.times("newest 50 BODY word, its beginning", 100, func(i int) int { return newest(archive.Phrase(model.InText, words[i], true)) })
	f.times("newest 50 TEXT word, its beginning", 100, func(i int) int { return newest(archive.Phrase(model.InAll, words[i], true)) })
	f.times("newest 50 TEXT three letters", 20, func(i int) int {
		return newest(archive.Phrase(model.InAll, words[5*i][:min(3, len(words[5*i]))], true))
	})
	f.times("newest 50 SINCE", 50, func(i int) int {
		return newest(archive.ReceivedFrom(rows[len(rows)*i/50].ReceivedAt.Time()))
	})
	f.times("SEARCH SINCE", 50, func(i int) int {
		return search(archive.ReceivedFrom(rows[len(rows)*i/50].ReceivedAt.Time()))
	})
	f.times("SEARCH FROM substring, the first time", 1, func(i int) int { return search(archive.HeaderHas("From", "user42")) })
	f.memory("with columns")
	f.times("SEARCH FROM substring", 100, func(i int) int { return search(archive.HeaderHas("From", fmt.Sprintf("user%d", i))) })
	f.times("SEARCH SUBJECT substring", 100, func(i int) int { return search(archive.HeaderHas("Subject", words[i][1:])) })
	f.times("newest 50 FROM substring", 100, func(i int) int { return newest(archive.HeaderHas("From", fmt.Sprintf("user%d", i))) })
	f.times("newest 50 SUBJECT substring", 100, func(i int) int { return newest(archive.HeaderHas("Subject", words[i][1:])) })
	f.times("SEARCH CC substring", 100, func(i int) int { return search(archive.HeaderHas("Cc", fmt.Sprintf("user%d@", i))) })
	all := make([]model.UID, len(rows))
	for i := range rows {
		all[i] = rows[i].UID
	}
	for by, name := range map[archive.SortBy]string{archive.SortDate: "DATE", archive.SortSubject: "SUBJECT", archive.SortFrom: "FROM"} {
		f.times("SORT "+name, 5, func(int) int { return found(f.r.Sort(ctx, f.l.ID, []archive.SortKey{{By: by}}, all)) })
	}
	for range 2 {
		f.times("THREAD=REFERENCES", 2, func(int) int {
			forest, err := f.r.ThreadForest(ctx, f.l.ID, all)
			if err != nil {
				f.t.Fatal(err)
			}
			return len(forest)
		})
	}
	f.memory("with references")
}

func (f *figures) open() []archive.Row {
	ix, err := f.r.Open(context.Background(), f.l.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	return ix.Rows()
}

// sought are words of all frequencies, the rarest first.
func sought() (out []string) {
	g := bulk.New(bulk.Options{Seed: 1})
	for i := range 100 {
		out = append(out, g.Word(i*i*5+20*i+30))
	}
	slices.Reverse(out)
	return out
}
