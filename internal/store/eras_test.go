package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// importWords stores posts with these words, and gives them.
func importWords(t *testing.T, s *store.Store, list int64, from, n int) (posts []*model.NewPost) {
	t.Helper()
	for i := range n {
		p := newPost(list, fmt.Sprintf("%d@example.org", from+i))
		p.Text.Body = fmt.Sprintf("body all w%d third%d", from+i, (from+i)%3)
		posts = append(posts, p)
	}
	if added, err := s.ImportPosts(context.Background(), list, posts, "x", int64(from)); err != nil || added != n {
		t.Fatal(added, err)
	}
	return posts
}

func beginning(columns model.SearchColumns, word string) []model.MatchStep {
	return []model.MatchStep{{Columns: columns, Words: []string{word}, Prefix: true}}
}

// finds holds what the index gives for posts 1 to n of a list, in which importWords
// put words from 0 on, against what they have.
func finds(t *testing.T, s *store.Store, list int64, n int) {
	t.Helper()
	for _, c := range []struct {
		what  string
		steps []model.MatchStep
		has   func(i int) bool
	}{
		{"all", phrase(model.InBody, "all"), func(int) bool { return true }},
		{"a third", phrase(model.InAll, "third1"), func(i int) bool { return i%3 == 1 }},
		{"a beginning", beginning(model.InAll, "w1"), func(i int) bool { return fmt.Sprint(i)[0] == '1' }},
		{"one", phrase(model.InAll, fmt.Sprintf("w%d", n/2)), func(i int) bool { return i == n/2 }},
		{"a phrase", phrase(model.InBody, "w7", "third1"), func(i int) bool { return i == 7 }},
	} {
		for range 5 {
			m := model.Match{Steps: c.steps, Newest: rand.N(2) == 0, From: model.UID(rand.N(n)), To: model.UID(rand.N(n + 1))}
			if rand.N(2) == 0 {
				m.Limit = 1 + rand.N(n)
			}
			var want []model.UID
			for i := range n {
				if uid := model.UID(i + 1); c.has(i) && uid >= m.From && (uid <= m.To || m.To == 0) {
					want = append(want, uid)
				}
			}
			if m.Newest {
				slices.Reverse(want)
			}
			if m.Limit > 0 {
				want = want[:min(m.Limit, len(want))]
			}
			if got := matching(t, s, list, m); !slices.Equal(got, want) {
				t.Errorf("%s, %+v: %v, want %v", c.what, m, got, want)
			}
		}
	}
}

func eras(t *testing.T, s *store.Store) int64 {
	t.Helper()
	n, err := s.CountRows(context.Background(), "fts_eras")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestErasAreSeenAsOne: two lists in turns, by imports and posts, in eras that end
// in the middle of what is written.
func TestErasAreSeenAsOne(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		s.EraPosts = 17
		a, b := makeList(t, s, "a"), makeList(t, s, "b")
		na, nb := 0, 0
		for i := range 8 {
			importWords(t, s, a.ID, na, 5+9*i)
			na += 5 + 9*i
			importWords(t, s, b.ID, nb, 7)
			nb += 7
			for range 3 {
				p := newPost(b.ID, fmt.Sprintf("%d@example.net", nb))
				p.Text.Body = fmt.Sprintf("body all w%d third%d", nb, nb%3)
				savePost(t, s, p)
				nb++
			}
		}
		finds(t, s, a.ID, na)
		finds(t, s, b.ID, nb)
		if n := eras(t, s); n < int64(na+nb)/17 || n > int64(na+nb)/17+1 {
			t.Errorf("%d posts are in %d eras", na+nb, n)
		}
	})
}

// TestALargeEraIsParted: reindexing moves posts out of an era that is far too
// large, though stopped on the way and with posts that cannot be read; when nothing
// is left in it, it goes.
func TestALargeEraIsParted(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		s.EraPosts = 1000
		a, b := makeList(t, s, "a"), makeList(t, s, "b")
		ofA, ofB := importWords(t, s, a.ID, 0, 700), importWords(t, s, b.ID, 0, 299)
		ofA = append(ofA, importWords(t, s, a.ID, 700, 100)...) // ends in the next
		if n := eras(t, s); n != 2 {
			t.Fatalf("%d eras", n)
		}
		s.EraPosts = 50
		reindex := func(posts []*model.NewPost) {
			t.Helper()
			for some := range slices.Chunk(posts, 64) {
				if err := s.ReindexPosts(ctx, some); err != nil {
					t.Fatal(err)
				}
			}
		}
		reindex(ofA[:300])
		finds(t, s, a.ID, 800)
		ofA = append(ofA, importWords(t, s, a.ID, 800, 33)...)
		finds(t, s, a.ID, 833)
		reindex(slices.Concat(ofA[:320], ofA[321:])) // 321 cannot be read
		finds(t, s, a.ID, 833)
		before := eras(t, s)
		reindex(ofB)
		finds(t, s, b.ID, 299)
		reindex(ofA[300:340])
		finds(t, s, a.ID, 833)
		if n := eras(t, s); n < before || n > 833/50+299/50+5 {
			t.Errorf("%d eras, %d before", n, before)
		}
		if _, err := s.CountRows(ctx, "post_fts_0"); err == nil {
			t.Error("the first era is still there")
		}
		again := eras(t, s)
		reindex(ofA) // in place
		reindex(ofB)
		finds(t, s, a.ID, 833)
		finds(t, s, b.ID, 299)
		if n := eras(t, s); n != again {
			t.Errorf("%d eras after another reindex, %d before", n, again)
		}
	})
}

// TestWordsHaveNoStatistics: the planner would look through them at each question.
func TestWordsHaveNoStatistics(t *testing.T) {
	s := stores.Postgres(t)
	s.EraPosts = 50
	importWords(t, s, makeList(t, s, "talk").ID, 0, 120)
	n, err := s.TestCount(context.Background(), `SELECT count(*) FROM pg_attribute AS a JOIN fts_eras AS e ON a.attrelid = CAST('post_fts_' || e.era AS regclass)
		WHERE a.attname = 'words' AND a.attstattarget = 0`)
	if got := eras(t, s); err != nil || n != got || got < 3 {
		t.Errorf("%d of %d eras: %v", n, got, err)
	}
}

// TestErasOfAListGoWithIt: its words go, its eras are dropped where they were its
// own, and nothing of the other list is lost.
func TestErasOfAListGoWithIt(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		s.EraPosts = 50
		keep, gone := makeList(t, s, "keep"), makeList(t, s, "gone")
		importWords(t, s, keep.ID, 0, 70)
		importWords(t, s, gone.ID, 0, 300)
		importWords(t, s, keep.ID, 70, 70)
		if err := s.RemoveList(context.Background(), gone.ID); err != nil {
			t.Fatal(err)
		}
		finds(t, s, keep.ID, 140)
		if n := eras(t, s); n > 6 {
			t.Errorf("%d eras are left", n)
		}
		importWords(t, s, keep.ID, 140, 90)
		finds(t, s, keep.ID, 230)
	})
}

// TestAnotherProcessMakesEras: a server that runs and the command line beside it
// write in turns, and each finds all while eras are made, and dropped, by the other.
func TestAnotherProcessMakesEras(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		other, err := store.Open(ctx, s.DSN(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		s.EraPosts, other.EraPosts = 20, 20
		l := makeList(t, s, "talk")
		var all []*model.NewPost
		for i := range 12 {
			writer := []*store.Store{s, other}[i%2]
			all = append(all, importWords(t, writer, l.ID, len(all), 13)...)
			finds(t, s, l.ID, len(all))
			finds(t, other, l.ID, len(all))
		}
		if n := eras(t, s); n < 6 {
			t.Errorf("%d eras", n)
		}
		s.EraPosts, other.EraPosts = 5, 5
		var wg sync.WaitGroup
		wg.Go(func() {
			for some := range slices.Chunk(all, 16) {
				if err := other.ReindexPosts(ctx, some); err != nil {
					t.Error(err)
				}
			}
		})
		for range 5 {
			finds(t, s, l.ID, len(all))
		}
		wg.Wait()
		finds(t, s, l.ID, len(all))
	})
}

// TestFullErasBecomeOnePiece: the index finds the same when the pieces of full eras
// are merged, and when that was stopped on the way.
func TestFullErasBecomeOnePiece(t *testing.T) {
	ctx := context.Background()
	s := stores.SQLite(t)
	s.EraPosts = 400
	l := makeList(t, s, "talk")
	for n := 0; n < 900; n += 10 {
		importWords(t, s, l.ID, n, 10)
	}
	pieces := func(era int) (n int64) {
		n, err := s.TestCount(ctx, fmt.Sprintf("SELECT count(DISTINCT segid) FROM post_fts_%d_idx", era))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := [3]int64{pieces(0), pieces(1), pieces(2)}
	if before[0] < 3 || before[1] < 3 || before[2] < 2 {
		t.Fatal("too few pieces", before)
	}
	if err := s.ReindexPosts(ctx, importWords(t, s, l.ID, 900, 30)); err != nil {
		t.Fatal(err)
	}
	before[2] = pieces(2)
	stopped, stop := context.WithTimeout(ctx, 2*time.Millisecond)
	defer stop()
	_ = s.MergeEras(stopped)
	finds(t, s, l.ID, 930)
	if err := s.MergeEras(ctx); err != nil {
		t.Fatal(err)
	}
	finds(t, s, l.ID, 930)
	if got := [3]int64{pieces(0), pieces(1), pieces(2)}; got != [3]int64{1, 1, before[2]} {
		t.Errorf("%v pieces, before %v", got, before)
	}
}

// TestNewWordsMoveToTheirPlaces: no search has to read a list of what is new when
// MergeEras was there, also not in eras made since; and rows do not hold their words.
func TestNewWordsMoveToTheirPlaces(t *testing.T) {
	ctx := context.Background()
	s := stores.Postgres(t)
	s.EraPosts = 400
	l := makeList(t, s, "talk")
	for n := 0; n < 900; n += 100 {
		importWords(t, s, l.ID, n, 100)
	}
	if err := s.MergeEras(ctx); err != nil {
		t.Fatal(err)
	}
	for era := range 3 {
		left, err := s.TestCount(ctx, fmt.Sprintf(`SELECT gin_clean_pending_list(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
			JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'gin' AND i.indrelid = 'post_fts_%d'::regclass`, era))
		if err != nil || left != 0 {
			t.Errorf("era %d: %d pages of new words, %v", era, left, err)
		}
	}
	finds(t, s, l.ID, 900)
	var body strings.Builder
	for i := range 60 {
		fmt.Fprintf(&body, "word%d ", i)
	}
	p := newPost(l.ID, "long@example.org")
	p.Text.Body = body.String()
	if _, err := s.ImportPosts(ctx, l.ID, []*model.NewPost{p}, "x", 900); err != nil {
		t.Fatal(err)
	}
	apart, err := s.TestCount(ctx, "SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = 'post_fts_2'::regclass")
	if err != nil || apart == 0 {
		t.Errorf("a post's words lie in its row, %v", err)
	}
}

// TestWhatIsExcludedStaysAway: PostgreSQL moves new words of its index to their
// places one after another, and a post whose excluded word is still on the way is
// not found.
func TestWhatIsExcludedStaysAway(t *testing.T) {
	s := stores.Postgres(t)
	s.EraPosts = 10_000
	ctx := context.Background()
	l := makeList(t, s, "talk")
	var body strings.Builder
	for i := range 300 {
		fmt.Fprintf(&body, "m%d ", i)
	}
	except := []model.MatchStep{{Columns: model.InAll, Words: []string{"aa"}}, {Columns: model.InAll, Words: []string{"zz"}, Prefix: true}, {Op: model.MatchNot}}
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		var posts []*model.NewPost
		for i := range 100 {
			p := newPost(l.ID, fmt.Sprintf("%d-%d@example.org", round, i))
			p.Text.Body = "aa " + body.String() + " zzz"
			if i == 50 {
				p.Text.Body = "aa only"
			}
			posts = append(posts, p)
		}
		if _, err := s.ImportPosts(ctx, l.ID, posts, "x", int64(100*round)); err != nil {
			t.Fatal(err)
		}
		cleaned := make(chan error, 1)
		go func() {
			cleaned <- s.Do(ctx, `SELECT gin_clean_pending_list(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
				JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'gin'`)
		}()
		for busy := true; busy; {
			select {
			case err := <-cleaned:
				if busy = false; err != nil {
					t.Fatal(err)
				}
			default:
			}
			for _, m := range []model.Match{{Steps: except}, {Steps: except, Newest: true, Limit: 1000}} {
				if uids := matching(t, s, l.ID, m); len(uids) != round+1 {
					t.Fatalf("round %d: %d posts without the word, want %d", round, len(uids), round+1)
				}
			}
		}
	}
}
