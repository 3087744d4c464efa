package archive_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/stores"
)

// load puts messages into a new list, in order, whatever they are.
func load(t testing.TB, s *store.Store, raws [][]byte, received []time.Time) (*archive.Reader, *model.List) {
	t.Helper()
	l := makeList(t, s, fmt.Sprintf("l%d", time.Now().UnixNano()))
	for i, raw := range raws {
		p := archive.Make(l, raw, nil, model.At(received[i]), true)
		p.MessageKey, p.RawKey = nil, nil // twice the same is two messages here
		if p.Self.MessageID == "" {
			p.Self.Key += int64(i)
		}
		if _, _, err := s.SavePost(context.Background(), p); err != nil {
			t.Fatal(err)
		}
	}
	return archive.NewReader(s), l
}

func allUIDs(t testing.TB, r *archive.Reader, l *model.List) []model.UID {
	t.Helper()
	uids, err := r.Search(context.Background(), l.ID, archive.All())
	if err != nil {
		t.Fatal(err)
	}
	return uids
}

// The THREAD scripts of imaptest, those about base subjects included.
func TestThreadForestByImaptest(t *testing.T) {
	s := stores.SQLite(t)
	for _, name := range []string{"thread", "thread2", "thread3", "thread4", "thread5", "thread6", "thread7", "thread8"} {
		t.Run(name, func(t *testing.T) {
			script, err := os.ReadFile(real.Corpus(t, "threading", "imaptest", name))
			if err != nil {
				t.Fatal(err)
			}
			raws, received := real.Messages(t, real.Corpus(t, "threading", "imaptest", name+".mbox"), 0)
			var have, doomed []int
			next, asked := 0, 0
			for line := range strings.Lines(string(script)) {
				f := strings.Fields(strings.ToLower(line))
				switch {
				case len(f) == 0:
				case f[0] == "messages:":
					for ; next < len(raws); next++ {
						have = append(have, next)
					}
				case f[0] == "ok" && f[1] == "append":
					have, next = append(have, next), next+1
				case f[0] == "ok" && f[1] == "store":
					for n := range strings.SplitSeq(f[2], ",") {
						i, _ := strconv.Atoi(n)
						doomed = append(doomed, have[i-1])
					}
				case f[0] == "ok" && f[1] == "expunge":
					have = slices.DeleteFunc(have, func(i int) bool { return slices.Contains(doomed, i) })
				case f[0] == "*" && f[1] == "thread":
					asked++
					var some [][]byte
					var when []time.Time
					for _, i := range have {
						some, when = append(some, raws[i]), append(when, received[i])
					}
					r, l := load(t, s, some, when)
					forest, err := r.ThreadForest(context.Background(), l.ID, allUIDs(t, r, l))
					if got, want := imapForm(forest), strings.Join(f[2:], " "); err != nil || got != want {
						t.Errorf("%v: %s, want %s (%v)", have, got, want, err)
					}
				}
			}
			if asked == 0 {
				t.Error("the script asked nothing")
			}
		})
	}
}

// The SORT scripts of imaptest.
func TestSortByImaptest(t *testing.T) {
	keys := map[string]archive.SortBy{"arrival": archive.SortArrival, "date": archive.SortDate, "size": archive.SortSize,
		"from": archive.SortFrom, "to": archive.SortTo, "cc": archive.SortCc, "subject": archive.SortSubject,
		"displayfrom": archive.SortShownFrom, "displayto": archive.SortShownTo}
	s := stores.SQLite(t)
	for _, name := range []string{"sort-subject", "sort-addresses", "sort-arrival", "sort-date", "sort-size", "sort-display-from", "sort-display-to"} {
		t.Run(name, func(t *testing.T) {
			script, err := os.ReadFile(real.Corpus(t, "imap", "imaptest", name))
			if err != nil {
				t.Fatal(err)
			}
			raws, received := real.Messages(t, real.Corpus(t, "imap", "imaptest", name+".mbox"), 0)
			r, l := load(t, s, raws, received)
			var order []archive.SortKey
			asked := 0
			for line := range strings.Lines(string(script)) {
				low := strings.ToLower(line)
				f := strings.Fields(low)
				switch {
				case strings.HasPrefix(low, "ok sort ("):
					order = nil
					reverse := false
					for _, w := range strings.Fields(low[len("ok sort ("):strings.IndexByte(low, ')')]) {
						if w == "reverse" {
							reverse = true
							continue
						}
						by, ok := keys[w]
						if !ok {
							t.Fatal(w)
						}
						order, reverse = append(order, archive.SortKey{By: by, Reverse: reverse}), false
					}
				case len(f) > 1 && f[0] == "*" && f[1] == "sort":
					asked++
					uids, err := r.Sort(context.Background(), l.ID, order, allUIDs(t, r, l))
					if got, want := strings.Trim(fmt.Sprint(uids), "[]"), strings.Join(f[2:], " "); err != nil || got != want {
						t.Errorf("%v: %s, want %s (%v)", order, got, want, err)
					}
				}
			}
			if asked == 0 {
				t.Error("the script asked nothing")
			}
		})
	}
}
