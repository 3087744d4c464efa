package command_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"plenary/internal/fault"
	"plenary/internal/list/command"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// SEARCH asks for who wrote and for the list meant, in the words that were
// written; strangers are told nothing of an archive that is not public.
func TestSearch(t *testing.T) {
	r := newRig(t)
	r.add("talk", "ann@example.net", model.RoleSubscriber)
	var asked string
	r.Search = func(_ context.Context, from address.Address, l *model.List, query string, limit int) (command.Found, error) {
		asked = fmt.Sprintf("%s %s %d: %s", from, l.Local, limit, query)
		switch query {
		case "bad(":
			return command.Found{}, fault.New(fault.Invalid, "a bracket is opened and not closed")
		case "nothing", "test-l wool sweaters", "test-l", "hidden wool", "talk-l nothing":
			return command.Found{}, nil
		}
		return command.Found{Total: 40, Where: "They are in the folder Lists/talk.", Posts: []command.FoundPost{
			{Day: "2026-03-02", Author: "Zoe", Subject: "Shelves", Snippet: "the «oak» shelves", Link: "https://lists.example.org/archive/x"}, {Day: "2026-03-01", Author: "Bo", Subject: "Re: Shelves"}}}, nil
	}
	bob := addr("bob@example.org")
	open := r.list("test-l")
	open.ArchiveAccess = model.AccessPublic
	if err := r.store.SaveList(context.Background(), open); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line, says, asked string
		from              address.Address
		at                *model.List
	}{
		{line: "SEARCH talk oak", says: "40 posts match; the newest 2:", asked: "ann@example.net talk 20: oak"},
		{line: "search talk@lists.example.org s:\"oak shelves\" -glass d:2.weeks.ago..", says: "«oak»", asked: `ann@example.net talk 20: s:"oak shelves" -glass d:2.weeks.ago..`},
		{line: "Please SEA oak OR \"elm\"", says: "Zoe: Shelves", asked: `ann@example.net talk 20: oak OR "elm"`, at: r.talk},
		{line: "SEARCH oak shelves IN talk", says: "archive/x", asked: "ann@example.net talk 20: oak shelves"},
		{line: "SEARCH\u00a0talk oak\tshelves", says: "40 posts", asked: "ann@example.net talk 20: oak shelves"},
		{line: "SEARCH talk\u3000図書", says: "40 posts", asked: "ann@example.net talk 20: 図書"},
		{line: "SEARCH " + strings.Repeat("Ⱥ", 40) + " IN talk.", says: "40 posts", asked: "ann@example.net talk 20: " + strings.Repeat("Ⱥ", 40)},
		{line: "SEARCH talk \"born in talk\"", says: "40 posts", asked: "ann@example.net talk 20: \"born in talk\""},
		{line: "SEARCH talk the winter's tale", says: "40 posts", asked: "ann@example.net talk 20: the winter's tale"},
		{line: "SEARCH talk a b c d e f g h i j k l m n", says: "40 posts", asked: "ann@example.net talk 20: a b c d e f g h i j k l m n"},
		{line: "SEARCH talk oak", says: "They are in the folder Lists/talk.", asked: "ann@example.net talk 20: oak"},
		{line: "SEARCH talk oak elm", says: "For older ones add d:..2026-03-01 to what", asked: "ann@example.net talk 20: oak elm"},
		{line: "SEARCH talk bad(", says: "A bracket is opened and not closed.", asked: "ann@example.net talk 20: bad("},
		{line: "SEARCH talk nothing", says: "Nothing in the archive", asked: "ann@example.net talk 20: nothing"},
		{line: "SEARCH test-l wool sweaters", at: r.talk, asked: "ann@example.net talk 20: test-l wool sweaters",
			says: "  SEARCH test-l@lists.example.org and the words\n        SEARCH the words IN test-l"},
		{line: "SEARCH test-l", at: r.talk, says: "  SEARCH test-l@lists.example.org and the words\n", asked: "ann@example.net talk 20: test-l"},
		{line: "SEARCH hidden wool", at: r.talk, says: "Nothing in the archive of talk@lists.example.org matches.", asked: "ann@example.net talk 20: hidden wool"},
		{line: "SEARCH wool sweaters IN test-l", at: r.talk, says: "40 posts", asked: "ann@example.net test-l 20: wool sweaters"},
		{line: "SEARCH nowhere oak", says: "no list of that name"},
		{line: "SEARCH talk oak", from: bob, says: "is read by its members"},
		{line: "SEARCH hidden oak", from: bob, says: "no list of that name"},
		{line: "SEARCH test-l oak", from: bob, says: "40 posts", asked: "bob@example.org test-l 20: oak"},
	} {
		asked = ""
		m := command.Mail{Entry: command.AtServer, From: c.from, List: c.at}
		if c.at != nil {
			m.Entry = command.AtRequest
		}
		out, text := r.mail(m, "", c.line+"\r\n")
		if !strings.HasPrefix(out, "command-reply>") || asked != c.asked || !strings.Contains(text, c.says) {
			t.Errorf("%s: %s asked %q, said\n%s", c.line, out, asked, text)
		}
		if elsewhere := strings.Contains(text, "To search"); elsewhere != (c.at != nil && strings.HasPrefix(c.line, "SEARCH test-l")) {
			t.Errorf("%s: said\n%s", c.line, text)
		}
	}
	for _, line := range []string{"Search for a new chair has begun", "Search committee met on Monday"} {
		if out, text := r.mail(command.Mail{Entry: command.AtRequest, List: r.talk}, "", line+"\r\n"); !strings.Contains(out, "forwarded") {
			t.Errorf("%s: %s %s", line, out, text)
		}
	}
}
