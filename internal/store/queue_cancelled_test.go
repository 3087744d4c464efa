package store_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestOutcomeAfterCancel: a copy that was on its way when its distribution was
// cancelled is not tried again, whatever its server says; what it took it took.
func TestOutcomeAfterCancel(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		_, d := queueRig(t, s, 3)
		if err := s.CancelDistribution(ctx, d.ID, "test"); err != nil {
			t.Fatal(err)
		}
		rows := append(outcomes(d, model.DeliveryRetry, 1, 1), outcomes(d, model.DeliverySent, 1, 2)...)
		rows[0].NextAt, rows[0].Reply = instant(s, time.Hour), "4.2.0 later"
		if err := s.RecordDeliveries(ctx, nil, rows, nil); err != nil {
			t.Fatal(err)
		}
		got, err := s.DeliveriesOf(ctx, d.ID, -1, 10)
		if err != nil || len(got) != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		for _, r := range got {
			if r.RecipientID == 1 && (r.State != model.DeliverySkipped || r.Reply != "cancelled; before: 4.2.0 later" || r.NextAt != 0) || r.RecipientID == 2 && r.State != model.DeliverySent {
				t.Errorf("%+v", r)
			}
		}
		if st, err := s.QueueStatus(ctx, 10); err != nil || st.Retries != 0 {
			t.Errorf("%+v, %v", st, err)
		}
	})
}
