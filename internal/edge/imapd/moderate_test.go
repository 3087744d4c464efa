package imapd

import (
	"slices"
	"strings"
	"testing"
)

// TestVeryMuchWaits: of what waits the oldest are shown and the others follow;
// so many are decided at once, or none.
func TestVeryMuchWaits(t *testing.T) {
	m := sample(t)
	m.moderate(1, "alice@example.org", true)
	for range maxPending + maxDecisions/2 {
		m.hold(1, plainPost)
	}
	_, addr := serve(t, m)
	c := loggedIn(t, addr, "alice@example.org")
	exists := func(all []string, n int) {
		t.Helper()
		if want := "* " + itoa(n) + " EXISTS"; !slices.Contains(all, want) {
			t.Errorf("no %q in the last of %q", want, all[max(0, len(all)-5):])
		}
	}
	exists(c.want("SELECT Moderation/talk/Pending", "OK"), maxPending)
	c.says("STATUS Moderation/talk/Pending (MESSAGES)", `* STATUS "Moderation/talk/Pending" (MESSAGES `+itoa(maxPending)+`)`)
	c.want("MOVE 1:"+itoa(maxDecisions+1)+" Moderation/talk/Discard", "NO [LIMIT]")
	c.says("SEARCH RETURN (COUNT) ALL", `* ESEARCH (TAG "t") COUNT `+itoa(maxPending)) // none was decided
	c.says("SEARCH RETURN (PARTIAL -1:-2) FROM ann", `* ESEARCH (TAG "t") PARTIAL (-1:-2 `+itoa(maxPending-1)+`:`+itoa(maxPending)+`)`)
	gone := 0
	all := c.want("MOVE 1:"+itoa(maxDecisions)+" Moderation/talk/Discard", "OK")
	for _, line := range all {
		if strings.HasSuffix(line, " EXPUNGE") {
			gone++
		}
	}
	if gone != maxDecisions {
		t.Errorf("%d were taken away", gone)
	}
	exists(all, maxPending-maxDecisions/2)
	c.says("FETCH 1,* UID", "* 1 FETCH (UID "+itoa(10+maxDecisions+1)+")", "* "+itoa(maxPending-maxDecisions/2)+" FETCH (UID "+itoa(10+maxPending+maxDecisions/2)+")")
}
