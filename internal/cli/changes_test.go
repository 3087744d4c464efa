package cli

import "testing"

// TestChangesAreTraced: who changed what, of a list and of a person, from the
// command line to trace, in plain words; and what a list was stays known when it
// is gone.
func TestChangesAreTraced(t *testing.T) {
	r := newRig(t)
	r.ok("list", "create", talk, "--set", "name=Book club")
	r.ok("subscriber", "add", talk, "ann@example.org")
	r.ok("list", "set", talk, "emergency=yes", "hold-size=500K")
	r.ok("list", "set", talk, "emergency=yes")
	r.ok("subscriber", "set", talk, "ann@example.org", "delivery=off", "moderation=hold")
	r.ok("subscriber", "set", talk, "ann@example.org", "delivery=off", "moderation=hold")
	said := func(what, kind string, want ...string) {
		t.Helper()
		var got []string
		for _, row := range r.json("trace", what) {
			if row["what"] == kind {
				got = append(got, row["text"].(string))
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%s of %s: %q, want %q", kind, what, got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s of %s: %q, want %q", kind, what, got[i], want[i])
			}
		}
	}
	said(talk, "list.created", `the list was made with kind=discussion, name="Book club" by the postmaster`)
	said(talk, "list.changed", "settings were changed: emergency=yes (was no), hold-size=500K (was 2M) by the postmaster")
	said("ann@example.org", "member.changed", "options were changed: delivery=off-by-moderator (was on), moderation=hold (was default) by the postmaster")
	r.has(r.ok("trace", "ann@example.org"), "delivery is off, set by those who run the list")
	r.ok("subscriber", "set", talk, "ann@example.org", "delivery=off-by-subscriber")
	r.has(r.ok("trace", "ann@example.org"), "delivery is off, by her own choice")
	r.ok("list", "rm", talk, "--yes")
	said(talk, "list.removed", "the list was removed by the postmaster")
	said(talk, "list.changed", "settings were changed: emergency=yes (was no), hold-size=500K (was 2M) by the postmaster")
}

// TestWhatIsListedCanBeSet: the words subscriber ls prints are those that add and
// set read.
func TestWhatIsListedCanBeSet(t *testing.T) {
	r := newRig(t)
	r.ok("list", "create", talk)
	for _, word := range []string{"on", "off", "off-by-subscriber", "off-by-bounces", "off-by-moderator"} {
		r.ok("subscriber", "add", talk, word+"@example.org", "--set", "delivery="+word, "--role", "editor", "--role", "subscriber", "--role", "owner")
	}
	csv := "email,name,roles,delivery,since\n"
	for _, row := range r.json("subscriber", "ls", talk) {
		email, roles, delivery := row["email"].(string), row["roles"].(string), row["delivery"].(string)
		if want := email[:len(email)-len("@example.org")]; delivery != want && !(want == "off" && delivery == "off-by-moderator") {
			t.Errorf("%s was set and %s is listed", want, delivery)
		}
		r.ok("subscriber", "set", talk, email, "delivery="+delivery, "roles="+roles)
		r.ok("subscriber", "add", talk, "again-"+email, "--role", roles, "--set", "delivery="+delivery)
		csv += email + ",Ann," + `"` + roles + `",` + delivery + "," + row["since"].(string) + "\n"
	}
	people := map[any]map[string]any{}
	for _, row := range r.json("subscriber", "ls", talk) {
		people[row["email"]] = row
	}
	for email, row := range people {
		if again := people["again-"+email.(string)]; again != nil && (again["roles"] != row["roles"] || again["delivery"] != row["delivery"]) {
			t.Errorf("%v came back as %v", row, again)
		}
	}
	if len(people) != 10 {
		t.Errorf("%d people", len(people))
	}
	r.has(r.ok("subscriber", "import", talk, r.file("people.csv", csv)), "added 0, already there 5, refused 0")
	r.fails(exitUsage, `"king" is no role; there are subscriber,editor,moderator,owner`, "subscriber", "add", talk, "x@example.org", "--role", "king")
}
