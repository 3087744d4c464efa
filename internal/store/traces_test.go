package store_test

import (
	"context"
	"testing"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestTracesOfADistribution: the questions of plenary trace, on both dialects.
func TestTracesOfADistribution(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l, d := queueRig(t, s, 5)
		second := queuePost(t, s, l.ID, 2, model.At(s.Now()))
		subs, err := s.SubscribersOf(ctx, l.ID, model.RoleSubscriber, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		ids := personIDs(subs)
		rows := append(outcomes(d, model.DeliverySent, 1, ids[0], ids[1]), outcomes(d, model.DeliverySkipped, 0, ids[2], ids[3], ids[4])...)
		rows[2].Reply, rows[3].Reply, rows[4].Reply = "left the list", "delivery is off", "delivery is off"
		if err := s.RecordDeliveries(ctx, nil, rows, nil); err != nil {
			t.Fatal(err)
		}
		got, err := s.TracedDeliveries(ctx, d.ID, 4)
		if err != nil || len(got) != 4 || got[0].State != model.DeliverySkipped || got[2].State != model.DeliverySkipped ||
			got[3].State != model.DeliverySent || got[3].Email != "S1@example.net" {
			t.Errorf("%+v, %v", got, err)
		}
		why, err := s.SkipReasons(ctx, d.ID)
		if err != nil || len(why) != 2 || why[0] != (store.SkipReason{Why: "delivery is off", N: 2}) || why[1].N != 1 {
			t.Errorf("%+v, %v", why, err)
		}
		to, err := s.DeliveriesTo(ctx, []int64{d.ID, second.ID}, ids[:1])
		if err != nil || len(to) != 1 || to[0].RecipientID != ids[0] {
			t.Errorf("%+v, %v", to, err)
		}
		if to, err = s.DeliveriesTo(ctx, nil, ids); err != nil || to != nil {
			t.Errorf("%+v, %v", to, err)
		}
		latest, err := s.LatestDistributions(ctx, l.ID, 1)
		if err != nil || len(latest) != 1 || latest[0].ID != second.ID {
			t.Errorf("%+v, %v", latest, err)
		}
		if err := s.SaveBounce(ctx, &model.Bounce{DistributionID: d.ID, RecipientID: ids[1]}, []byte("x")); err != nil {
			t.Fatal(err)
		}
		back, err := s.BouncesTo(ctx, []int64{d.ID}, ids)
		if err != nil || len(back) != 1 || back[0].RecipientID != ids[1] {
			t.Errorf("%+v, %v", back, err)
		}
		letter := model.Distribution{Lane: model.LaneNotice, Recipient: "S1@example.net"}
		if err := s.SaveLetter(ctx, &letter, []byte("Subject: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		letters, err := s.LettersTo(ctx, "S1@example.net", 5)
		if err != nil || len(letters) != 1 || letters[0].ID != letter.ID {
			t.Errorf("%+v, %v", letters, err)
		}
		if _, err := s.Unsubscribe(ctx, l.ID, "s1@example.net", "left"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Subscribe(ctx, &model.Subscriber{ListID: l.ID, Email: "s1@example.net", EmailKey: "s1@example.net", Roles: model.RoleSubscriber}); err != nil {
			t.Fatal(err)
		}
		rowsOf, err := s.MembershipsOf(ctx, "s1@example.net")
		if err != nil || len(rowsOf) != 2 || rowsOf[0].EndedSeq == 0 || rowsOf[1].EndedSeq != 0 {
			t.Errorf("%+v, %v", rowsOf, err)
		}
	})
}
