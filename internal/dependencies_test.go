package internal

import (
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"
	"testing"
)

// TestModulesAreListed: docs/dependencies.md names each module of go.mod with its
// version and licence, so that a new one is seen in review.
func TestModulesAreListed(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	var want, have []string
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) (v\S+)`).FindAllStringSubmatch(string(mod), -1) {
		want = append(want, m[1]+" "+m[2])
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\S+)` \\| (v\\S+) \\| (\\S[^|]*) \\|").FindAllStringSubmatch(string(doc), -1) {
		have = append(have, m[1]+" "+m[2])
		if strings.Contains(m[3], "GPL") {
			t.Errorf("%s is under %s", m[1], m[3])
		}
	}
	sort.Strings(want)
	sort.Strings(have)
	if a, b := fmt.Sprint(want), fmt.Sprint(have); a != b {
		t.Errorf("go.mod and docs/dependencies.md differ:\n%s\n%s", a, b)
	}
	if strings.Contains(string(mod), "\nreplace ") {
		t.Error("go.mod has a replace: go install could not build the program")
	}
}
