package queue

import (
	"testing"

	"plenary/internal/model"
)

// TestRefusalIsSaidAgain: each new hold of a distribution at a site is noted, and a
// copy that is taken ends the note, also when a person said retry in between.
func TestRefusalIsSaidAgain(t *testing.T) {
	t.Parallel()
	e := New(Options{})
	e.depots = &depots{} // sites, not one way out
	u := &Unit{job: &job{source: &source{d: &model.Distribution{ID: 7}}}, to: []target{{Recipient: Recipient{Address: "a@d0.example"}}}}
	b := &batch{}
	refuse := func(n, want int) {
		t.Helper()
		for range n {
			e.policy(b, Outcome{Unit: u, Result: Result{State: Permanent, Code: 550, Reply: "5.7.1 no"}})
		}
		if len(b.stopped) != want {
			t.Fatalf("it was noted %d times, not %d", len(b.stopped), want)
		}
	}
	refuse(3*policyRow, 1)
	e.refusals.again(7)
	refuse(3, 2)
	e.refusals.forget(0)
	refuse(policyRow-1, 2)
	e.policy(b, Outcome{Unit: u, Result: Result{State: OK, Code: 250}})
	if len(b.stopped) != 3 || b.stopped[2].reply != "" {
		t.Errorf("%+v", b.stopped)
	}
}
