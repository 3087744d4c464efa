package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

var update = flag.Bool("update", false, "write the generated reference")

func TestLoad(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "plenary.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name, file string
		env        []string
		wrong      string
		check      func(*Config) bool
	}{
		{name: "defaults", check: func(c *Config) bool { return c.Database.DSN == "sqlite:/var/lib/plenary/plenary.db" }},
		{name: "file", file: "data_dir = '/x'\n[smtp]\nlisten = ':2525'", check: func(c *Config) bool { return c.SMTP.Listen == ":2525" && c.DataDir == "/x" }},
		{name: "a port as a number", file: "[outbound]\nmode = 'direct'\nmx_port = 41025\nip = '4'", check: func(c *Config) bool {
			return c.Outbound.MXPort == "41025" && c.Outbound.Mode == "direct" && c.Outbound.IP == "4" && c.Outbound.Connections == 10
		}},
		{name: "a port as text", file: "[outbound]\nmx_port = '41025'", check: func(c *Config) bool { return c.Outbound.MXPort == "41025" }},
		{name: "no port in the file", file: "[outbound]\nip = '4'", check: func(c *Config) bool { return c.Outbound.MXPort == "25" }},
		{name: "a port that is none", file: "[outbound]\nmode = 'direct'\nmx_port = 410250", wrong: "outbound.mx_port must be a port"},
		{name: "a port of no kind", file: "[outbound]\nmode = 'direct'\nmx_port = [25]", wrong: "mx_port"},
		{name: "unknown key beside a port", file: "[outbound]\nmx_prot = 25", wrong: "outbound.mx_prot"},
		{name: "env wins", file: "[smtp]\nlisten = ':1'", env: []string{"PLENARY_SMTP_LISTEN=:2"}, check: func(c *Config) bool { return c.SMTP.Listen == ":2" }},
		{name: "test variables are ignored", env: []string{"PLENARY_TEST_REAL=required"}, check: func(*Config) bool { return true }},
		{name: "unknown key", file: "[smtp]\nlistne = ':1'", wrong: "smtp.listne"},
		{name: "unknown variable", env: []string{"PLENARY_SMTP_LISTNE=:1"}, wrong: "PLENARY_SMTP_LISTNE"},
		{name: "bad number", env: []string{"PLENARY_SMTP_MAX_RECIPIENTS=many"}, wrong: "whole number"},
		{name: "bad duration", env: []string{"PLENARY_SMTP_TIMEOUT=5"}, wrong: "duration"},
		{name: "less than no time", file: "[smtp]\ntimeout = '-1s'", wrong: "smtp.timeout must be at least 1s"},
		{name: "no SMTP connections", file: "[smtp]\nmax_connections = -1", wrong: "smtp.max_connections must be at least 1"},
		{name: "no SMTP connection for anybody", env: []string{"PLENARY_SMTP_MAX_PER_IP=0"}, wrong: "smtp.max_per_ip must be at least 1"},
		{name: "no IMAP connections", file: "[imap]\nmax_connections = -3", wrong: "imap.max_connections must be at least 1"},
		{name: "no IMAP connection for anybody", file: "[imap]\nmax_per_ip = -1", wrong: "imap.max_per_ip must be at least 1"},
		{name: "a host name with a line end", env: []string{"PLENARY_HOSTNAME=a\r\nX-Injected: b"}, wrong: "hostname must be"},
		{name: "a host name of megabytes", env: []string{"PLENARY_HOSTNAME=" + strings.Repeat("a", 5<<20)}, wrong: "hostname must be"},
		{name: "a host name in another script", env: []string{"PLENARY_HOSTNAME=bücher.example"}, wrong: "xn--"},
		{name: "bad mode", env: []string{"PLENARY_OUTBOUND_MODE=pigeon"}, wrong: "outbound.mode"},
		{name: "half a certificate", env: []string{"PLENARY_TLS_CERT_FILE=a"}, wrong: "go together"},
		{name: "bad relay", env: []string{"PLENARY_OUTBOUND_RELAY=host"}, wrong: "outbound.relay"},
		{name: "nothing is too old", env: []string{"PLENARY_OUTBOUND_HOLD_OLDER=0s"}, wrong: "outbound.hold_older must be above 0"},
		{name: "a relay twice", env: []string{"PLENARY_OUTBOUND_RELAY=a.example:25, a.example:25"}, wrong: "each once"},
		{name: "a relay that is no name", env: []string{"PLENARY_OUTBOUND_RELAY=a..example:25"}, wrong: "outbound.relay"},
		{name: "a relay in another script", env: []string{"PLENARY_OUTBOUND_RELAY=bücher.example:25"}, wrong: "xn--"},
		{name: "a relay at port 0", env: []string{"PLENARY_OUTBOUND_RELAY=a.example:0"}, wrong: "outbound.relay"},
		{name: "relays by address", env: []string{"PLENARY_OUTBOUND_RELAY=[::1]:25 weight=2, 192.0.2.1:smtp, mail_1.example:25 weight=0"}, check: func(c *Config) bool { r, err := c.Outbound.Relays(); return err == nil && len(r) == 3 }},
		{name: "base URL as set", env: []string{"PLENARY_HTTP_BASE_URL=https://x.example/", "PLENARY_HOSTNAME=y.example"}, check: func(c *Config) bool { return c.HTTP.BaseURL == "https://x.example" }},
		{name: "base URL of the hostname", env: []string{"PLENARY_HOSTNAME=y.example"}, check: func(c *Config) bool { return c.HTTP.BaseURL == "" && c.DefaultBaseURL() == "https://y.example" }},
		{name: "base URL of the door", check: func(c *Config) bool { return c.DefaultBaseURL() == "http://localhost:8080" }},
		{name: "base URL of a door with an address", env: []string{"PLENARY_HTTP_LISTEN=[::1]:81"}, check: func(c *Config) bool { return c.DefaultBaseURL() == "http://[::1]:81" }},
		{name: "base URL without a door", env: []string{"PLENARY_HTTP_LISTEN="}, check: func(c *Config) bool { return c.DefaultBaseURL() == "" }},
		{name: "bad base URL", env: []string{"PLENARY_HTTP_BASE_URL=lists.example.org"}, wrong: "http.base_url must begin with"},
		{name: "base URL with a query", env: []string{"PLENARY_HTTP_BASE_URL=https://lists.example.org/?x"}, wrong: "hold no ? or #"},
		{name: "base URL without a host", env: []string{"PLENARY_HTTP_BASE_URL=https:///x"}, wrong: "and a host"},
		{name: "a port alone", env: []string{"PLENARY_SMTP_LISTEN=2525"}, wrong: "smtp.listen must be host:port, or :port"},
		{name: "no port", env: []string{"PLENARY_IMAP_LISTEN=127.0.0.1:99999"}, wrong: "imap.listen must be"},
		{name: "a socket", env: []string{"PLENARY_LMTP_LISTEN=unix:/run/lmtp"}, check: func(c *Config) bool { return c.LMTP.Listen == "unix:/run/lmtp" }},
		{name: "a socket without unix:", env: []string{"PLENARY_LMTP_LISTEN=/run/lmtp"}, wrong: "unix:/PATH"},
		{name: "broken file", file: "[smtp", wrong: "cannot read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := ""
			if c.file != "" {
				path = file(c.file)
			}
			got, err := Load(path, c.env)
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Fatalf("error %v does not name %q", err, c.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !c.check(got) {
				t.Errorf("wrong: %+v", got)
			}
		})
	}
}

func TestSampleIsAFileThatLoads(t *testing.T) {
	c := &Config{}
	md, err := toml.Decode(Sample(), c)
	if err != nil || len(md.Undecoded()) > 0 {
		t.Fatal(err, md.Undecoded())
	}
	for _, k := range Keys() {
		if k.Doc == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: the doc is missing or no sentence: %q", k.Name, k.Doc)
		}
	}
}

// TestHandbookExampleLoads: what people copy from the handbook is a file that
// loads.
func TestHandbookExampleLoads(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```toml\n")
	example, _, found := strings.Cut(rest, "```")
	path := filepath.Join(t.TempDir(), "plenary.toml")
	if err := os.WriteFile(path, []byte(example), 0o600); err != nil || !found {
		t.Fatal(err, found)
	}
	c, err := Load(path, nil)
	if err != nil || c.HTTP.BaseURL == "" || c.LMTP.Listen == "" || c.Outbound.Relay == "" {
		t.Errorf("%v\n%+v", err, c)
	}
}

func TestHandbookIsGenerated(t *testing.T) {
	const path = "../../docs/config.md"
	if *update {
		if err := os.WriteFile(path, []byte(Handbook()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != Handbook() {
		t.Errorf("docs/config.md is not what the program says; run go test ./internal/config -update (%v)", err)
	}
}
