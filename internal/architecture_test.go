// Package internal holds no code of its own: its test is the plan of the
// house, read from the source itself so that a violation cannot hide in a cache.
package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// plan says which packages of the project each package may import. A trailing
// slash names a folder. Nothing is inherited; arrows only point down.
var plan = map[string][]string{
	"cmd/plenary":        {"internal/cli"},
	"migrations":         {},
	"templates":          {},
	"internal/fault":     {},
	"internal/token":     {},
	"internal/config":    {"internal/fault"},
	"internal/metrics":   {},
	"internal/schedule":  {},
	"internal/render":    {"templates"},
	"internal/model":     {},
	"internal/mail/":     {"internal/mail/", "internal/fault"},
	"internal/store":     {"internal/model", "internal/fault", "migrations", "internal/mail/"},
	"internal/auth":      {"internal/model", "internal/fault", "internal/token", "internal/mail/"},
	"internal/outbound/": {"internal/outbound/", "internal/model", "internal/fault", "internal/mail/", "internal/metrics", "internal/schedule"},

	"internal/list/settings":   ground("internal/model"),
	"internal/list/accept":     ground("internal/model"),
	"internal/list/compose":    ground("internal/model", "internal/outbound/queue"),
	"internal/list/archive":    ground("internal/model"),
	"internal/list/notify":     ground("internal/model", "templates", "internal/render"),
	"internal/list/posting":    ground("internal/model", "internal/outbound/queue", "internal/list/accept", "internal/list/compose", "internal/list/archive", "internal/list/notify"),
	"internal/list/membership": ground("internal/model", "internal/list/notify"),
	"internal/list/moderation": ground("internal/model", "internal/list/posting", "internal/list/membership", "internal/list/notify"),
	"internal/list/command":    ground("internal/model", "internal/list/moderation", "internal/list/membership", "internal/list/settings", "internal/list/notify"),
	"internal/list/keys":       ground("internal/model"),
	"internal/list/bounce":     ground("internal/model", "internal/list/membership"),
	"internal/list/intake":     ground("internal/model", "internal/list/command", "internal/list/posting", "internal/list/bounce", "internal/list/notify"),
	"internal/list/transfer":   ground("internal/model", "internal/list/archive", "internal/list/membership", "internal/list/settings"),

	"internal/edge/smtpin": ground("internal/list/intake", "internal/model"),
	"internal/edge/imapd":  ground("internal/list/archive", "internal/auth", "internal/model"),
	"internal/edge/web":    ground("internal/list/", "internal/auth", "internal/model", "internal/render", "templates"),
	"internal/edge/rest":   ground("internal/list/", "internal/auth", "internal/model"),

	"internal/sample":     {},
	"internal/sample/gen": {},

	"internal/app": ground("internal/edge/", "internal/list/", "internal/outbound/", "internal/store", "internal/auth", "internal/model",
		"internal/schedule", "internal/render", "templates", "internal/sample"),
	"internal/cli": ground("internal/app", "internal/list/", "internal/model", "internal/store", "internal/sample", "internal/auth"),

	"internal/testkit/": {"internal/", "migrations", "templates"}, // rigs of tests may know everything
}

// ground adds what every service and door may stand on.
func ground(more ...string) []string {
	return append([]string{"internal/mail/", "internal/fault", "internal/token", "internal/config", "internal/metrics"}, more...)
}

// libraries names, for each library that must not spread, who may touch it.
var libraries = map[string][]string{
	"gorm.io/":                    {"internal/store"},
	"modernc.org/sqlite":          {"internal/store"},
	"github.com/jackc/":           {"internal/store", "internal/testkit/"},
	"github.com/pressly/goose":    {"internal/store"},
	"github.com/emersion/go-smtp": {"internal/edge/smtpin", "internal/outbound/smtpout", "internal/testkit/"},
	"github.com/emersion/go-imap": {"internal/edge/imapd", "internal/testkit/"},
	"github.com/jhillyerd/enmime": {"internal/mail/message"},
	"github.com/alecthomas/kong":  {"internal/cli"},
	"github.com/BurntSushi/toml":  {"internal/config"},
	"github.com/prometheus/":      {"internal/metrics"},
	"net/http":                    {"internal/edge/web", "internal/edge/rest", "internal/auth", "internal/app", "internal/metrics", "internal/testkit/"},
	"database/sql":                {"internal/store"},
	"html/template":               {"internal/render", "internal/edge/web"},
}

// Limits of section 8 of the design.
const (
	maxFile   = 500
	maxFunc   = 100
	maxParams = 5
)

// oversize lists what is allowed to be larger, each with its reason. It may
// only shrink.
var oversize = map[string]string{}

type source struct {
	dir, name string // dir relative to the checkout
	file      *ast.File
	set       *token.FileSet
	lines     int
}

// sources parses every Go file of the project.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	root := ".."
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != root && (strings.HasPrefix(n, ".") || n == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, p, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		rel = filepath.ToSlash(rel)
		all = append(all, source{path.Dir(rel), path.Base(rel), f, set, strings.Count(string(text), "\n")})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d files found", len(all))
	}
	return all
}

func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

func ignored(f *ast.File) bool {
	for _, g := range f.Comments {
		if g.Pos() > f.Package {
			break
		}
		if strings.Contains(g.Text(), "ignore") && strings.HasPrefix(strings.TrimSpace(g.List[0].Text), "//go:build ignore") {
			return true
		}
	}
	return false
}

func matches(p, pattern string) bool {
	if strings.HasSuffix(pattern, "/") {
		return strings.HasPrefix(p, pattern) || p == strings.TrimSuffix(pattern, "/")
	}
	return p == pattern
}

func allowed(p string, patterns []string) bool {
	for _, a := range patterns {
		if matches(p, a) {
			return true
		}
	}
	return false
}

func rule(dir string) (string, []string, bool) {
	if r, ok := plan[dir]; ok {
		return dir, r, true
	}
	for key, r := range plan {
		if strings.HasSuffix(key, "/") && matches(dir, key) {
			return key, r, true
		}
	}
	return "", nil, false
}

func TestPlanOfImports(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || ignored(s.file) || s.dir == "internal" {
			continue
		}
		key, may, ok := rule(s.dir)
		if !ok {
			t.Errorf("%s is not in the plan", s.dir)
			continue
		}
		for _, im := range s.file.Imports {
			p := strings.Trim(im.Path.Value, `"`)
			if own, ok := strings.CutPrefix(p, "plenary/"); ok && !allowed(own, may) && own != s.dir {
				t.Errorf("%s/%s imports %s; %s may not", s.dir, s.name, own, key)
			}
			for lib, users := range libraries {
				if (p == lib || strings.HasPrefix(p, lib)) && (p == lib || lib != "net/http" && lib != "database/sql") && !allowed(s.dir, users) {
					t.Errorf("%s/%s imports %s, which belongs to %s", s.dir, s.name, p, strings.Join(users, ", "))
				}
			}
		}
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	docs := map[string][]string{}
	dirs := map[string]bool{}
	for _, s := range sources(t) {
		if s.isTest() || ignored(s.file) {
			continue
		}
		dirs[s.dir] = true
		if s.file.Doc != nil && len(s.file.Doc.Text()) > 40 {
			docs[s.dir] = append(docs[s.dir], s.name)
		}
	}
	for dir := range dirs {
		if n := len(docs[dir]); n != 1 {
			t.Errorf("%s has %d package comments, wants one: %v", dir, n, docs[dir])
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || s.file.Name.Name == "main" || ignored(s.file) {
			continue
		}
		for _, d := range s.file.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s/%s: %s has no comment", s.dir, s.name, name)
			}
		}
	}
}

func undocumented(d ast.Decl) []string {
	var names []string
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		if d.Doc != nil || d.Tok == token.IMPORT {
			return nil
		}
		for _, spec := range d.Specs {
			switch sp := spec.(type) {
			case *ast.TypeSpec:
				if sp.Name.IsExported() && sp.Doc == nil {
					names = append(names, sp.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range sp.Names {
					if n.IsExported() && sp.Doc == nil && sp.Comment == nil {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if idx, ok := typ.(*ast.IndexExpr); ok {
		typ = idx.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

func TestSizes(t *testing.T) {
	used := map[string]bool{}
	report := func(what string, n, limit int) {
		if n <= limit {
			return
		}
		used[what] = true
		if oversize[what] == "" {
			t.Errorf("%s: %d, the limit is %d", what, n, limit)
		}
	}
	for _, s := range sources(t) {
		if ignored(s.file) {
			continue
		}
		file := s.dir + "/" + s.name
		if !s.isTest() {
			report(file, s.lines, maxFile)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1
			if !s.isTest() {
				report(file+":"+f.Name.Name, n, maxFunc)
				report(file+":"+f.Name.Name+":parameters", f.Type.Params.NumFields(), maxParams)
			}
		}
	}
	var stale []string
	for what := range oversize {
		if !used[what] {
			stale = append(stale, what)
		}
	}
	sort.Strings(stale)
	if len(stale) > 0 {
		t.Errorf("no longer too large, take them off the list: %v", stale)
	}
}

func TestNoRegistrationByInit(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s/%s has an init function", s.dir, s.name)
			}
		}
		for _, banned := range []string{"util", "utils", "common", "helper", "helpers", "misc"} {
			if path.Base(s.dir) == banned {
				t.Errorf("a package may not be called %s", banned)
			}
		}
	}
}
