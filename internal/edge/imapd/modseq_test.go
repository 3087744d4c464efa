package imapd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// TestModSeqsMissNothing lets posts come and go and flags change, old changes
// being joined, and asks now and then what changed since: whatever did is told.
func TestModSeqsMissNothing(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		var rows []archive.Row
		var log []model.FlagChange
		next := model.UID(1)
		fresh := map[model.UID]bool{} // changed since the client looked
		known := uint64(0)
		for range 120 {
			switch k := r.IntN(10); {
			case k < 4:
				rows = append(rows, archive.Row{UID: next})
				fresh[next] = true
				next++
			case k < 8 && len(rows) > 0:
				var uids []model.UID
				for range 1 + r.IntN(3) {
					u := rows[r.IntN(len(rows))].UID
					uids = append(uids, u)
					fresh[u] = true
				}
				seq := uint64(1)
				if len(log) > 0 {
					seq = log[len(log)-1].Seq + 1
				}
				log = append(log, model.FlagChange{Seq: seq, UIDNext: next, Runs: model.RunsOf(uids)})
			case k == 8 && len(log) > 4 && r.IntN(3) == 0: // the oldest are joined
				n := len(log) / 2
				var runs []model.UIDRun
				for _, c := range log[:n] {
					runs = append(runs, c.Runs...)
				}
				log[n-1].Runs = model.JoinRuns(runs)
				log = log[n-1:]
			case k == 9 && len(rows) > 2 && r.IntN(3) == 0: // one is taken away, maybe the last
				i := r.IntN(len(rows))
				delete(fresh, rows[i].UID)
				rows = slices.Delete(slices.Clone(rows), i, i+1)
			}
			if r.IntN(6) > 0 {
				continue
			}
			m := &modseqs{lift: uint64(next) - 1 - uint64(len(rows)), changes: log}
			var last model.FlagChange
			if len(log) > 0 {
				last = log[len(log)-1]
			}
			top := view{rows: rows, next: next, gone: m.lift}.highest(last)
			if top < known {
				t.Fatalf("seed %d: HIGHESTMODSEQ falls from %d to %d", seed, known, top)
			}
			told := m.changed(rows, known)
			for i, n := range m.of(rows) {
				if n > top {
					t.Fatalf("seed %d: %d has %d, the mailbox %d", seed, rows[i].UID, n, top)
				}
				if (n > known) != within(told, i) {
					t.Fatalf("seed %d: %d has %d: asked since %d, told %v", seed, rows[i].UID, n, known, within(told, i))
				}
				if fresh[rows[i].UID] && n <= known {
					t.Fatalf("seed %d: %d changed and has %d, known was %d", seed, rows[i].UID, n, known)
				}
			}
			known = top
			clear(fresh)
		}
	}
}

// TestWithoutALog keeps flags where there are no mod-sequences.
func TestWithoutALog(t *testing.T) {
	m := sample(t)
	_, addr := serve(t, m, func(o *Options, _ *times) { o.Changes = nil })
	c, phone := loggedIn(t, addr, "alice@example.org"), loggedIn(t, addr, "alice@example.org")
	if caps := c.want("CAPABILITY", "OK")[0]; strings.Contains(caps, "CONDSTORE") {
		t.Error(caps)
	}
	for _, s := range c.want("SELECT Lists/talk", "OK") {
		if strings.Contains(s, "HIGHESTMODSEQ") {
			t.Error(s)
		}
	}
	phone.want("SELECT Lists/talk", "OK")
	phone.want("STORE 1 +FLAGS (\\Seen)", "OK")
	c.want("NOOP", "OK")
	phone.want("STORE 1 -FLAGS (\\Seen)", "OK")
	phone.want("STORE 2 +FLAGS (\\Seen)", "OK")
	got := c.want("NOOP", "OK")
	if want := []string{`* 1 FETCH (UID 1 FLAGS ())`, `* 2 FETCH (UID 2 FLAGS (\Seen))`}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	c.want("FETCH 1 MODSEQ", "BAD")
	c.want("SEARCH MODSEQ 1", "BAD")
}

// TestUIDNextNeverFalls: also when the last post was taken away and the program
// started again (RFC 9051 2.3.1.1, RFC 7162 3.1.2.1).
func TestUIDNextNeverFalls(t *testing.T) {
	m := sample(t)
	ask := func() (uidnext, highest int) {
		t.Helper()
		_, addr := serve(t, m)
		c := loggedIn(t, addr, "alice@example.org")
		line := c.want("STATUS Lists/talk (UIDNEXT HIGHESTMODSEQ)", "OK")[0]
		if _, err := fmt.Sscanf(line, `* STATUS "Lists/talk" (UIDNEXT %d HIGHESTMODSEQ %d)`, &uidnext, &highest); err != nil {
			t.Fatal(line, err)
		}
		all := strings.Join(c.want("SELECT Lists/talk", "OK"), "\n")
		if !strings.Contains(all, fmt.Sprintf("[UIDNEXT %d]", uidnext)) || !strings.Contains(all, fmt.Sprintf("[HIGHESTMODSEQ %d]", highest)) {
			t.Errorf("STATUS says %d %d, SELECT %s", uidnext, highest, all)
		}
		return uidnext, highest
	}
	next, highest := ask()
	for range 2 {
		uids := m.uids(1)
		m.remove(1, uids[len(uids)-1])
		if n, h := ask(); n != next || h <= highest {
			t.Errorf("UIDNEXT was %d and is %d, HIGHESTMODSEQ was %d and is %d", next, n, highest, h)
		} else {
			highest = h
		}
	}
	if uid := m.post(1, plainPost); int(uid) != next {
		t.Errorf("the next has %d, said was %d", uid, next)
	}
	if n, h := ask(); n != next+1 || h <= highest {
		t.Errorf("UIDNEXT %d, HIGHESTMODSEQ %d after %d", n, h, highest)
	}
}
