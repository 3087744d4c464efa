package settings_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"plenary/internal/fault"
	"plenary/internal/list/settings"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/stores"
)

var update = flag.Bool("update", false, "write docs/settings.md anew")

func TestTableIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range settings.Table() {
		switch {
		case s.Key == "" || seen[s.Key] || s.Key != strings.ToLower(s.Key):
			t.Errorf("keyword %q", s.Key)
		case !strings.HasSuffix(s.Doc, "."):
			t.Errorf("%s has no doc", s.Key)
		case (s.Kind == settings.Choice) != (len(s.Choices) > 1):
			t.Errorf("%s is a %s with %d choices", s.Key, s.Kind, len(s.Choices))
		}
		seen[s.Key] = true
		l := settings.New(model.Discussion, "talk", "lists.example.org")
		before := s.Get(l)
		if err := s.Set(l, before); err != nil && before != "" {
			t.Errorf("%s does not take its own value %q: %v", s.Key, before, err)
		}
		if s.Get(l) != before {
			t.Errorf("%s: %q became %q", s.Key, before, s.Get(l))
		}
	}
}

// TestEveryFieldHasASetting holds the table against the noun.
func TestEveryFieldHasASetting(t *testing.T) {
	not := map[string]bool{"ID": true, "Local": true, "Domain": true, "UIDValidity": true, "CreatedAt": true, "Version": true}
	typ := reflect.TypeFor[model.List]()
	for i := range typ.NumField() {
		key := strings.ReplaceAll(hyphens(typ.Field(i).Name), "--", "-")
		if _, err := settings.Find(key); (err == nil) == not[typ.Field(i).Name] {
			t.Errorf("field %s, setting %q: %v", typ.Field(i).Name, key, err)
		}
	}
}

func hyphens(name string) string {
	var out strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			out.WriteByte('-')
		}
		out.WriteRune(r)
	}
	return strings.ToLower(out.String())
}

func TestSet(t *testing.T) {
	for _, c := range []struct {
		key, value, want string
		kind             fault.Kind
	}{
		{"hold-size", "2MB", "2M", 0}, {"hold_size", "2500000", "2500K", 0}, {"HOLD-SIZE", "0", "0", 0}, {"hold-size", "1.5M", "", fault.Invalid},
		{"hold-size", "-1", "", fault.Invalid}, {"hold-size", "9999G", "", fault.Invalid}, {"hold-size", "", "", fault.Invalid},
		{"closed", "Yes", "yes", 0}, {"closed", "off", "no", 0}, {"closed", "maybe", "", fault.Invalid},
		{"held-days", "14", "14", 0}, {"held-days", "0", "", fault.Invalid}, {"max-recipients", "0", "0", 0},
		{"join-policy", "confirm+moderate", "confirm+moderate", 0}, {"join-policy", "open", "", fault.Invalid},
		{"nonsubscriber-action", "reject", "reject", 0}, {"nonsubscriber-action", "defer", "", fault.Invalid},
		{"name", " School  Libraries ", "School Libraries", 0}, {"name", "a\nBcc: x", "", fault.Invalid}, {"name", "a\x00b", "", fault.Invalid},
		{"name", strings.Repeat("x", 101), "", fault.Invalid}, {"name", "Bücherei", "Bücherei", 0},
		{"language", "PT-br", "pt-BR", 0}, {"language", "klingonish", "", fault.Invalid}, {"language", "", "", fault.Invalid},
		{"acceptable-aliases", "a@b.example, C@D.example;e@f.example", "a@b.example\nC@d.example\ne@f.example", 0},
		{"acceptable-aliases", "nobody", "", fault.Invalid}, {"footer", "one\r\ntwo", "one\ntwo", 0}, {"subject-tag", "[talk]", "[talk]", 0},
		{"colour", "red", "", fault.NotFound},
	} {
		l := settings.New(model.Discussion, "talk", "lists.example.org")
		before := *l
		err := settings.Set(l, c.key, c.value)
		if c.kind != 0 {
			if !fault.Is(err, c.kind) || *l != before {
				t.Errorf("%s=%q: %v, changed %v", c.key, c.value, err, *l != before)
			}
			if err != nil && err.Error() != fault.Text(err) { // the command line prints the whole error: nothing in it twice
				t.Errorf("%s=%q: %v", c.key, c.value, err)
			}
			continue
		}
		if got, getErr := settings.Get(l, c.key); err != nil || getErr != nil || got != c.want {
			t.Errorf("%s=%q gives %q, %v", c.key, c.value, got, err)
		}
	}
}

func TestPresets(t *testing.T) {
	for _, kind := range []model.ListKind{model.Discussion, model.Announcement, model.Newsletter} {
		l := settings.New(kind, "Talk", "lists.example.org")
		if l.Local != "talk" || l.JoinPolicy != model.JoinConfirm || l.ArchiveAccess != model.AccessMembers || l.HeldDays != 7 ||
			l.NonsubscriberAction == model.Defer || l.NonsubscriberAction == model.Accept || l.SubscriberAction != model.Accept {
			t.Errorf("%+v", l)
		}
	}
}

func TestCheckAddress(t *testing.T) {
	for local, ok := range map[string]bool{"talk": true, "a.b-c_d": true, "bücher": true, "Talk": false, "a+b": false, "": false,
		"listserv": false, strings.Repeat("x", 53): false, "a b": false, "a@b": false, "a\r\nb": false, "a/b": false,
		"*": false, "a*b": false, "a&b": false, "a|b": false, "#a": false, "{a}": false, "a=b": false, "!a": false, "~": false, "o'brien": true,
		"..": false, ".": false, ".talk": false, "talk.": false, "a..b": false, "a.b.c": true,
		"bounces": false, "listserver": false, "listmaster": false, "talk-join": true,
		"listserv-request": false, "owner-sympa": false, "owner-talk": true, "lists-club": true} {
		if err := settings.CheckAddress(local, "lists.example.org"); (err == nil) != ok || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", local, err)
		}
	}
	if settings.CheckAddress("talk", "-") == nil {
		t.Error("a domain that is none")
	}
}

// TestHandbook holds docs/settings.md against the table.
func TestHandbook(t *testing.T) {
	path := filepath.Join(real.Root(t), "docs", "settings.md")
	got := handbook()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil { //nolint:gosec // a public page
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("docs/settings.md is not what the table says (go test ./internal/list/settings -update writes it), %v", err)
	}
}

func handbook() string {
	var out strings.Builder
	out.WriteString(`# Settings of a list

Written from the table of the program (` + "`internal/list/settings`" + `), which also feeds ` + "`plenary list show`" + ` and
` + "`plenary list set ADDRESS KEY=VALUE`" + `. The last columns are what a new list of each kind begins with.
Settings marked ! deserve a second look before they are changed.

| setting | value | meaning | discussion | announcement | newsletter |
|---|---|---|---|---|---|
`)
	var fresh [3]*model.List
	for i, kind := range []model.ListKind{model.Discussion, model.Announcement, model.Newsletter} {
		fresh[i] = settings.New(kind, "talk", "lists.example.org")
	}
	for _, s := range settings.Table() {
		value, mark := string(s.Kind), ""
		if s.Kind == settings.Choice {
			value = strings.Join(s.Choices, ", ")
		}
		if s.Risky {
			mark = " !"
		}
		fmt.Fprintf(&out, "| `%s`%s | %s | %s |", s.Key, mark, value, s.Doc)
		for _, l := range fresh {
			out.WriteString(" " + s.Get(l) + " |")
		}
		out.WriteString("\n")
	}
	return strings.ReplaceAll(out.String(), "  |", " |")
}

// TestAListCannotTakeAnotherListsAddress: neither talk-join beside talk, nor talk
// beside a list that is named like one of its functions.
func TestAListCannotTakeAnotherListsAddress(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		create := func(local, domain string) error {
			return settings.Create(t.Context(), s, settings.New(model.Discussion, local, domain), "cli")
		}
		for _, c := range []struct{ local, domain, want string }{
			{"talk", "example.org", ""}, {"talk", "example.org", "there is a list talk@example.org already"},
			{"talk-join", "example.org", "talk-join@example.org is an address of the list talk@example.org"},
			{"talk-digest-subscribe", "example.org", "is an address of the list talk@example.org"},
			{"owner-talk", "example.org", "is an address of the list talk@example.org"},
			{"talk-join", "example.com", ""}, {"talk-club", "example.org", ""}, {"talk", "example.com", "could not have the address talk-join@example.com"},
			{"owner-club", "example.org", ""}, {"club", "example.org", "could not have the address owner-club@example.org"},
			{"hands-on", "example.org", ""}, {"listserv", "example.org", "server's own"},
		} {
			err := create(c.local, c.domain)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(fault.Text(err), c.want) {
				t.Errorf("%s@%s: %v, want %q", c.local, c.domain, err, c.want)
			}
		}
	})
}
