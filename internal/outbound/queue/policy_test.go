package queue

import (
	"testing"
	"time"

	"plenary/internal/model"
)

func TestWhatIsPolicy(t *testing.T) {
	for reply, want := range map[string]bool{
		"5.7.1 no": true, "5.7.26 no 5.7.26 see https://example.org": true, "5.7.509": true,
		"Blocked by policy 5.7.1 see https://example.org": true, "#5.7.1 refused": true, "blocked (5.7.1)": true, "SPF check failed; [5.7.23]": true,
		"5.1.1 no such user, says relay 5.7.1": false, "5.1.10 unknown": false, "no such user": false, "": false, "5.7": false, "5.7.": false,
		"15.7.1 unknown": false, "version 5.7.x is old": false, "4.7.1 later": false, "user in 5.7.1.2 unknown": false,
	} {
		if got := isPolicy(reply); got != want {
			t.Errorf("%q: %v", reply, got)
		}
	}
}

// TestPolicyTries: the third try is final when the one before was refused so too.
func TestPolicyTries(t *testing.T) {
	e := New(Options{})
	j := &job{source: &source{d: &model.Distribution{ID: 7, Lane: model.LanePost, CreatedAt: model.At(e.Now())}}}
	for _, c := range []struct {
		attempts int
		refused  bool
		reply    string
		want     model.DeliveryState
	}{
		{0, false, "5.7.1 no", model.DeliveryRetry},
		{1, true, "5.7.1 no", model.DeliveryRetry},
		{2, true, "5.7.1 no", model.DeliveryFailed},
		{2, false, "5.7.1 no", model.DeliveryRetry}, // greylisted before
		{3, true, "5.7.1 no", model.DeliveryFailed},
		{2, false, "5.1.1 no", model.DeliveryFailed},
	} {
		row := e.row(j, target{attempts: c.attempts, refused: c.refused}, Result{State: Permanent, Code: 550, Reply: c.reply}, 0)
		if row.State != c.want {
			t.Errorf("%+v: %d", c, row.State)
		}
	}
}

// TestNoHostIsFinalLate: a domain that DNS does not know has three days to come back,
// or as long as the schedule of its copies.
func TestNoHostIsFinalLate(t *testing.T) {
	const day = 24 * time.Hour
	e := New(Options{})
	for _, c := range []struct {
		lane     model.Lane
		age      time.Duration
		attempts int
		want     model.DeliveryState
	}{
		{model.LanePost, 0, 0, model.DeliveryRetry},
		{model.LanePost, 2 * day, 12, model.DeliveryRetry},
		{model.LanePost, 3*day - time.Hour, 20, model.DeliveryRetry},
		{model.LanePost, 3*day + time.Minute, 20, model.DeliveryFailed},
		{model.LaneReply, 12 * time.Hour, 8, model.DeliveryRetry},
		{model.LaneReply, day, 10, model.DeliveryFailed},
	} {
		d := &model.Distribution{ID: 7, Lane: c.lane, CreatedAt: model.At(e.Now().Add(-c.age))}
		row := e.row(&job{source: &source{d: d}}, target{attempts: c.attempts}, Result{State: Permanent, Code: 550, Reply: "5.1.2 there is no domain", NoHost: true}, 8)
		if row.State != c.want || row.Code != 550 || row.Reply != "5.1.2 there is no domain" {
			t.Errorf("%+v: %+v", c, row)
		}
	}
}
