package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"plenary/internal/testkit/real"
)

// grammar is the tree of the verbs; it may print help, but nothing exits.
func grammar(t *testing.T) *kong.Kong {
	t.Helper()
	p, err := kong.New(&table{}, kong.Name("plenary"), kong.Vars{"config": ""}, kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// verbs gives every command by its words: "list create".
func verbs(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, leaf := range grammar(t).Model.Leaves(false) {
		all = append(all, strings.TrimPrefix(strings.TrimPrefix(leaf.FullPath(), "plenary"), " "))
	}
	return all
}

func TestTableIsComplete(t *testing.T) {
	p := grammar(t)
	seen := map[string]bool{}
	for _, leaf := range p.Model.Leaves(false) {
		path := leaf.FullPath()
		if seen[path] {
			t.Errorf("%s is there twice", path)
		}
		seen[path] = true
		for node := leaf; node != nil && node.Type != kong.ApplicationNode; node = node.Parent {
			if !strings.HasSuffix(node.Help, ".") && !strings.Contains(node.Help, "KEY=VALUE") {
				t.Errorf("%s: the help is no sentence: %q", node.FullPath(), node.Help)
			}
		}
		for _, arg := range leaf.Positional {
			if arg.Help == "" {
				t.Errorf("%s: %s has no help", path, arg.Name)
			}
		}
		for _, flag := range leaf.Flags {
			if flag.Help == "" {
				t.Errorf("%s: --%s has no help", path, flag.Name)
			}
		}
	}
	if len(seen) < 25 {
		t.Errorf("only %d verbs", len(seen))
	}
}

// mention is `plenary ...` in running text, command a line of a code block.
var (
	mention = regexp.MustCompile("`plenary ([^`\n]+)`")
	command = regexp.MustCompile(`(?:^|\s|=|/)plenary ((?:--config|[a-z]+ ).*|serve|demo|version)$`)
	words   = regexp.MustCompile(`(?:[^\s"]|"[^"]*")+`)
)

// TestDocsNameRealVerbs reads the handbook as a person with a terminal would.
func TestDocsNameRealVerbs(t *testing.T) {
	root := real.Root(t)
	pages, _ := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	parsed := 0
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		inBlock := false
		for n, line := range strings.Split(string(text), "\n") {
			where := filepath.Base(page)
			switch {
			case strings.HasPrefix(line, "```"):
				inBlock = !inBlock
			case inBlock:
				line, _, _ = strings.Cut(line, "#")
				line, _, _ = strings.Cut(line, " > ")
				if m := command.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
					parsed++
					if _, err := grammar(t).Parse(split(m[1])); err != nil {
						t.Errorf("%s:%d: plenary %s: %v", where, n+1, m[1], err)
					}
				}
			case strings.Contains(line, "not yet"): // the table of what is planned
			default:
				for _, m := range mention.FindAllStringSubmatch(line, -1) {
					parsed++
					named(t, where, split(m[1]))
				}
			}
		}
	}
	if parsed < 20 {
		t.Errorf("only %d commands found", parsed)
	}
}

func split(line string) []string {
	var out []string
	for _, w := range words.FindAllString(line, -1) {
		out = append(out, strings.ReplaceAll(w, `"`, ""))
	}
	return out
}

// named checks that a mention names a verb, or the beginning of some.
func named(t *testing.T, where string, line []string) {
	t.Helper()
	node := grammar(t).Model.Node
	for _, word := range line {
		if len(node.Children) == 0 {
			return
		}
		var next *kong.Node
		for _, c := range node.Children {
			for _, w := range strings.Split(word, "|") {
				if c.Name == w {
					next = c
				}
			}
		}
		if next == nil {
			t.Errorf("%s: there is no plenary %s", where, strings.Join(line, " "))
			return
		}
		node = next
	}
}
