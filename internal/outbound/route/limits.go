package route

import (
	_ "embed" // the table of providers
	"fmt"
	"regexp"
	"strings"
	"time"

	"plenary/internal/fault"
)

//go:embed providers.toml
var providers string

// DefaultTable is the table of providers that is built in, as TOML with the
// format explained, also for printing to who wants to edit it.
func DefaultTable() string { return providers }

// Limits are what one provider of mailboxes bears.
type Limits struct {
	Name        string     `toml:"name"`        // "default": what others leave open
	MX          []string   `toml:"mx"`          // names of MX hosts, or endings that begin with a dot
	Domains     []string   `toml:"domains"`     // recipients' domains, for who has too many MX names
	PerSite     bool       `toml:"per_site"`    // the limits are each site's, not shared by all sites of the provider
	Share       bool       `toml:"share"`       // any host of the provider takes mail for any of its domains: one site
	Connections int        `toml:"connections"` // at once
	Opens       int        `toml:"opens"`       // new connections a minute
	Rate        float64    `toml:"rate"`        // letters a second
	Letters     int        `toml:"letters"`     // a connection
	Batch       int        `toml:"batch"`       // letters handed to a connection at a time
	TLS         string     `toml:"tls"`         // "opportunistic", or "required": a valid certificate or nothing
	Reactions   []Reaction `toml:"reaction"`    // looked at in order, the first that fits acts
}

// Reaction is what follows when a provider says something. Of the consequences
// several may be given; those but Suspend end after For.
type Reaction struct {
	Reply       string        `toml:"reply"`       // regular expression on "421 4.7.28 text"
	Times       int           `toml:"times"`       // acts when said so often within For; 1
	For         time.Duration `toml:"for"`         // how long limits are lowered
	Suspend     time.Duration `toml:"suspend"`     // nothing at all is sent so long
	Halve       bool          `toml:"halve"`       // half the connections that are allowed now
	Connections int           `toml:"connections"` // at once
	Rate        float64       `toml:"rate"`        // letters a second
	Opens       int           `toml:"opens"`       // new connections a minute

	re *regexp.Regexp
}

// Ranges of the table, against slips of the pen.
const (
	maxRows       = 1000
	maxReactions  = 50
	maxConnLimit  = 1000
	maxDuration   = 7 * 24 * time.Hour
	defaultRow    = "default"
	tlsRequired   = "required"
	tlsAnyway     = "opportunistic"
	maxExpression = 500 // octets
)

// Table finds the limits for a site. It does not change once it is made.
type Table struct {
	rows []*Limits // of a match the first; without the default
	def  *Limits
}

// ReadTable makes a table of texts in the form of DefaultTable, the first of which should be that one. Rows of later
// texts come before those of earlier ones, and replace those of the same name;
// what a row leaves open the row "default" says. decode reads TOML, strictly.
// The error is a fault of kind Invalid that says what to change.
func ReadTable(decode func(text string, into any) error, texts ...string) (*Table, error) {
	t := &Table{}
	for _, text := range texts {
		var file struct {
			Limit []*Limits `toml:"limit"`
		}
		if err := decode(text, &file); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "the table of providers cannot be read")
		}
		if err := t.add(file.Limit); err != nil {
			return nil, err
		}
	}
	if t.def == nil {
		return nil, fault.New(fault.Invalid, "the table of providers has no row %q", defaultRow)
	}
	t.def.PerSite = true // strangers have nothing in common
	for _, l := range append(append([]*Limits{}, t.rows...), t.def) {
		l.inherit(t.def)
		if err := l.check(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// add puts rows in front, without their namesakes.
func (t *Table) add(rows []*Limits) error {
	names := map[string]bool{}
	var front []*Limits
	for _, l := range rows {
		switch {
		case l.Name == "" || names[l.Name]:
			return fault.New(fault.Invalid, "each row of the table of providers needs a name of its own, not %q", l.Name)
		case l.Name == defaultRow:
			if t.def != nil {
				l.inherit(t.def)
			}
			t.def = l
		case len(l.MX)+len(l.Domains) == 0:
			return fault.New(fault.Invalid, "row %q of the table of providers says neither mx nor domains", l.Name)
		default:
			front = append(front, l)
		}
		names[l.Name] = true
	}
	for _, l := range t.rows {
		if !names[l.Name] {
			front = append(front, l)
		}
	}
	t.rows = front
	if len(front) > maxRows {
		return fault.New(fault.Invalid, "the table of providers has more than %d rows", maxRows)
	}
	return nil
}

func (l *Limits) inherit(d *Limits) {
	or(&l.Connections, d.Connections)
	or(&l.Opens, d.Opens)
	or(&l.Rate, d.Rate)
	or(&l.Letters, d.Letters)
	or(&l.Batch, d.Batch)
	or(&l.TLS, d.TLS)
	if len(l.Reactions) == 0 {
		l.Reactions = append([]Reaction{}, d.Reactions...)
	}
}

func or[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// check finds mistakes, and readies the row.
func (l *Limits) check() error {
	bad := func(what string) error {
		return fault.New(fault.Invalid, "row %q of the table of providers: %s", l.Name, what)
	}
	switch {
	case l.Connections < 1 || l.Connections > maxConnLimit:
		return bad(fmt.Sprintf("connections must be 1 to %d", maxConnLimit))
	case l.Opens < 1 || l.Letters < 1 || l.Batch < 1 || !(l.Rate > 0):
		return bad("opens, letters, batch and rate must be above 0")
	case l.TLS != tlsRequired && l.TLS != tlsAnyway:
		return bad(`tls must be "opportunistic" or "required"`)
	case len(l.Reactions) > maxReactions:
		return bad("too many reactions")
	}
	for _, list := range [][]string{l.MX, l.Domains} {
		for i, s := range list {
			if list[i] = plainName(s); strings.Trim(list[i], ".") == "" {
				return bad("a name is empty")
			}
		}
	}
	for i := range l.Reactions {
		if what := l.Reactions[i].check(); what != "" {
			return bad(fmt.Sprintf("reaction %d: %s", i+1, what))
		}
	}
	return nil
}

func (r *Reaction) check() string {
	re, err := regexp.Compile(r.Reply)
	lowers := r.Halve || r.Connections != 0 || r.Rate != 0 || r.Opens != 0
	switch {
	case err != nil:
		return fmt.Sprintf("reply is no regular expression: %v", err)
	case r.Reply == "" || len(r.Reply) > maxExpression:
		return fmt.Sprintf("reply must be a regular expression of at most %d octets", maxExpression)
	case r.Connections < 0 || r.Rate < 0 || r.Opens < 0 || r.Times < 0:
		return "a number is below 0"
	case r.For < 0 || r.Suspend < 0 || r.For > maxDuration || r.Suspend > maxDuration:
		return "a time is above 7 days or below 0"
	case !lowers && r.Suspend == 0:
		return "it says no consequence"
	case (lowers || r.Times > 1) && r.For == 0:
		return "it does not say for how long"
	}
	r.re = re
	return ""
}

// For finds the limits of a site by its best hosts and the recipient's domain.
func (t *Table) For(hosts []string, domain string) *Limits {
	for _, l := range t.rows {
		if l.matches(hosts, domain) {
			return l
		}
	}
	return t.def
}

// matches wants all of the best hosts to be the provider's: a site that is
// partly somebody else's is not the provider's.
func (l *Limits) matches(hosts []string, domain string) bool {
	for _, d := range l.Domains {
		if d == domain {
			return true
		}
	}
	for _, h := range hosts {
		if !l.hasHost(h) {
			return false
		}
	}
	return len(hosts) > 0
}

func (l *Limits) hasHost(host string) bool {
	for _, m := range l.MX {
		if host == m || strings.HasPrefix(m, ".") && strings.HasSuffix(host, m) {
			return true
		}
	}
	return false
}
