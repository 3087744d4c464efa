package intake

import "testing"

// TestTable holds the table of address forms to its promises.
func TestTable(t *testing.T) {
	type key struct {
		word          string
		prefix, token bool
	}
	seen := map[key]bool{}
	for _, f := range forms() {
		if len(f.doc) < 10 || len(f.words) == 0 || f.role == RolePost {
			t.Errorf("%+v is incomplete", f)
		}
		for _, w := range f.words {
			if k := (key{w, f.prefix, f.token}); seen[k] {
				t.Errorf("%q is there twice", w)
			} else {
				seen[k] = true
			}
			for _, sep := range []string{"-", "+"} {
				local := "some-list" + sep + w
				if f.prefix {
					local = w + sep + "some-list"
				}
				if f.token {
					local += "+k3f9"
				}
				if !reads(local, reading{f.role, "some-list", map[bool]string{true: "k3f9"}[f.token]}) {
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
	f.Fuzz(func(t *testing.T, local string) {
		for _, r := range readings(local) {
			if r.base == "" || len(r.base)+len(r.token) >= len(local) {
				t.Errorf("%q is read as %+v", local, r)
			}
		}
	})
}
