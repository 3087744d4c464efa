package imapd

import (
	"strings"
	"testing"
)

// TestRefusedCommandsLeaveNothing: what was refused neither enables QRESYNC nor
// tells that the client knows of mod-sequences (RFC 5161, RFC 7162 3.1).
func TestRefusedCommandsLeaveNothing(t *testing.T) {
	m := sample(t)
	_, addr := serve(t, m)
	for _, command := range []string{
		"ENABLE QRESYNC (x)", "ENABLE CONDSTORE (x)", "SELECT Lists/none (CONDSTORE)", "SELECT &A- (CONDSTORE)", "STATUS Lists/none (HIGHESTMODSEQ)",
		"FETCH 1 (MODSEQ BOGUS)", "FETCH 1 (MODSEQ BODY[0])", "FETCH 1 BOGUS (CHANGEDSINCE 1)", "STORE 1 (UNCHANGEDSINCE 1) BOGUS", "SEARCH MODSEQ 1 BOGUS",
		"SORT (ARRIVAL) UTF-8 MODSEQ 1 BOGUS",
	} {
		c := loggedIn(t, addr, "alice@example.org")
		c.want("SELECT Lists/talk", "OK")
		all := c.do("t", command)
		if last := all[len(all)-1]; !strings.HasPrefix(last, "t BAD") && !strings.HasPrefix(last, "t NO") {
			t.Fatalf("%s: %q", command, last)
		}
		c.want("NOOP", "OK")
		c.want("SELECT Lists/talk", "OK")
		c.want("SELECT Lists/talk (QRESYNC (1 1))", "BAD QRESYNC is to be enabled first")
		if got := c.want(`STORE 1 +FLAGS (\Flagged)`, "OK"); strings.Contains(strings.Join(got, ""), "MODSEQ") {
			t.Errorf("%s: %q", command, got)
		}
	}
	c := loggedIn(t, addr, "alice@example.org")
	c.want("ENABLE QRESYNC", "OK")
	c.want("ENABLE QRESYNC (x)", "BAD") // and what was is still so
	c.want("SELECT Lists/talk", "OK")
	c.want("SELECT Lists/talk (QRESYNC (1 1))", "OK")
}
