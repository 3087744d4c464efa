package command

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/testkit/real"
)

// noStore is a store with one list.
type noStore struct{ list *model.List }

func (s noStore) FindList(_ context.Context, local, domain string) (*model.List, error) {
	if local == s.list.Local && domain == s.list.Domain {
		return s.list, nil
	}
	return nil, nil
}
func (s noStore) Lists(context.Context) ([]model.List, error) { return []model.List{*s.list}, nil }
func (noStore) FindSubscriber(context.Context, int64, string) (*model.Subscriber, error) {
	return nil, nil
}
func (noStore) SubscriptionsOf(context.Context, []string) ([]model.Subscriber, error) {
	return nil, nil
}

// commandIn reads a mail as if it had come to the request address of the list it
// was sent to.
func commandIn(raw []byte, list string) string {
	h := message.ParseHeader(raw)
	l := &model.List{ID: 1, Local: "somelist", Domain: "lists.example.org"}
	for _, field := range []string{"To", "Cc"} {
		for _, box := range h.Addresses(field) {
			if list == "-" && l.Local == "somelist" || strings.EqualFold(box.Address.Local, list) {
				l.Local, l.Domain = strings.ToLower(box.Address.Local), box.Address.Domain
			}
		}
	}
	j := &job{s: &Service{Deps: Deps{Store: noStore{l}}, table: verbs()}, ctx: context.Background(), lists: map[string]*model.List{},
		mail: Mail{Raw: raw, Header: h, List: l, Domain: l.Domain, From: address.Address{Local: "a", Domain: "example.net"}}}
	calls, _, _ := j.plan()
	if len(calls) == 0 {
		return "none"
	}
	switch calls[0].cmd.name() {
	case "SUBscribe":
		return "subscribe"
	case "SIGnoff":
		return "unsubscribe"
	}
	return strings.ToLower(calls[0].cmd.name())
}

// TestRealMails scores the parser on real mails: commands that must be found, and
// posts that only look like commands, which must go to people.
func TestRealMails(t *testing.T) {
	dir := real.Corpus(t, "commands")
	table, err := os.ReadFile(filepath.Join(dir, "expected.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	commands, found, posts, mistaken := 0, 0, 0, 0
	for i, row := range strings.Split(strings.TrimSpace(string(table)), "\n") {
		f := strings.Split(row, "\t")
		if i == 0 || len(f) < 3 {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, "mails", f[0]))
		if err != nil {
			t.Fatal(err)
		}
		got := commandIn(raw, f[2])
		switch {
		case f[1] == "none":
			posts++
			if got != "none" {
				mistaken++
				t.Errorf("%s is a post and was read as %s", f[0], got)
			}
		case got == f[1]:
			commands++
			found++
		default:
			commands++
			t.Logf("%s: %s was read as %s", f[0], f[1], got)
		}
	}
	t.Logf("score: %d of %d commands found, %d of %d posts mistaken", found, commands, mistaken, posts)
	if found*10 < commands*9 {
		t.Errorf("only %d of %d commands found, the aim is 90 %%", found, commands)
	}
}

func noSearch(context.Context, address.Address, *model.List, string, int) (Found, error) {
	return Found{}, nil
}

// FuzzPlan: whatever is written, reading it ends and stays within the limits.
func FuzzPlan(f *testing.F) {
	for _, s := range []string{"subscribe talk Ann", "// JOB\n// x ,\n", "a \\\n", "ok 0123456789abcdefghjkmnpqrs", "\"", "<>", "-", "? x", "help \xff", "set talk mail", "search ȺȺȺȺȺȺȺȺȺ in talk", "search talk\u3000x", "subscribe talk address=ȺȺȺȺȺȺȺȺ=", "leave talk address=Ⱥ="} {
		f.Add(s, s)
	}
	l := &model.List{ID: 1, Local: "talk", Domain: "lists.example.org"}
	f.Fuzz(func(t *testing.T, subject, body string) {
		raw := []byte("Subject: " + strings.ReplaceAll(subject, "\n", " ") + "\n\n" + body)
		for _, own := range []*model.List{l, nil} {
			j := &job{s: &Service{Deps: Deps{Store: noStore{l}, Search: noSearch}, table: verbs()}, ctx: context.Background(), lists: map[string]*model.List{},
				mail: Mail{Raw: raw, Header: message.ParseHeader(raw), List: own, Domain: l.Domain}}
			calls, unknown, _ := j.plan()
			if len(calls) > maxLines+1 || len(unknown) > maxErrors {
				t.Fatalf("%d calls, %d unknown", len(calls), len(unknown))
			}
			for _, c := range calls {
				switch c.cmd.name() { // what their arguments are read with
				case "SEArch":
					j.searched(c)
				case "SUBscribe":
					_, _, _, _ = readPerson(address.Address{}, c.args)
				}
				if s := j.echo(c.line, c.verb, ""); strings.ContainsAny(s, "\r\n\x00") || strings.Contains(s, "//") {
					t.Fatalf("%q", s)
				}
			}
		}
		readReply(body)
	})
}

func TestTable(t *testing.T) {
	seen := map[string]string{}
	for _, c := range verbs() {
		if !strings.HasSuffix(c.Doc, ".") || c.fits == nil || c.run == nil {
			t.Errorf("%s is not complete", c.name())
		}
		for _, n := range c.Names {
			verb := strings.ToUpper(n)
			if other, ok := seen[verb]; ok {
				t.Errorf("%s belongs to %s and %s", verb, other, c.name())
			}
			seen[verb] = c.name()
		}
	}
	for _, c := range verbs() { // no abbreviation hides another verb
		for verb, owner := range seen {
			if full, ok := c.match(verb); ok && owner != c.name() && full != verb {
				t.Errorf("%s of %s is taken by %s", verb, owner, c.name())
			}
		}
	}
}

func TestSentence(t *testing.T) {
	for text, want := range map[string]string{"": "", "no": "No.", " ärger mit ? ": "Ärger mit ?", "\"x\" is no date: y": "\"x\" is no date: y.", "日本": "日本."} {
		if got := sentence(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
