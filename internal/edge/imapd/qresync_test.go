package imapd

import (
	"fmt"
	"testing"
)

// TestQuickResync: who comes back is told in one answer what was taken away and
// what changed (RFC 7162 3.2).
func TestQuickResync(t *testing.T) {
	m := sample(t)
	for range 7 {
		m.post(1, plainPost)
	}
	_, addr := serve(t, m, func(o *Options, _ *times) { o.Archive = shrinks{o.Archive, m} })
	c, other := loggedIn(t, addr, "alice@example.org"), loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk (QRESYNC (1001 5))", "BAD QRESYNC is to be enabled first")
	c.want("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)", "BAD")
	c.says("ENABLE QRESYNC", "* ENABLED QRESYNC")
	const head = "* 10 EXISTS\n* 0 RECENT\n* OK [UNSEEN 1]...\n* OK [UIDVALIDITY 1001]...\n* OK [UIDNEXT 11]...\n* OK [HIGHESTMODSEQ 11]...\n* FLAGS...\n* OK [PERMANENTFLAGS..."
	c.says("SELECT Lists/talk (QRESYNC (1001 11))", head)

	// While it was selected: VANISHED in the place of EXPUNGE, UIDs with flags.
	m.remove(1, 2)
	m.remove(1, 3)
	other.want("SELECT Lists/talk", "OK")
	other.want(`STORE 1 +FLAGS.SILENT (\Seen)`, "OK")
	c.says("NOOP", "* VANISHED 2:3", `* 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (14))`)
	c.says("UNSELECT")

	// And while it was not.
	m.remove(1, 7)
	other.want(`UID STORE 10 +FLAGS.SILENT (\Flagged)`, "OK")
	m.post(1, plainPost)
	c.says("EXAMINE INBOX", "...")
	// Each that was taken away moves the others' mod-sequences: the last change
	// from before is told once more.
	const again = "* 8 EXISTS\n* 0 RECENT\n...* OK [HIGHESTMODSEQ %d]...\n* FLAGS...\n* OK [PERMANENTFLAGS ...\n"
	for args, told := range map[string]string{
		"1001 14":                   "* VANISHED (EARLIER) 2:3,7\n* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (15))\n* 7 FETCH (UID 10 FLAGS (\\Flagged) MODSEQ (16))\n* 8 FETCH (UID 11 FLAGS () MODSEQ (17))",
		"1001 14 1,4:10":            "* VANISHED (EARLIER) 7\n* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (15))\n* 7 FETCH (UID 10 FLAGS (\\Flagged) MODSEQ (16))",
		"1001 14 1:10 (1,3 1,5)":    "* VANISHED (EARLIER) 2:3,7\n* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (15))\n* 7 FETCH (UID 10 FLAGS (\\Flagged) MODSEQ (16))",
		"1001 14 (1,3 1,5)":         "* VANISHED (EARLIER) 2:3,7\n* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (15))\n* 7 FETCH (UID 10 FLAGS (\\Flagged) MODSEQ (16))\n* 8 FETCH (UID 11 FLAGS () MODSEQ (17))",
		"1001 17 1,4:6,8:11":        "",
		"1001 9000000000000000 1:6": "* VANISHED (EARLIER) 2:3",
		"1002 14":                   "", // another UIDVALIDITY: nothing is known
	} {
		want := fmt.Sprintf(again, 17) + told
		if told == "" {
			want = want[:len(want)-1]
		}
		c.says("SELECT Lists/talk (CONDSTORE QRESYNC ("+args+"))", "* OK [CLOSED]...\n"+want)
		c.says("UNSELECT")
		c.says("EXAMINE INBOX", "...")
	}
	c.want("EXAMINE Lists/talk", "OK")
	c.says("UID FETCH 3:* (FLAGS) (CHANGEDSINCE 16 VANISHED)", "* VANISHED (EARLIER) 3,7", "* 8 FETCH (UID 11 FLAGS () MODSEQ (17))")
	c.says("UID FETCH 4:6 (FLAGS) (CHANGEDSINCE 16 VANISHED)")
	for _, bad := range []string{"()", "(1001)", "(x 5)", "(1001 x)", "(1001 5 1:*)", "(1001 5 1 2)", "5"} {
		c.want("SELECT Lists/talk (QRESYNC "+bad+")", "BAD")
	}
	c.want("SELECT Lists/talk (OTHER)", "BAD")
	c.want("NOOP", "OK")
}
