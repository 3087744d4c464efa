package accept

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/testkit/real"
)

func administrivia(l *model.List, raw []byte) bool {
	c := &Case{List: l, Raw: raw, Header: message.ParseHeader(raw), Structure: message.Scan(raw)}
	hit, _, _ := askAdministrivia(context.Background(), c)
	return hit
}

// TestCommandsToTheList: of real mail sent to lists by mistake nine of ten are
// caught, and no post that only looks like a command.
func TestCommandsToTheList(t *testing.T) {
	dir := real.Corpus(t, "commands")
	table, err := os.ReadFile(filepath.Join(dir, "expected.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	commands, caught := 0, 0
	for i, line := range strings.Split(strings.TrimSpace(string(table)), "\n") {
		f := strings.Split(line, "\t")
		if i == 0 || len(f) < 7 {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, "mails", f[0]))
		if err != nil {
			t.Fatal(err)
		}
		local := f[2]
		if local == "-" {
			local = f[0][:strings.LastIndexByte(f[0], '-')]
		}
		hit := administrivia(&model.List{Local: local, Domain: "example.org", Administrivia: true}, raw)
		switch {
		case f[1] == "none" && hit:
			t.Errorf("%s is a post and was taken for a command", f[0])
		case f[1] != "none":
			commands++
			if hit {
				caught++
			} else {
				t.Logf("%s was not caught (%s in %s)", f[0], f[1], f[3])
			}
		}
	}
	if caught*10 < commands*9 {
		t.Errorf("only %d of %d commands were caught", caught, commands)
	}
}

// TestNoArchivedPostIsACommand: in three real archives nothing is mistaken. A few
// true commands were posted there too: they say "unsubscribe" in their subject or
// in the first line, or nothing but "help" above a quoted digest.
func TestNoArchivedPostIsACommand(t *testing.T) {
	files := real.Archives(t)
	if testing.Short() {
		files = files[:1]
	}
	for _, file := range files {
		posts, hits := 0, 0
		local := strings.TrimSuffix(filepath.Base(file), ".mbox.gz")
		l := &model.List{Local: local, Domain: "example.org", Administrivia: true}
		for _, raw := range real.Mbox(t, file) {
			posts++
			if administrivia(l, raw) {
				hits++
				lines := append(ownLines(message.Read(raw).Body), "")
				words := strings.ToLower(message.ParseHeader(raw).Text("Subject") + " " + lines[0])
				if !strings.Contains(words, "subscribe") && !strings.EqualFold(lines[0], "help") {
					t.Errorf("%s: post %d was taken for a command", filepath.Base(file), posts)
				}
			}
		}
		t.Logf("%s: %d posts, %d commands", filepath.Base(file), posts, hits)
	}
}

// TestArchivedPostsHaveOneAuthor: the rules about fields that may stand once hit
// nothing in three real archives.
func TestArchivedPostsHaveOneAuthor(t *testing.T) {
	files := real.Archives(t)
	for _, file := range files {
		posts := 0
		for _, raw := range real.Mbox(t, file) {
			posts++
			c := &Case{Header: message.ParseHeader(raw)}
			for _, ask := range []question{askAuthors, askRepeated} {
				if hit, why, _ := ask(context.Background(), c); hit {
					t.Errorf("%s: post %d: %s", filepath.Base(file), posts, why)
				}
			}
		}
		if posts < 1000 {
			t.Errorf("%s: only %d posts", filepath.Base(file), posts)
		}
	}
}
