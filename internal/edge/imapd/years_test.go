package imapd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"plenary/internal/list/archive"
)

// TestYearsOfALargeList: they hold the same messages as the whole, with the same
// UIDs and flags, are told of news, and show up only where all folders do.
func TestYearsOfALargeList(t *testing.T) {
	m := sample(t) // three posts of 2026
	at := func(year int) {
		m.postAt(1, strings.ReplaceAll(plainPost, "<1@", fmt.Sprintf("<%d.%d@", year, m.last[1])), time.Date(year, 12, 31, 23, 59, 59, 0, time.UTC))
	}
	at(2024) // UID 4, imported later
	at(2025)
	at(2024)
	_, addr := serve(t, m, func(o *Options, _ *times) { o.YearsFrom = 4 })
	c := loggedIn(t, addr, "alice@example.org")
	c.says(`LIST "" Lists/talk*`, `* LIST (\HasChildren) "/" "Lists/talk"`, `* LIST (\HasNoChildren) "/" "Lists/talk/2024"`,
		`* LIST (\HasNoChildren) "/" "Lists/talk/2025"`, `* LIST (\HasNoChildren) "/" "Lists/talk/2026"`, `* LIST (\HasNoChildren) "/" "Lists/talk@...`)
	c.says(`LIST "" Lists/%`, "...") // no years here
	if got := strings.Join(c.want(`LIST "" Lists/%`, "OK"), ""); strings.Contains(got, "2024") {
		t.Error(got)
	}
	for _, command := range []string{`LSUB "" *`, `LIST (SUBSCRIBED) "" *`} {
		if got := strings.Join(c.want(command, "OK"), ""); strings.Contains(got, "2024") || !strings.Contains(got, "Lists/talk") {
			t.Errorf("%s: %s", command, got)
		}
	}
	c.says(`LIST "" Lists/talk/2024 RETURN (SUBSCRIBED STATUS (MESSAGES UNSEEN))`, `* LIST (\HasNoChildren) "/" "Lists/talk/2024"`,
		`* STATUS "Lists/talk/2024" (MESSAGES 2 UNSEEN 2)`)
	c.want("SELECT Lists/talk/2023", "NO [NONEXISTENT]")
	c.want("SELECT Lists/talk/2024/2024", "NO [NONEXISTENT]")
	c.want("STATUS Lists"+strings.Repeat("/2024", 5000)+" (MESSAGES)", "NO [NONEXISTENT]")
	c.want("SELECT Lists/news/2026", "NO [NONEXISTENT]") // a small list
	c.want("SUBSCRIBE Lists/talk/2024", "NO [CANNOT]")
	c.want("UNSUBSCRIBE Lists/talk/2024", "NO [CANNOT] The years of a list never count as subscribed")

	whole, other := loggedIn(t, addr, "alice@example.org"), loggedIn(t, addr, "alice@example.org")
	got := whole.want("SELECT Lists/talk (CONDSTORE)", "OK")
	mine := c.want("SELECT Lists/talk/2024 (CONDSTORE)", "OK")
	for _, code := range []string{"UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ"} {
		has := func(s string) bool { return strings.Contains(s, code) }
		if a, b := slices.IndexFunc(got, has), slices.IndexFunc(mine, has); a < 0 || b < 0 || got[a] != mine[b] {
			t.Errorf("%s: %q %q", code, got, mine)
		}
	}
	if !slices.Contains(mine, "* 2 EXISTS") {
		t.Errorf("%q", mine)
	}
	c.says("FETCH 1:* (UID FLAGS)", "* 1 FETCH (UID 4 FLAGS ())", "* 2 FETCH (UID 6 FLAGS ())")
	c.says("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "* 1 FETCH (UID 4 BODY...", "* 2 FETCH (UID 6 ...")
	c.says("UID SEARCH BODY shelves", "* SEARCH 4 6")
	c.says("UID SEARCH RETURN (PARTIAL -1:-1) BODY shelves", `* ESEARCH (TAG "t") UID PARTIAL (-1:-1 6)`)
	c.says("UID FETCH 1:* UID (PARTIAL -2:-2)", "* 1 FETCH (UID 4)")
	c.says("SEARCH NOT 1", "* SEARCH 2")
	c.says("UID SORT (REVERSE ARRIVAL) UTF-8 ALL", "* SORT 4 6") // they came at the same time
	c.says("UID THREAD REFERENCES UTF-8 ALL", "* THREAD ((4)(6))")
	c.want("COPY 1 Lists/talk/2025", "NO [NOPERM] Nothing can be put into the archive; to post, send mail to talk@example.org")

	// A mark made here is there, and the other way round.
	c.says(`UID STORE 6 +FLAGS (\Seen)`, `* 2 FETCH (UID 6 FLAGS (\Seen) MODSEQ (...))`)
	whole.says("NOOP", `* 6 FETCH (UID 6 FLAGS (\Seen) MODSEQ (...))`)
	whole.want(`UID STORE 1,4 +FLAGS.SILENT (\Flagged)`, "OK")
	c.says("NOOP", `* 1 FETCH (UID 4 FLAGS (\Flagged) MODSEQ (...))`)
	c.says("STATUS Lists/talk/2024 (MESSAGES UNSEEN SIZE)", fmt.Sprintf(`* STATUS "Lists/talk/2024" (MESSAGES 2 UNSEEN 1 SIZE %d)`, 2*(len(plainPost)+5)))

	// Posts of other years do not show, and move no mod-sequence.
	high := c.want("STATUS Lists/talk/2024 (HIGHESTMODSEQ)", "OK")[0]
	var n int
	_, _ = fmt.Sscanf(high, `* STATUS "Lists/talk/2024" (HIGHESTMODSEQ %d)`, &n)
	other.want("SELECT Lists/talk/2026", "OK")
	other.send("i IDLE\r\n")
	other.line()
	at(2025)
	at(2026)
	if s := other.line(); s != "* 4 EXISTS" {
		t.Error(s)
	}
	c.says("NOOP")
	c.says(fmt.Sprintf("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)", n))
	at(2024)
	c.says("NOOP", "* 3 EXISTS")
	c.says(fmt.Sprintf("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)", n), "* 3 FETCH (UID 9 FLAGS () MODSEQ (...))")

	m.leave(1, "alice@example.org")
	if s := other.line(); !strings.HasPrefix(s, "* BYE") {
		t.Error(s)
	}
}

// opens notes whose bytes are read.
type opens struct {
	*memory
	years map[int]bool
}

func (o opens) Bytes(ctx context.Context, id int64) ([]byte, error) {
	o.mu.Lock()
	for _, p := range o.posts[1] {
		if p.Post.BytesID == id {
			o.years[p.Post.ReceivedAt.Time().UTC().Year()] = true
		}
	}
	o.mu.Unlock()
	return o.memory.Bytes(ctx, id)
}

// TestSearchOfAYearOpensThatYear: a header field that is not kept apart is looked
// for in each message, and 50,000 are the most.
func TestSearchOfAYearOpensThatYear(t *testing.T) {
	m := sample(t) // three posts of 2026
	for _, year := range []int{2024, 2025, 2024} {
		raw := strings.Replace(plainPost, "Subject:", "X-Odd: one two\nSubject:", 1)
		m.postAt(1, strings.ReplaceAll(raw, "<1@", fmt.Sprintf("<%d.%d@", year, m.last[1])), time.Date(year, 12, 31, 23, 59, 59, 0, time.UTC))
	}
	o := opens{m, map[int]bool{}}
	_, addr := serve(t, m, func(opt *Options, _ *times) { opt.YearsFrom, opt.Archive = 4, Over(archive.NewReader(o)) })
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk/2024", "OK")
	c.says("UID SEARCH HEADER X-Odd two", "* SEARCH 4 6")
	c.says("UID SEARCH NOT HEADER X-Odd three 2", "* SEARCH 6")
	c.says("UID SEARCH OR HEADER X-Odd three FLAGGED", "* SEARCH")
	c.says("UID SEARCH OR NOT HEADER X-Odd two UID 6", "* SEARCH 6")
	c.says("UID SORT (REVERSE SUBJECT) UTF-8 HEADER X-Odd two", "* SORT 4 6")
	if len(o.years) != 1 || !o.years[2024] {
		t.Error(o.years)
	}
}
