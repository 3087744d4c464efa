package store

import (
	"fmt"
	"slices"
	"testing"

	"plenary/internal/model"
)

func sentCopy(id int64, at model.Instant, code int, reply string) model.SentCopy {
	return model.SentCopy{RecipientID: id, At: at, Code: code, Reply: reply}
}

func TestPackKeepsCopies(t *testing.T) {
	for name, copies := range map[string][]model.SentCopy{
		"none":   {},
		"one":    {{RecipientID: 7, At: 1_700_000_000_000_000, Code: 250, Reply: "2.0.0 ok"}},
		"alike":  {sentCopy(1, 50, 250, "ok"), sentCopy(2, 40, 250, "ok"), sentCopy(3, 60, 250, "ok")},
		"ids":    {sentCopy(10, 1, 250, "2.0.0 Ok: queued as A1B2C3"), sentCopy(1<<60, 2, 251, "2.0.0 Ok: queued as A1B2D4"), sentCopy(11, 0, 250, ""), sentCopy(12, 3, 250, "é")},
		"prefix": {sentCopy(1, 1, 250, "abc"), sentCopy(2, 1, 250, "ab"), sentCopy(3, 1, 250, "abcd")},
	} {
		data := packCopies(copies) // sorts
		got, err := unpackCopies(nil, data)
		if err != nil || !slices.Equal(got, copies) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, copies)
		}
		for n := range data {
			if got, err := unpackCopies(nil, data[:n]); err == nil {
				t.Errorf("%s cut to %d octets: %v", name, n, got)
			}
		}
	}
}

func TestPackIsSmall(t *testing.T) {
	var alike, ids []model.SentCopy
	for i := range 1000 {
		alike = append(alike, model.SentCopy{RecipientID: int64(i), At: model.Instant(1_700_000_000_000_000 + 17*i), Code: 250, Reply: "2.0.0 taken"})
		ids = append(ids, model.SentCopy{RecipientID: int64(i), At: model.Instant(1_700_000_000_000_000 + 17*i), Code: 250,
			Reply: fmt.Sprintf("2.0.0 Ok: queued as %010X", i*7919)})
	}
	if n := len(packCopies(alike)); n > 6000 {
		t.Errorf("1000 copies take %d octets", n)
	}
	if n := len(packCopies(ids)); n > 16000 {
		t.Errorf("1000 copies with queue ids take %d octets", n)
	}
}

func FuzzUnpackCopies(f *testing.F) {
	f.Add(packCopies([]model.SentCopy{sentCopy(1, 50, 250, "ok"), sentCopy(2, 40, 250, "okay")}))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := unpackCopies(nil, data)
		if err == nil && len(got) > len(data) {
			t.Errorf("%d copies of %d octets", len(got), len(data))
		}
	})
}
