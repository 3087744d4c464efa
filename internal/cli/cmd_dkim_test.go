package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"plenary/internal/fault"
)

func TestDKIMFlags(t *testing.T) {
	var root struct {
		Dkim dkimCmd `cmd:""`
	}
	parser, err := kong.New(&root)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"rotate example.org --ed25519", "ls", "ls example.org --json", "activate example.org --selector s --force",
		"rm example.org s --yes", "create example.org --selector s --ed25519 --after 48h --json"} {
		if _, err := parser.Parse(append([]string{"dkim"}, strings.Fields(line)...)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if r := root.Dkim.Create; r.Domain != "example.org" || r.Selector != "s" || !r.Ed25519 || r.After != 48*time.Hour || !r.JSON {
		t.Errorf("%+v", r)
	}
}

// dkimRun runs one verb on the database in dir and gives what it printed.
func dkimRun(t *testing.T, dir string, verb interface{ Run(e *env) error }) (string, error) {
	t.Helper()
	var out bytes.Buffer
	e := &env{ctx: t.Context(), out: bufio.NewWriter(&out), err: &out, environ: []string{"PLENARY_DATA_DIR=" + dir,
		"PLENARY_SMTP_LISTEN=", "PLENARY_IMAP_LISTEN=", "PLENARY_HTTP_LISTEN="}}
	err := verb.Run(e)
	_ = e.out.Flush()
	if e.opened != nil {
		if err := e.opened.Close(); err != nil {
			t.Error(err)
		}
	}
	return out.String(), err
}

func TestDKIMVerbs(t *testing.T) {
	dir := t.TempDir()
	must := func(verb interface{ Run(e *env) error }) string {
		t.Helper()
		out, err := dkimRun(t, dir, verb)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	const domain = "lists.example.org"
	out := must(&dkimCreateCmd{dkimRequest{Domain: domain, Selector: "s1", Ed25519: true}})
	if !strings.Contains(out, "s1._domainkey.lists.example.org. IN TXT (\n  \"v=DKIM1; k=rsa; p=") ||
		!strings.Contains(out, "s1e._domainkey.lists.example.org. IN TXT (\n  \"v=DKIM1; k=ed25519; p=") ||
		!strings.HasSuffix(out, "Then: plenary dkim activate lists.example.org\n") {
		t.Error(out)
	}
	strs := regexp.MustCompile(`"[^"]*"`).FindAllString(out, -1)
	if len(strs) != 3 {
		t.Errorf("%d strings", len(strs))
	}
	for _, s := range strs {
		if len(s) > 257 {
			t.Errorf("a string of %d octets", len(s)-2)
		}
	}
	if _, err := dkimRun(t, dir, &dkimCreateCmd{dkimRequest{Domain: domain}}); !fault.Is(err, fault.Conflict) {
		t.Error(err)
	}
	if out := must(&dkimActivateCmd{Domain: domain, Force: true}); strings.Count(out, " signs; ") != 2 {
		t.Error(out)
	}
	out = must(&dkimRotateCmd{dkimRequest{Domain: domain, Selector: "s2", After: time.Hour, JSON: true}})
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		var row dkimRow
		if err := json.Unmarshal([]byte(line), &row); err != nil || row.State != "waiting" || row.Active == nil || !strings.HasPrefix(row.Record, "v=DKIM1") {
			t.Errorf("%s: %v", line, err)
		}
	}
	if out := must(&dkimActivateCmd{Domain: domain, Selector: "s2", Force: true}); !strings.Contains(out, "then plenary dkim rm lists.example.org s1\n") {
		t.Error(out)
	}
	if out := must(&dkimLsCmd{Domain: domain}); !regexp.MustCompile(`s1 +rsa +replaced`).MatchString(out) ||
		!regexp.MustCompile(`s2e +ed25519 +waiting`).MatchString(out) || strings.Count(out, "IN TXT") != 4 {
		t.Error(out)
	}
	if out := must(&dkimLsCmd{JSON: true}); strings.Count(out, "\n") != 4 || strings.Contains(strings.ToLower(out), "private") {
		t.Error(out)
	}
	if _, err := dkimRun(t, dir, &dkimRmCmd{Domain: domain, Selector: "s2"}); !fault.Is(err, fault.Conflict) {
		t.Error(err)
	}
	for selector, want := range map[string]string{"s1": "keep the DNS record until", "s2": "keep the DNS record until", "s2e": "not needed"} {
		if out := must(&dkimRmCmd{Domain: domain, Selector: selector, Yes: true}); !strings.Contains(out, want) {
			t.Errorf("%s: %s", selector, out)
		}
	}
	if out := must(&dkimLsCmd{}); strings.Count(out, "\n") != 2 {
		t.Error(out)
	}
}
