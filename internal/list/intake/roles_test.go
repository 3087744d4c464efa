package intake

import (
	"slices"
	"strings"
	"testing"

	"plenary/internal/model"
)

// TestTable holds the table of address forms to its promises.
func TestTable(t *testing.T) {
	type key struct {
		word                       string
		prefix, token, dot, person bool
	}
	seen := map[key]bool{}
	for _, f := range forms() {
		if len(f.doc) < 10 || len(f.words) == 0 || f.role == RolePost {
			t.Errorf("%+v is incomplete", f)
		}
		for _, w := range f.words {
			if k := (key{w, f.prefix, f.token, f.dot, f.person}); seen[k] {
				t.Errorf("%q is there twice", w)
			} else {
				seen[k] = true
			}
			if !f.prefix && !f.token && !f.dot && !f.person && !slices.Contains(model.Functions(), w) {
				t.Errorf("model.Functions does not have %q: a list could take the address", w)
			}
			for _, sep := range []string{"-", "+"} {
				local := "some-list" + sep + w
				if f.prefix {
					local = w + sep + "some-list"
				}
				token := ""
				switch {
				case f.token:
					local, token = local+"+k3f9", "k3f9"
				case f.dot:
					local, token = local+".k3f9", "k3f9"
				case f.person:
					local, token = local+"-ann.lee=example.net", "ann.lee@example.net"
				}
				if !reads(local, reading{f.role, "some-list", token, strings.ReplaceAll(f.line, "%s", token)}) {
					t.Errorf("%s is not read as %s", local, f.role)
				}
			}
		}
	}
}

func reads(local string, want reading) bool {
	for _, r := range readings(local) {
		if r == want {
			return true
		}
	}
	return false
}

func FuzzReadings(f *testing.F) {
	f.Add("talk-confirm+k3f9")
	f.Add("owner-talk+bounces-x")
	f.Add("talk-subscribe-ann=bücher.example")
	f.Add("talk-sc.k3f9")
	f.Fuzz(func(t *testing.T, local string) {
		for _, r := range readings(local) {
			if r.base == "" || len(r.base) >= len(local) || r.line == "" && len(r.base)+len(r.token) >= len(local) {
				t.Errorf("%q is read as %+v", local, r)
			}
		}
	})
}
