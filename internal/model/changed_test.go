package model_test

import (
	"strings"
	"testing"

	"plenary/internal/model"
)

func TestChangedText(t *testing.T) {
	got := model.ChangedText([]model.Changed{
		{Key: "emergency", Was: "no", Is: "yes"},
		{Key: "name", Is: "Book club"},
		{Key: "roles", Was: "subscriber", Is: "subscriber,owner"},
		{Key: "footer", Was: "a\nb\x1b[2J", Is: strings.Repeat("ä", 100)},
	})
	want := `emergency=yes (was no), name="Book club", roles=subscriber,owner (was subscriber), footer="` +
		strings.Repeat("ä", 60) + `…" (was "a\nb\x1b[2J")`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := model.ChangedText(nil); got != "" {
		t.Errorf("%q", got)
	}
}
