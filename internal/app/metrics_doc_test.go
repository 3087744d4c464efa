package app_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"plenary/internal/testkit"
)

var update = flag.Bool("update", false, "write docs/metrics.md")

// family is one metric as /metrics shows it.
type family struct {
	name, kind, help string
	labels           []string // "outcome: accepted, held"
}

// families reads the plenary_ part of the text format.
func families(text string) []*family {
	var all []*family
	by := map[string]*family{}
	values := map[string]map[string][]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		word := strings.SplitN(line, " ", 4)
		if len(word) == 4 && word[0] == "#" && strings.HasPrefix(word[2], "plenary_") {
			f := by[word[2]]
			if f == nil {
				f = &family{name: word[2]}
				by[word[2]], values[word[2]] = f, map[string][]string{}
				all = append(all, f)
			}
			if word[1] == "HELP" {
				f.help = word[3]
			} else {
				f.kind = word[3]
			}
			continue
		}
		name, rest, found := strings.Cut(line, "{")
		if f := by[name]; f != nil && found {
			for _, m := range regexp.MustCompile(`([a-z]+)="([^"]*)"`).FindAllStringSubmatch(rest, -1) {
				if !slices.Contains(values[name][m[1]], m[2]) {
					values[name][m[1]] = append(values[name][m[1]], m[2])
				}
			}
		}
	}
	for _, f := range all {
		for label, v := range values[f.name] {
			if label == "version" || label == "goversion" || label == "command" {
				f.labels = append(f.labels, "`"+label+"`")
				continue
			}
			slices.Sort(v)
			f.labels = append(f.labels, "`"+label+"`: "+strings.Join(v, ", "))
		}
		slices.Sort(f.labels)
	}
	return all
}

// TestMetricsAreDocumented: names and units as Prometheus wants them, and
// docs/metrics.md is what a running service shows.
func TestMetricsAreDocumented(t *testing.T) {
	p := testkit.Start(t)
	p.Send("ann@example.org", []string{"listserv@lists.example.org"}, testkit.Mail("From: ann@example.org", "To: listserv@lists.example.org", "Subject: ", "Message-ID: <h@example.org>", "", "help"))
	p.Metrics.Command("help") // whether or not there is a list for the mail above
	code, text := get(t, "http://"+p.At.HTTP+"/metrics")
	if code != http.StatusOK {
		t.Fatal(code)
	}
	var b strings.Builder
	b.WriteString("# Figures for Prometheus\n\nGenerated from a running service (`go test ./internal/app -run Metrics -update`). Beside these, `/metrics` has the\n" +
		"usual `go_` and `process_` figures. What the database cannot tell is NaN.\n\n| name | type | labels | meaning |\n|---|---|---|---|\n")
	all := families(text)
	for _, f := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.kind, strings.Join(f.labels, "; "), f.help)
		switch total := strings.HasSuffix(f.name, "_total"); {
		case total != (f.kind == "counter"):
			t.Errorf("%s is a %s: counters alone end in _total", f.name, f.kind)
		case !regexp.MustCompile(`^plenary(_[a-z]+)+$`).MatchString(f.name):
			t.Errorf("%s is no name of ours", f.name)
		case !strings.HasSuffix(f.help, ".") || len(f.help) < 15:
			t.Errorf("%s: its help is no sentence: %q", f.name, f.help)
		case strings.Contains(f.help, "Octets") != strings.HasSuffix(f.name, "_bytes"), strings.HasPrefix(f.help, "Age") != strings.HasSuffix(f.name, "_seconds"):
			t.Errorf("%s: the name does not end in its unit: %q", f.name, f.help)
		}
	}
	if len(all) < 10 {
		t.Errorf("only %d figures", len(all))
	}
	b.WriteString("\nWorth an alarm: `plenary_queue_oldest_age_seconds` above an hour, `plenary_disk_free_bytes` below what a week needs,\n" +
		"`rate(plenary_received_total{outcome=\"deferred\"}[5m])` above 0 (the database is away or full), and `/healthz` other than 200.\n")
	const path = "../../docs/metrics.md"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != b.String() {
		t.Errorf("docs/metrics.md is not what the service shows; run go test ./internal/app -run Metrics -update (%v)", err)
	}
}
