package archive_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"plenary/internal/list/archive"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/stores"
)

// plainStore keeps no columns, as a database from before them.
type plainStore struct{ archive.Store }

func (s plainStore) ThreadLinks(ctx context.Context, listID, since int64, yield func(*model.ThreadNode, model.PostID)) (int64, error) {
	return s.Store.(archive.Linked).ThreadLinks(ctx, listID, since, yield)
}

var orders = [][]archive.SortKey{
	{{By: archive.SortDate}}, {{By: archive.SortSubject}, {By: archive.SortDate, Reverse: true}}, {{By: archive.SortFrom}},
	{{By: archive.SortTo, Reverse: true}}, {{By: archive.SortCc}, {By: archive.SortSize}}, {{By: archive.SortArrival, Reverse: true}},
}

// answers asks a reader what needs columns.
func answers(t testing.TB, r *archive.Reader, l *model.List) (out []string) {
	t.Helper()
	ctx := context.Background()
	all := allUIDs(t, r, l)
	for _, keys := range orders {
		uids, err := r.Sort(ctx, l.ID, keys, all)
		out = append(out, fmt.Sprint(uids, err))
	}
	for _, q := range []archive.Query{archive.HeaderHas("From", "a"), archive.HeaderHas("Subject", "man, "), archive.HeaderHas("Cc", ", "), archive.HeaderHas("To", "")} {
		uids, err := r.Search(ctx, l.ID, q)
		out = append(out, fmt.Sprint(uids, err))
	}
	forest, err := r.ThreadForest(ctx, l.ID, all)
	return append(out, imapForm(forest), fmt.Sprint(err))
}

// TestColumnsGrowWithTheList asks while posts arrive, and holds what a reader
// that grew with the list says against one that loads it whole, and one whose
// store has no columns.
func TestColumnsGrowWithTheList(t *testing.T) {
	raws, received := real.Messages(t, real.Corpus(t, "archives", "linux-man-2000.mbox.gz"), 360)
	s := stores.SQLite(t)
	l := makeList(t, s, "talk")
	r := archive.NewReader(s)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					answers(t, r, l)
				}
			}
		})
	}
	for at := 0; at < len(raws); at += 30 {
		var batch []*model.NewPost
		for i := at; i < min(at+30, len(raws)); i++ {
			batch = append(batch, archive.Make(l, raws[i], nil, model.At(received[i]), true))
		}
		if _, err := s.ImportPosts(context.Background(), l.ID, batch, "x", 1); err != nil {
			t.Fatal(err)
		}
		answers(t, r, l)
	}
	close(stop)
	wg.Wait()
	grown := answers(t, r, l)
	if d := gocmp.Diff(grown, answers(t, archive.NewReader(s), l)); d != "" {
		t.Error("loaded whole:", d)
	}
	if d := gocmp.Diff(grown, answers(t, archive.NewReader(plainStore{s}), l)); d != "" {
		t.Error("made of header fields:", d)
	}
	later := time.Now().Add(time.Hour)
	r.Now = func() time.Time { return later }
	r.Tidy()
	if h := r.Held(); h != (archive.Held{}) {
		t.Errorf("an hour later %+v is held", h)
	}
	if d := gocmp.Diff(grown, answers(t, r, l)); d != "" {
		t.Error("loaded again:", d)
	}
}

func TestBaseSubjectsAreThoseOfTheRFC(t *testing.T) {
	s := stores.SQLite(t)
	var raws [][]byte
	var when []time.Time
	for i, subject := range []string{"shelves", "Re: shelves", "[books] SHELVES (fwd)", "Fw: Re: [x] [y] shelves (fwd) (fwd)", "[Fwd: re : shelves]",
		"Re[2]: shelves", "[a][b] shelves", "AW: shelves", "re-shelves", "=?utf-8?q?RE:_shelves?="} {
		raws = append(raws, mail(fmt.Sprintf("%d@x", i), "Ann <ann@example.org>", subject, "x"))
		when = append(when, march.Time().Add(time.Duration(i)*time.Minute))
	}
	r, l := load(t, s, raws, when)
	forest, err := r.ThreadForest(context.Background(), l.ID, allUIDs(t, r, l))
	// All of one date: the first stands for those that are not answers, too.
	if got := imapForm(forest); err != nil || strings.Count(got, "(8)") != 1 || strings.Count(got, "(9)") != 1 || !strings.HasSuffix(got, "(8)(9)") {
		t.Error(got, err)
	}
}

func TestSortComparesAsUnicodeCasemap(t *testing.T) {
	s := stores.SQLite(t)
	var raws [][]byte
	var when []time.Time
	for i, subject := range []string{"zebra", "Éclair", "apple", "eclair", "Zoo", "ßa", "_", "[x]", "ssb", "ﬁle"} {
		raws = append(raws, mail(fmt.Sprintf("%d@x", i), "Ann <ann@example.org>", message.EncodeText(subject), "x"))
		when = append(when, march.Time())
	}
	r, l := load(t, s, raws, when)
	uids, err := r.Sort(context.Background(), l.ID, []archive.SortKey{{By: archive.SortSubject}}, allUIDs(t, r, l))
	// The ligature has no titlecase of one character: it is taken apart as it is, in lower case.
	if want := []model.UID{3, 4, 2, 9, 1, 5, 8, 7, 10, 6}; err != nil || !slices.Equal(uids, want) {
		t.Error(uids, err)
	}
}

func FuzzColumns(f *testing.F) {
	f.Add([]byte("From: a <a@x>\r\nSubject: =?utf-8?q?x?=\r\nReferences: <a@b> <c@d>\r\nIn-Reply-To: <e@f>\r\n\r\n"))
	f.Add([]byte("Subject: [Fwd: [a] re[b]: (fwd)]\r\nTo: \x00\x01,,\r\nTo:\r\n"))
	s := stores.SQLite(f)
	l := makeList(f, s, "talk")
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := archive.Make(l, raw, nil, march, true)
		p.MessageKey, p.RawKey = nil, nil
		m := &oneStore{Store: s, post: p}
		r := archive.NewReader(m)
		for _, keys := range orders {
			if uids, err := r.Sort(context.Background(), l.ID, keys, []model.UID{1}); err != nil || len(uids) != 1 {
				t.Error(uids, err)
			}
		}
		if forest, err := r.ThreadForest(context.Background(), l.ID, []model.UID{1}); err != nil || len(forest) != 1 {
			t.Error(forest, err)
		}
		for _, name := range []string{"From", "To", "Cc", "Subject"} {
			for _, v := range message.ParseHeader(raw).All(name) {
				uids, err := r.Search(context.Background(), l.ID, archive.HeaderHas(name, message.DecodeWords(v)))
				if !strings.ContainsAny(v, "\x00\x01") && len(v) < 1000 && (err != nil || len(uids) != 1) {
					t.Errorf("%s: %q is not found (%v)", name, v, err)
				}
			}
		}
	})
}

// oneStore has one post, with or without columns of any bytes.
type oneStore struct {
	*store.Store
	post *model.NewPost
}

func (o *oneStore) PostPlaces(_ context.Context, listID int64, from, _ model.UID, yield func(*model.Post) error) error {
	if from > 1 {
		return nil
	}
	p := o.post.Post
	p.ID = model.MakePostID(listID, 1)
	return yield(&p)
}

func (o *oneStore) PostColumns(_ context.Context, _ int64, _, _ model.UID, yield func(model.UID, []byte) error) error {
	return yield(1, o.post.Columns)
}
