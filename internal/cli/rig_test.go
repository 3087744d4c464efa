package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"plenary/internal/app"
	"plenary/internal/list/intake"
	"plenary/internal/testkit"
)

// rig runs command lines in this process, as Main does.
type rig struct {
	t       *testing.T
	dir     string
	environ []string
	ran     map[string]bool // command lines that worked, by their words
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	return &rig{t: t, dir: dir, environ: testkit.Env(dir), ran: map[string]bool{}}
}

func (r *rig) run(stdin string, args ...string) (out, errs string, code int) {
	r.t.Helper()
	var o, e bytes.Buffer
	v := &env{ctx: r.t.Context(), in: strings.NewReader(stdin), out: bufio.NewWriter(&o), err: &e, environ: r.environ}
	code = v.run(args)
	harmless(r.t, args, o.String()+e.String())
	return o.String(), e.String(), code
}

// harmless checks that nothing printed drives a terminal.
func harmless(t *testing.T, args []string, text string) {
	t.Helper()
	if args[0] == "export" || strings.Contains(strings.Join(args, " "), "--raw") {
		return
	}
	if i := strings.IndexFunc(text, drives); i >= 0 {
		t.Errorf("%v prints what drives a terminal: %q", args, text[max(0, i-20):min(len(text), i+20)])
	}
}

// ok runs what must work, and work silently on standard error.
func (r *rig) ok(args ...string) string {
	r.t.Helper()
	out, errs, code := r.run("", args...)
	if code != exitOK || errs != "" {
		r.t.Fatalf("plenary %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	r.ran[args[0]] = true
	if len(args) > 1 {
		r.ran[args[0]+" "+args[1]] = true
	}
	return out
}

// json runs what must work with --json and gives its lines.
func (r *rig) json(args ...string) []map[string]any {
	r.t.Helper()
	var all []map[string]any
	for line := range strings.Lines(r.ok(append(args, "--json")...)) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			r.t.Fatalf("plenary %s --json: %v in %q", strings.Join(args, " "), err, line)
		}
		all = append(all, v)
	}
	return all
}

// fails runs what must fail with this code and one line that contains want.
func (r *rig) fails(code int, want string, args ...string) {
	r.t.Helper()
	out, errs, got := r.run("", args...)
	if got != code || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "plenary: ") || !strings.Contains(errs, want) {
		r.t.Errorf("plenary %s: exit %d (wants %d with %q)\nout: %s\nerr: %s", strings.Join(args, " "), got, code, want, out, errs)
	}
}

// has checks that text contains all of want.
func (r *rig) has(text string, want ...string) {
	r.t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			r.t.Errorf("no %q in:\n%s", w, text)
		}
	}
}

// file writes a file beside the data and gives its path.
func (r *rig) file(name, text string) string {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// app opens the program on the rig's database until the test ends.
func (r *rig) app() *app.App {
	r.t.Helper()
	v := &env{ctx: r.t.Context(), environ: r.environ, err: &bytes.Buffer{}}
	a, err := v.app()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = a.Close() })
	return a
}

// receive hands a mail in as a door would.
func (r *rig) receive(from, to string, lines ...string) {
	r.t.Helper()
	a := r.app()
	for _, o := range a.Desk.Receive(r.t.Context(), intake.Incoming{ReversePath: from, Recipients: []string{to}, Raw: testkit.Mail(lines...)}) {
		if !o.Accepted {
			r.t.Fatalf("to %s: %s", o.Recipient, o.Text)
		}
	}
}

// held gives the number of the held post with this subject.
func (r *rig) held(subject string) string {
	r.t.Helper()
	for _, h := range r.json("held", "ls") {
		if h["subject"] == subject {
			return strconv.Itoa(int(h["id"].(float64)))
		}
	}
	r.t.Fatalf("no held post %q", subject)
	return ""
}
