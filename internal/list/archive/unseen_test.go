package archive

import (
	"bytes"
	"slices"
	"testing"
)

// What is unseen within a word is no part of it, in the index and in a question;
// what guessing goes by is as it was.
func TestUnseenCharacters(t *testing.T) {
	for text, want := range map[string]string{
		"Buch\u00adladen": "buchladen", "Bü\u00adcher\u00ad": "bucher", "\ufeffoak": "oak", "oak\ufeff elm": "oak elm", "Straßen\u2060bahn": "strassenbahn",
		"book\u200dshelf": "bookshelf", "a\u180eb": "ab", "oak\u200belm": "oak elm", "می\u200cخواهم": "می خواهم", "熊\u00ad猫": "熊猫 猫", "- \u00ad -": "",
	} {
		if got := IndexWords(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if words, _ := QueryWords(text); len(words) > 0 && words[0] != string(bytes.Fields([]byte(want))[0]) {
			t.Errorf("%q is asked for as %q", text, words)
		}
	}
	if Fold("Buch\u00adladen") != "buchladen" || Fold("é\u200d") != "e" {
		t.Error(Fold("Buch\u00adladen"), Fold("é\u200d"))
	}
	if a, b := marksOf("one two Buch\u00adladen four five six seven eight nine ten"), marksOf("one two Buch laden four five six seven eight nine ten"); !slices.Equal(a, b) || len(a) == 0 {
		t.Error(a, b)
	}
	if w := placedWords("x Buch\u00adladen y"); len(w) != 3 || w[1].start != 2 || w[1].end != 13 {
		t.Errorf("%+v", w)
	}
}
