package word

import "testing"

// TestNothingTurnsTheDirection: a subject or a name could be shown backwards.
func TestNothingTurnsTheDirection(t *testing.T) {
	for r := rune(0x2000); r < 0x2070; r++ {
		turns := r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
		if got := Clean("a" + string(r) + "b"); (got == "ab") != turns {
			t.Errorf("Clean of U+%04X: %q", r, got)
		}
		if got := Line("a" + string(r) + "b"); (got == "ab") != turns {
			t.Errorf("Line of U+%04X: %q", r, got)
		}
	}
	for _, s := range []string{"שלום\u200f עולם", "می\u200cخواهم", "👩\u200d🏫", "a\u200eb"} {
		if Clean(s) != s || Line(s) != s {
			t.Errorf("%q was changed", s)
		}
	}
}
