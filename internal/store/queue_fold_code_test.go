package store

import (
	"reflect"
	"testing"

	"plenary/internal/model"
)

// FuzzFoldedDeliveries: what is damaged is an error, never a panic, and what was
// packed comes back.
func FuzzFoldedDeliveries(f *testing.F) {
	rows := []model.Delivery{
		{RecipientID: 3, State: model.DeliverySent, Attempts: 1, Code: 250, Reply: "2.0.0 queued as 4711", At: 1_767_607_200_123_456},
		{RecipientID: 4, State: model.DeliveryFailed, Attempts: 7, Code: 550, Reply: "5.1.1 no such person", At: 1_767_607_000_000_000},
		{RecipientID: 1 << 40, State: model.DeliverySkipped, Reply: "left the list", At: 0},
	}
	whole := packDeliveries(rows)
	for n := range whole {
		f.Add(whole[:n])
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, b []byte) {
		var got []model.Delivery
		err := unpackDeliveries(b, 0, func(d *model.Delivery) { got = append(got, *d) })
		if err != nil && len(got) > 0 {
			t.Errorf("%d rows and %v", len(got), err)
		}
		if string(b) != string(whole) {
			return
		}
		want := append([]model.Delivery{}, rows...)
		want[0].Reply, want[0].At = "2.0.0", 1_767_607_200_000_000
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
