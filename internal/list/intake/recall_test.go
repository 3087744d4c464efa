package intake_test

import (
	"context"
	"testing"

	"plenary/internal/list/intake"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// looks counts how often a list is looked for.
type looks struct {
	*store.Store
	n int
}

func (s *looks) FindList(ctx context.Context, local, domain string) (*model.List, error) {
	s.n++
	return s.Store.FindList(ctx, local, domain)
}

// TestAListIsLookedForOnce: RCPT finds it, the message does not ask again, and yet
// hears of what changed in between.
func TestAListIsLookedForOnce(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		counted := &looks{Store: s}
		r.Desk.Store = counted
		post := func(id, recipient, want string) {
			t.Helper()
			if got := r.receive(intake.Incoming{Recipients: []string{recipient}, Raw: message(id)}); got != want {
				t.Errorf("%s: %s", id, got)
			}
		}
		r.check(r.Accepts(ctx, "Talk@example.org"))
		if post("1@x", "Talk@example.org", "ok"); counted.n != 1 {
			t.Errorf("looked for %d times", counted.n)
		}

		l := r.lists["talk"]
		l.NonsubscriberAction = model.Reject
		r.check(s.SaveList(ctx, l))
		post("2@x", "Talk@example.org", "forbidden")

		r.check(r.Accepts(ctx, "talk@example.org"))
		l.Local = "speak"
		r.check(s.SaveList(ctx, l))
		post("3@x", "talk@example.org", "not-found")

		r.check(r.Accepts(ctx, "hard@example.org"))
		r.check(s.RemoveList(ctx, r.lists["hard"].ID))
		post("4@x", "hard@example.org", "not-found")
	})
}
