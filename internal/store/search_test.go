package store_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/postgres"
	"plenary/internal/testkit/stores"
)

func matching(t *testing.T, s *store.Store, list int64, m model.Match) (uids []model.UID) {
	t.Helper()
	if err := s.MatchPosts(context.Background(), list, m, func(u model.UID) bool { uids = append(uids, u); return true }); err != nil {
		t.Fatal(err)
	}
	return uids
}

func phrase(columns model.SearchColumns, words ...string) []model.MatchStep {
	return []model.MatchStep{{Columns: columns, Words: words}}
}

// TestOldIndexIsRewritten: the words of six columns, as PostgreSQL kept them
// before step 12, are found as before.
func TestOldIndexIsRewritten(t *testing.T) {
	ctx := context.Background()
	var said bytes.Buffer
	s, err := store.Open(ctx, postgres.DSN(t), slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.MigrateTo(ctx, 11); err != nil {
		t.Fatal(err)
	}
	l := makeList(t, s, "old")
	if err := s.Do(ctx, "UPDATE list_counters SET uid_next = 4"); err != nil {
		t.Fatal(err)
	}
	if err := s.Do(ctx, "INSERT INTO posts VALUES (?,1,1,0,1,1,0,0,1,0,'','','',?)", model.MakePostID(l.ID, 1), []byte{}); err != nil {
		t.Fatal(err)
	}
	long := func(word string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "'%s%d':%d ", strings.Repeat(word, 6), i, i+1)
		}
		return b.String()
	}
	for uid, c := range map[model.UID][6]string{
		1: {"'about':1 'oak':2,4 'élan':3", "'ann':1", "", "'oak':1 'shelf':2", "'shelf':1 'oak':2", "'plan':1"},
		2: {"", "'oak':1", "'bob':1", "", "", ""},
		3: {"'oak':1", "", "", long("own", 16000), long("quoted", 16000), ""},
	} {
		if err := s.Do(ctx, "INSERT INTO post_fts VALUES (?, CAST(? AS tsvector), CAST(? AS tsvector), CAST(? AS tsvector), CAST(? AS tsvector), CAST(? AS tsvector), CAST(? AS tsvector))",
			model.MakePostID(l.ID, uid), c[0], c[1], c[2], c[3], c[4], c[5]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "made anew") {
		t.Errorf("nobody was told that it takes long: %q", said.String())
	}
	for _, c := range []struct {
		what  string
		steps []model.MatchStep
		want  []model.UID
	}{
		{"a word anywhere", phrase(model.InAll, "oak"), []model.UID{1, 2, 3}},
		{"in the subject", phrase(model.InSubject, "oak"), []model.UID{1, 3}},
		{"in the name", phrase(model.InAuthor, "oak"), []model.UID{2}},
		{"a phrase", phrase(model.InBody, "oak", "shelf"), []model.UID{1}},
		{"a phrase in one column only", phrase(model.InSubject|model.InAuthor, "oak", "ann"), nil},
		{"an accent", phrase(model.InAll, "élan", "oak"), []model.UID{1}},
		{"a file", phrase(model.InFiles, "plan"), []model.UID{1}},
		{"a beginning", []model.MatchStep{{Columns: model.InRecipients, Words: []string{"bo"}, Prefix: true}}, []model.UID{2}},
		{"the end of a long text", phrase(model.InBody, strings.Repeat("own", 6)+"15999"), []model.UID{3}},
	} {
		if got := matching(t, s, l.ID, model.Match{Steps: c.steps}); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

// TestMatchesInPages asks for the newest hits without saying how many: more than
// a page of them, and in order.
func TestMatchesInPages(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		l := makeList(t, s, "many")
		var posts []*model.NewPost
		for i := range 2100 {
			posts = append(posts, newPost(l.ID, fmt.Sprintf("%d@example.org", i)))
		}
		if n, err := s.ImportPosts(context.Background(), l.ID, posts, "x", 1); err != nil || n != len(posts) {
			t.Fatal(n, err)
		}
		for _, limit := range []int{0, 1, 1000, 1001, 5000} {
			m := model.Match{Steps: phrase(model.InText, "body"), Newest: true, Limit: limit}
			want := len(posts)
			if limit > 0 {
				want = min(limit, want)
			}
			got := matching(t, s, l.ID, m)
			if len(got) != want || got[0] != model.UID(len(posts)) || !slices.IsSortedFunc(got, func(a, b model.UID) int { return int(b) - int(a) }) {
				t.Errorf("at most %d: %d posts from %d on, want %d", limit, len(got), got[0], want)
			}
		}
		m := model.Match{Steps: phrase(model.InText, "body"), From: 7, To: 1500}
		if got := matching(t, s, l.ID, m); len(got) != 1494 || got[0] != 7 || !slices.IsSorted(got) {
			t.Errorf("a range: %d posts", len(got))
		}
	})
}

// TestAPostOfTooManyWords: what a tsvector cannot hold is left out, the post is
// stored and found by the rest.
func TestAPostOfTooManyWords(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		l := makeList(t, s, "long")
		p := newPost(l.ID, "a@example.org")
		long := func(begin string) string {
			words := make([]string, 16000)
			for i := range words {
				words[i] = fmt.Sprintf("%s%s%d", begin, strings.Repeat("x", 40), i)
			}
			return strings.Join(words, " ")
		}
		p.Text.Body, p.Text.Quoted, p.Text.Files = long("b"), long("q"), long("f")
		savePost(t, s, p)
		for _, steps := range [][]model.MatchStep{phrase(model.InSubject, "about"), phrase(model.InBody, "b"+strings.Repeat("x", 40)+"15999")} {
			if got := matching(t, s, l.ID, model.Match{Steps: steps}); len(got) != 1 {
				t.Errorf("%v finds %v", steps, got)
			}
		}
	})
}
