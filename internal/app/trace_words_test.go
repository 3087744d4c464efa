package app

import (
	"testing"
	"time"

	"plenary/internal/model"
)

func TestEventsInWords(t *testing.T) {
	for _, c := range []struct {
		event model.Event
		want  string
	}{
		{model.Event{Kind: "post.held", Actor: "rule", Detail: `{"reversePath":"a@b.example","peer":"192.0.2.1","reasons":[{"rule":"size","text":"It is large."},{"rule":"empty","text":"It is empty."}]}`},
			"was held by the rules size, empty: It is large. It is empty. (came from 192.0.2.1, reverse-path <a@b.example>)"},
		{model.Event{Kind: "post.discarded", Actor: "mod@x.example", Detail: `{"held":7,"comment":""}`}, "was dropped by mod@x.example (held post 7)"},
		{model.Event{Kind: "post.released", Actor: "a@b.example", EmailKey: "a@b.example", Detail: `{"held":2,"comment":""}`}, "was released by a@b.example (held post 2)"},
		{model.Event{Kind: "post.asked", Detail: "7"}, "the moderators were asked about held post 7; plenary held show 7"},
		{model.Event{Kind: "post.expired", Actor: "rule", Detail: `{"held":7,"comment":""}`}, "was held until its time was over, and is gone (held post 7)"},
		{model.Event{Kind: "member.added", Actor: "cli", Detail: "subscriber,owner"}, "was added as subscriber,owner by the postmaster"},
		{model.Event{Kind: "member.joined", Actor: "confirmed", Detail: "by mail"}, "joined: by mail"},
		{model.Event{Kind: "member.changed", Actor: "cli", Detail: "delivery=on (was off-by-bounces)"}, "options were changed: delivery=on (was off-by-bounces) by the postmaster"},
		{model.Event{Kind: "list.removed", Actor: "cli", EmailKey: "talk@x.example"}, "the list was removed by the postmaster"},
		{model.Event{Kind: "member.left", Actor: "a@b.example", EmailKey: "a@b.example"}, "left"},
		{model.Event{Kind: "member.removed", Actor: "cli"}, "was taken off the list by the postmaster"},
		{model.Event{Kind: "member.join-refused", Actor: "rule", Detail: "banned; mail"}, "was not let in: banned; mail"},
		{model.Event{Kind: "thread.split", Actor: "cli", Detail: "a thread of its own"}, "was made a thread of its own by the postmaster"},
		{model.Event{Kind: "thread.moved", Actor: "cli", Detail: "below a@b"}, "was put below a@b by the postmaster"},
		{model.Event{Kind: "thread.reset", Actor: "cli", Detail: "as the messages say"}, "was put back as the messages say by the postmaster"},
		{model.Event{Kind: "member.sent-to-coventry", Actor: "cli", Detail: "for a week"}, "member sent to coventry for a week by the postmaster"},
	} {
		if got := eventText(&c.event); got != c.want {
			t.Errorf("%s %s\n got %s\nwant %s", c.event.Kind, c.event.Detail, got, c.want)
		}
	}
}

func TestFatesInWords(t *testing.T) {
	at := model.At(time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		d    model.Delivery
		want string
	}{
		{model.Delivery{State: model.DeliverySent, Attempts: 1, Code: 250, Reply: "2.0.0 ok"}, "delivered; the answer was: 250 2.0.0 ok"},
		{model.Delivery{State: model.DeliverySent, Attempts: 3}, "delivered at attempt 3"},
		{model.Delivery{State: model.DeliveryRetry, Attempts: 2, Reply: "connection refused", NextAt: at}, "deferred after 2 attempts, next try 2026-01-05 10:00:00: connection refused"},
		{model.Delivery{State: model.DeliveryRetry, Attempts: 1, Code: 451, Reply: "4.3.0 later", NextAt: at}, "deferred after 1 attempt, next try 2026-01-05 10:00:00; the answer was: 451 4.3.0 later"},
		{model.Delivery{State: model.DeliveryRetry, Reply: "it waits for its turn at the site", NextAt: at}, "not tried yet, next look 2026-01-05 10:00:00: it waits for its turn at the site"},
		{model.Delivery{State: model.DeliveryRetry, Reply: "sending to a.example is paused", NextAt: model.Never}, "waits for plenary queue resume: sending to a.example is paused"},
		{model.Delivery{State: model.DeliveryFailed, Attempts: 1, Code: 550, Reply: "5.1.1 nobody"}, "refused for good; the answer was: 550 5.1.1 nobody"},
		{model.Delivery{State: model.DeliverySkipped, Reply: "left the list"}, "not sent: left the list"},
	} {
		if got := deliveryText(&c.d); got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
	}
}

// TestWhyThereIsNoCopy: everybody without a record gets a reason.
func TestWhyThereIsNoCopy(t *testing.T) {
	at := model.At(time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC))
	sub, mod := model.RoleSubscriber, model.RoleModerator
	now := model.At(time.Now())
	month, years := now.Add(-40*24*time.Hour), now.Add(-800*24*time.Hour)
	for _, c := range []struct {
		d    model.Distribution
		rows []model.Subscriber
		want string
	}{
		{model.Distribution{Seq: 5}, []model.Subscriber{{BeganSeq: 6, BeganAt: at, Roles: sub}}, "not sent: joined on 2026-01-05 10:00:00, after this post"},
		{model.Distribution{Seq: 5}, []model.Subscriber{{BeganSeq: 2, EndedSeq: 4, EndedAt: at, EndReason: "one-click link", Roles: sub}, {BeganSeq: 7, BeganAt: at, Roles: sub}}, "not sent: had left on 2026-01-05 10:00:00 (one-click link)"},
		{model.Distribution{Seq: 5}, []model.Subscriber{{BeganSeq: 2, Roles: mod}}, "not sent: on the list as moderator only, without a subscription"},
		{model.Distribution{Seq: 5}, []model.Subscriber{{BeganSeq: 2, Roles: sub}}, "not sent yet: waits in the queue; plenary queue status shows it"},
		{model.Distribution{Seq: 5, State: model.DistributionPaused}, []model.Subscriber{{BeganSeq: 2, Roles: sub}}, "not sent yet: the distribution is paused; plenary queue status says why"},
		{model.Distribution{Seq: 5, State: model.DistributionCancelled}, []model.Subscriber{{BeganSeq: 2, EndedSeq: 6, Roles: sub}}, "not sent: the distribution was cancelled"},
		{model.Distribution{Seq: 5, State: model.DistributionDone, DoneAt: now}, []model.Subscriber{{BeganSeq: 2, Roles: sub}}, "not sent: had no subscription when its turn came"},
		{model.Distribution{Seq: 5, State: model.DistributionDone, DoneAt: month}, []model.Subscriber{{BeganSeq: 2, Roles: sub}}, "not sent: had no subscription when its turn came"},
		{model.Distribution{Kind: model.DistributeLetter, State: model.DistributionDone, DoneAt: month}, []model.Subscriber{{Roles: sub}}, "its turn was on " + stamp(month) + "; what became of a copy is kept for 30 days"},
		{model.Distribution{Seq: 5, State: model.DistributionDone, DoneAt: years}, []model.Subscriber{{BeganSeq: 2, Roles: sub}}, "its turn was on " + stamp(years) + "; what became of a copy is kept for 365 days"},
	} {
		if _, got := (&tracer{}).absent(&c.d, c.rows); got != c.want {
			t.Errorf("%+v\n got %s\nwant %s", c.d, got, c.want)
		}
	}
}
