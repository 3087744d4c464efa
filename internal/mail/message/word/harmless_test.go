package word

import "testing"

// TestHarmless: nothing is left that mail programs make a link of, and what people
// write stays readable.
func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"":                                      "",
		"Reading week: what do you do?":         "Reading week: what do you do?",
		"version 1.5, e.g. this. And so on.":    "version 1.5, e. g. this. And so on.",
		"CHEAP PILLS http://evil.example/x now": "CHEAP PILLS […] now",
		"see (HTTPS://evil.example) or www.evil.example": "see […] or […]",
		"//evil.example/x":          "[…]",
		"evil.example/x":            "evil. example/x",
		"write to ann@example.net.": "write to ann at example. net.",
		"ann＠example.net":           "ann at example. net",
		"@":                         "at",
		"two\r\nlines\u00a0here":    "two lines here",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…",
	} {
		if got := Harmless(in, 50); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
