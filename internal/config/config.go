// Package config reads the configuration: built-in defaults, then one TOML
// file, then environment variables PLENARY_<SECTION>_<KEY>.
//
// One struct is the truth: its tags give each key its default and its
// documentation, `plenary config` prints them and docs/config.md is generated
// from them. An unknown key in the file, an unknown PLENARY_ variable or a value
// that makes no sense is an error that names it: a misspelt key must not be a
// silent default.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"plenary/internal/fault"
)

// Config is everything that can be configured outside the database.
type Config struct {
	DataDir  string   `toml:"data_dir" default:"/var/lib/plenary" doc:"Folder of the SQLite database and other local state."`
	Hostname string   `toml:"hostname" default:"" doc:"Name in greetings, EHLO and Message-IDs; the machine's name when empty."`
	Database Database `toml:"database"`
	SMTP     SMTP     `toml:"smtp"`
	LMTP     LMTP     `toml:"lmtp"`
	IMAP     IMAP     `toml:"imap"`
	HTTP     HTTP     `toml:"http"`
	TLS      TLS      `toml:"tls"`
	Outbound Outbound `toml:"outbound"`
	Log      Log      `toml:"log"`

	defaultURL string // see DefaultBaseURL
}

// Database says where everything is kept.
type Database struct {
	DSN string `toml:"dsn" default:"" doc:"sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME; plenary.db in data_dir when empty."`
}

// SMTP is the door for incoming mail.
type SMTP struct {
	Listen           string        `toml:"listen" default:"127.0.0.1:2525" doc:"Address of the SMTP door; off when empty. :25 where the MX records name this machine and no other mail server is in front; outbound.relay must then be another machine's."`
	SubmissionListen string        `toml:"submission_listen" default:"" doc:"Address of the submission door (587, AUTH required); off when empty."`
	MaxMessageBytes  int64         `toml:"max_message_bytes" default:"26214400" doc:"Largest message in octets, announced as SIZE."`
	MaxRecipients    int           `toml:"max_recipients" default:"200" doc:"Recipients a transaction, at least 100 (RFC 5321 4.5.3.1.8)."`
	MaxConnections   int           `toml:"max_connections" default:"500" doc:"Connections at once."`
	MaxPerIP         int           `toml:"max_per_ip" default:"50" doc:"Connections at once from one network address."`
	Timeout          time.Duration `toml:"timeout" default:"5m" doc:"Longest silence of a peer (RFC 5321 4.5.3.2)."`
	Postmaster       string        `toml:"postmaster" default:"" doc:"Where mail to postmaster@ and abuse@ of the list domains goes; the owners of the domain's lists when empty."`
}

// LMTP is the door for mail handed over by another mail server.
type LMTP struct {
	Listen string `toml:"listen" default:"" doc:"Address of the LMTP door, host:port or unix:PATH; off when empty."`
}

// IMAP is the door of the archive.
type IMAP struct {
	Listen         string `toml:"listen" default:":143" doc:"Address of the IMAP door (STARTTLS); off when empty."`
	TLSListen      string `toml:"tls_listen" default:"" doc:"Address of the IMAP door with TLS from the first octet (993); off when empty."`
	MaxConnections int    `toml:"max_connections" default:"5000" doc:"Connections at once."`
	MaxPerIP       int    `toml:"max_per_ip" default:"100" doc:"Connections at once from one network address."`
}

// HTTP is the door of the pages, one-click unsubscribing, health and metrics.
type HTTP struct {
	Listen        string `toml:"listen" default:":8080" doc:"Address of the HTTP door; off when empty."`
	BaseURL       string `toml:"base_url" default:"" doc:"How readers reach the HTTP door, e.g. https://lists.example.org; stands in List-Unsubscribe and Archived-At of every copy, so set it. When empty: https:// and the hostname key, or without that key http://localhost and the port of http.listen (no links at all when that is off). Verbs beside a service use the service's."`
	MetricsListen string `toml:"metrics_listen" default:"" doc:"Own address for /metrics and /healthz; when empty they are on the HTTP door, /metrics for loopback peers only."`
}

// TLS is the certificate of the SMTP, LMTP and IMAP doors.
type TLS struct {
	CertFile string `toml:"cert_file" default:"" doc:"PEM certificate chain; STARTTLS is offered when set."`
	KeyFile  string `toml:"key_file" default:"" doc:"PEM private key."`
}

// Outbound is the way out.
type Outbound struct {
	Mode              string        `toml:"mode" default:"relay" doc:"relay: hand everything to a smarthost. direct: send to the mail hosts of each recipient's domain. catch: keep it in the built-in catcher and send nothing."`
	Relay             string        `toml:"relay" default:"127.0.0.1:25" doc:"host:port of the smarthost; never a door of Plenary itself. Several, with commas, as in a.example:25 weight=3, b.example:25 share the copies by weight, and one that is down gets none; weight=0: only while no other can be used."`
	RelayTLS          string        `toml:"relay_tls" default:"opportunistic" doc:"none, opportunistic (STARTTLS when offered; when it does not work and no password is set, in clear), required (STARTTLS or nothing), implicit (TLS from the first octet)."`
	RelayUsername     string        `toml:"relay_username" default:"" doc:"User for AUTH at the smarthost; no AUTH when empty."`
	RelayPassword     string        `toml:"relay_password" default:"" doc:"Its password." secret:"yes"`
	Connections       int           `toml:"connections" default:"10" doc:"Connections to the smarthost at once."`
	DirectConnections int           `toml:"direct_connections" default:"200" doc:"direct: connections to all mail hosts together at once."`
	Providers         string        `toml:"providers" default:"" doc:"direct: TOML file of limits by provider, read after the built-in one (plenary queue limits prints it)."`
	Resolver          string        `toml:"resolver" default:"" doc:"direct: host:port of the name server to ask, several with commas; the system's when empty. One on this machine is believed to validate DNSSEC, which DANE needs."`
	IP                string        `toml:"ip" default:"both" doc:"direct: both, 4 or 6: which addresses of mail hosts are used; with both IPv4 comes first."`
	MXPort            string        `toml:"mx_port" default:"25" doc:"direct: the port of mail hosts."`
	MXPrivate         string        `toml:"mx_private" default:"no" doc:"direct: yes lets mail hosts have private and loopback addresses, for networks of one's own and tests."`
	TLSReports        string        `toml:"tls_reports" default:"" doc:"direct: an address of yours, as contact and sender of the daily reports on TLS (RFC 8460) to domains that ask for them; its domain needs a DKIM key (plenary dkim). No reports when empty."`
	Lease             time.Duration `toml:"lease" default:"2m" doc:"With several nodes: how long one may be silent before the others take over what it was sending."`
	FoldAfter         time.Duration `toml:"fold_after" default:"168h" doc:"How long after its end a distribution's delivery records stay rows; then they are packed into a few octets each, and plenary trace reads them as before."`
	NewsletterTries   time.Duration `toml:"newsletter_tries" default:"48h" doc:"How long newsletters are tried again after temporary failures; posts are for 4 days."`
	HoldOlder         time.Duration `toml:"hold_older" default:"48h" doc:"After a start, unsent mail older than this waits for plenary queue resume: a restored backup sends nothing by itself."`
}

// Log is what the program says.
type Log struct {
	Level  string `toml:"level" default:"info" doc:"debug, info, warn or error."`
	Format string `toml:"format" default:"text" doc:"text or json."`
}

// Key is one configuration key for the reference.
type Key struct {
	Name, Env, Default, Doc, Type string
	Secret                        bool
}

// Keys lists every key in the order of the struct.
func Keys() []Key {
	var keys []Key
	c := Default()
	walk(reflect.ValueOf(c).Elem(), "", func(name string, f reflect.StructField, v reflect.Value) {
		keys = append(keys, Key{Name: name, Env: envName(name), Default: f.Tag.Get("default"), Doc: f.Tag.Get("doc"),
			Type: typeName(v), Secret: f.Tag.Get("secret") != ""})
	})
	return keys
}

func typeName(v reflect.Value) string {
	switch v.Interface().(type) {
	case time.Duration:
		return "duration"
	case string:
		return "string"
	}
	return "number"
}

func envName(key string) string {
	return "PLENARY_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// DefaultBaseURL stands for an http.base_url that is not set. It follows from
// the file and the environment alone: the same on every machine, whatever its
// name. Empty: the HTTP door is off, and copies carry no links.
func (c *Config) DefaultBaseURL() string { return c.defaultURL }

// defaultURL makes it of the configured hostname, or of the door's address.
func defaultURL(hostname, listen string) string {
	if hostname != "" {
		return "https://" + hostname
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// walk visits every leaf of a configuration struct; sections are one level deep.
func walk(v reflect.Value, prefix string, visit func(name string, f reflect.StructField, v reflect.Value)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		name := f.Tag.Get("toml")
		if prefix != "" {
			name = prefix + "." + name
		}
		if f.Type.Kind() == reflect.Struct {
			walk(v.Field(i), name, visit)
			continue
		}
		visit(name, f, v.Field(i))
	}
}

// Default gives the built-in configuration.
func Default() *Config {
	c := &Config{}
	walk(reflect.ValueOf(c).Elem(), "", func(name string, f reflect.StructField, v reflect.Value) {
		if err := set(v, f.Tag.Get("default")); err != nil {
			panic("config: default of " + name + ": " + err.Error()) // a defect in this file, found by its test
		}
	})
	return c
}

func set(v reflect.Value, text string) error {
	if _, ok := v.Interface().(time.Duration); ok {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return fmt.Errorf("%q is no duration such as 5m or 48h", text)
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is no whole number", text)
		}
		v.SetInt(n)
	default:
		return errors.New("unsupported type")
	}
	return nil
}

// Load reads the file (none when empty) and the environment over the defaults,
// and checks the result.
func Load(file string, environ []string) (*Config, error) {
	c := Default()
	if file != "" {
		if err := c.readFile(file); err != nil {
			return nil, err
		}
	}
	if err := c.readEnv(environ); err != nil {
		return nil, err
	}
	return c, c.finish()
}

func (c *Config) readFile(file string) error {
	form := fileForm{Config: c, Outbound: outboundForm{Outbound: &c.Outbound}}
	md, err := toml.DecodeFile(file, &form)
	if err != nil {
		return fault.New(fault.Invalid, "cannot read the configuration file %s: %v", file, err)
	}
	if port := form.Outbound.MXPort; port != nil {
		c.Outbound.MXPort = string(*port)
	}
	var unknown []string
	for _, k := range md.Undecoded() {
		unknown = append(unknown, k.String())
	}
	if len(unknown) > 0 {
		return fault.New(fault.Invalid, "%s: unknown key %s; plenary config lists all keys", file, strings.Join(unknown, ", "))
	}
	return nil
}

// fileForm is Config as a file may write it: a port as a number, too.
type fileForm struct {
	*Config
	Outbound outboundForm `toml:"outbound"`
}

type outboundForm struct {
	*Outbound
	MXPort *text `toml:"mx_port"`
}

// text is any single value as it is written.
type text string

// UnmarshalText implements encoding.TextUnmarshaler, which gets numbers as well.
func (t *text) UnmarshalText(b []byte) error { *t = text(b); return nil }

// Variables with our prefix that are not configuration.
var otherEnv = map[string]bool{"PLENARY_CONFIG": true, "PLENARY_URL": true} //nolint:gochecknoglobals // a constant set

func (c *Config) readEnv(environ []string) error {
	given := map[string]string{}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "PLENARY_") && !strings.HasPrefix(name, "PLENARY_TEST_") && !otherEnv[name] {
			given[name] = value
		}
	}
	var bad error
	walk(reflect.ValueOf(c).Elem(), "", func(name string, _ reflect.StructField, v reflect.Value) {
		value, ok := given[envName(name)]
		if !ok {
			return
		}
		delete(given, envName(name))
		if err := set(v, value); err != nil && bad == nil {
			bad = fault.New(fault.Invalid, "%s: %v", envName(name), err)
		}
	})
	if bad != nil {
		return bad
	}
	if len(given) > 0 {
		var names []string
		for n := range given {
			names = append(names, n)
		}
		sort.Strings(names)
		return fault.New(fault.Invalid, "unknown variable %s; plenary config lists all keys", strings.Join(names, ", "))
	}
	return nil
}

// finish fills in what depends on other keys and checks what can be checked
// without touching the world.
func (c *Config) finish() error {
	c.defaultURL = defaultURL(c.Hostname, c.HTTP.Listen)
	if c.Hostname == "" {
		c.Hostname, _ = os.Hostname()
	}
	if c.Hostname == "" {
		c.Hostname = "localhost"
	}
	c.Hostname = strings.TrimSuffix(c.Hostname, ".")
	if c.Database.DSN == "" {
		c.Database.DSN = "sqlite:" + filepath.Join(c.DataDir, "plenary.db")
	}
	c.HTTP.BaseURL = strings.TrimRight(c.HTTP.BaseURL, "/")
	for _, check := range []struct {
		bad  bool
		text string
	}{
		{!oneOf(c.Outbound.Mode, "relay", "direct", "catch"), "outbound.mode must be relay, direct or catch"},
		{!hostName(c.Hostname), "hostname must be a name such as lists.example.org, in ASCII (xn--...)"},
		{c.SMTP.MaxRecipients < 100, "smtp.max_recipients must be at least 100"},
		{c.SMTP.MaxMessageBytes < 64<<10, "smtp.max_message_bytes must be at least 65536"},
		{c.SMTP.MaxConnections < 1, "smtp.max_connections must be at least 1"},
		{c.SMTP.MaxPerIP < 1, "smtp.max_per_ip must be at least 1"},
		{c.SMTP.Timeout < time.Second, "smtp.timeout must be at least 1s; RFC 5321 asks for 5m"},
		{c.IMAP.MaxConnections < 1, "imap.max_connections must be at least 1"},
		{c.IMAP.MaxPerIP < 1, "imap.max_per_ip must be at least 1"},
		{c.Outbound.Connections < 1, "outbound.connections must be at least 1"},
		{c.Outbound.Lease < 5*time.Second, "outbound.lease must be at least 5s"},
		{c.Outbound.HoldOlder <= 0, "outbound.hold_older must be above 0; 8760h is a year"},
		{c.Outbound.NewsletterTries <= 0, "outbound.newsletter_tries must be above 0"},
		{c.Outbound.FoldAfter < 0, "outbound.fold_after must not be below 0"},
		{c.Outbound.DirectConnections < 1, "outbound.direct_connections must be at least 1"},
		{!oneOf(c.Outbound.IP, "both", "4", "6"), "outbound.ip must be both, 4 or 6"},
		{!oneOf(c.Outbound.MXPrivate, "yes", "no"), "outbound.mx_private must be yes or no"},
		{c.Outbound.Mode == "direct" && !hostPort("mx:"+c.Outbound.MXPort), "outbound.mx_port must be a port"},
		{!hostPorts(c.Outbound.Resolvers()), "outbound.resolver must be host:port, several with commas"},
		{(c.TLS.CertFile == "") != (c.TLS.KeyFile == ""), "tls.cert_file and tls.key_file go together"},
		{c.IMAP.TLSListen != "" && c.TLS.CertFile == "", "imap.tls_listen needs tls.cert_file"},
		{!Loopback(c.SMTP.SubmissionListen) && c.TLS.CertFile == "", "smtp.submission_listen needs tls.cert_file: passwords are taken over TLS only, but from this machine"},
		{!oneOf(c.Outbound.RelayTLS, "none", "opportunistic", "required", "implicit"), "outbound.relay_tls must be none, opportunistic, required or implicit"},
		{!oneOf(c.Log.Level, "debug", "info", "warn", "error"), "log.level must be debug, info, warn or error"},
		{!oneOf(c.Log.Format, "text", "json"), "log.format must be text or json"},
		{c.HTTP.BaseURL != "" && !webAddress(c.HTTP.BaseURL), "http.base_url must begin with http:// or https:// and a host, and hold no ? or #"},
		{!listens(c.SMTP.Listen), "smtp.listen" + noListener},
		{!listens(c.SMTP.SubmissionListen), "smtp.submission_listen" + noListener},
		{!strings.HasPrefix(c.LMTP.Listen, "unix:/") && !listens(c.LMTP.Listen), "lmtp.listen" + noListener + ", or unix:/PATH"},
		{!listens(c.IMAP.Listen), "imap.listen" + noListener},
		{!listens(c.IMAP.TLSListen), "imap.tls_listen" + noListener},
		{!listens(c.HTTP.Listen), "http.listen" + noListener},
		{!listens(c.HTTP.MetricsListen), "http.metrics_listen" + noListener},
		{c.Outbound.Mode == "relay" && relaysWrong(c.Outbound.Relay), "outbound.relay must be host:port (names in ASCII, xn--...), several with commas, each once, with weight=NUMBER if wanted, and not all 0"},
	} {
		if check.bad {
			return fault.New(fault.Invalid, "%s", check.text)
		}
	}
	return nil
}

func oneOf(s string, words ...string) bool {
	for _, w := range words {
		if s == w {
			return true
		}
	}
	return false
}

// hostName tells what may stand in greetings and Message-IDs. Machines have names
// with underscores.
func hostName(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_') {
			return false
		}
	}
	return len(s) <= 253 && !strings.HasPrefix(s, ".") && !strings.Contains(s, "..") // RFC 1035 2.3.4
}

// hostPort tells what can be connected to: a name in ASCII, or an address.
func hostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return false
	}
	n, err := net.LookupPort("tcp", port)
	_, notIP := netip.ParseAddr(host)
	return err == nil && n > 0 && (notIP == nil || hostName(host) && !strings.HasPrefix(host, "-"))
}

const noListener = " must be host:port, or :port for all addresses of this machine"

// listens tells what can be listened on, or that a door is off.
func listens(s string) bool {
	if s == "" || strings.HasPrefix(s, "unix:/") {
		return true
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	_, err = net.LookupPort("tcp", port)
	return err == nil
}

// Loopback tells that only this machine reaches what listens there, or nobody.
func Loopback(listen string) bool {
	if listen == "" || strings.HasPrefix(listen, "unix:/") {
		return true
	}
	host, _, err := net.SplitHostPort(listen)
	ip, notIP := netip.ParseAddr(host)
	return err == nil && (host == "localhost" || notIP == nil && ip.Unmap().IsLoopback())
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !strings.ContainsAny(s, "?# ")
}
