// Package real finds the real programs and data that tests work with.
//
// Where a program is absent a test says so in one line and is skipped; with
// PLENARY_TEST_REAL=required, as in CI, it fails instead. The corpora beside the
// checkout are never required.
package real

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Required reports whether an absent real program is a failure.
func Required() bool { return os.Getenv("PLENARY_TEST_REAL") == "required" }

// Missing ends the test: skipped, or failed when real programs are required.
func Missing(t testing.TB, what string, err error) {
	t.Helper()
	if Required() {
		t.Fatalf("%s is required and not here: %v", what, err)
	}
	t.Skipf("skipped: %s is not here (%v)", what, err)
}

// Program finds a program in PATH or in Debian's system folders.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/lib/postfix/sbin", "/usr/lib/dovecot"} {
			if p := filepath.Join(dir, name); executable(p) {
				return p
			}
		}
		Missing(t, name, err)
	}
	return path
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// Root is the folder of the checkout.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above this folder")
		}
		dir = up
	}
}

// Corpus is a path below ../shared/corpora; the test is skipped where it is
// absent.
func Corpus(t testing.TB, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{filepath.Dir(Root(t)), "shared", "corpora"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: the corpus %s is not here", filepath.Join(elem...))
	}
	return path
}
