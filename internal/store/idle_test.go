package store

import (
	"errors"
	"testing"
	"time"
)

// TestSpareIsMadeWhenWanted and let go when nobody has wanted it since.
func TestSpareIsMadeWhenWanted(t *testing.T) {
	made, broken := 0, errors.New("not now")
	s := spare[int]{make: func() (int, error) {
		if made++; made == 1 {
			return 0, broken
		}
		return made, nil
	}}
	if _, err := s.get(); !errors.Is(err, broken) {
		t.Error(err)
	}
	for _, step := range []struct {
		tidy time.Duration // what was not wanted for so long goes
		want int
	}{{time.Hour, 2}, {time.Hour, 2}, {-time.Hour, 3}, {time.Hour, 3}} {
		if got, err := s.get(); err != nil || got != step.want && step.tidy > 0 {
			t.Error(got, err, step)
		}
		s.tidy(time.Now().Add(-step.tidy))
	}
	if made != 3 || s.have == nil {
		t.Error(made, s.have)
	}
	if s.tidy(time.Now().Add(time.Hour)); s.have != nil {
		t.Error("it is still there")
	}
}
