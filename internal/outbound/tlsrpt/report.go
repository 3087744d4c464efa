package tlsrpt

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"plenary/internal/model"
)

// maxDetails is how many kinds of failures a report lists, the most frequent;
// the sums count all.
const maxDetails = 1000

// Report is one day of one policy domain (RFC 8460 4.4).
type Report struct {
	Organization string   `json:"organization-name"`
	Dates        Range    `json:"date-range"`
	Contact      string   `json:"contact-info"`
	ID           string   `json:"report-id"`
	Policies     []Policy `json:"policies"`

	domain, submitter string
}

// Range is the day.
type Range struct {
	Start time.Time `json:"start-datetime"`
	End   time.Time `json:"end-datetime"`
}

// Policy is what connections were held against, and how they fared.
type Policy struct {
	Policy   PolicyText `json:"policy"`
	Summary  Summary    `json:"summary"`
	Failures []Failure  `json:"failure-details,omitempty"`
}

// PolicyText is the policy itself.
type PolicyText struct {
	Type    string   `json:"policy-type"` // sts, tlsa, no-policy-found
	Text    []string `json:"policy-string,omitempty"`
	Domain  string   `json:"policy-domain"`
	MXHosts []string `json:"mx-host,omitempty"` // patterns of an sts policy
}

// Summary counts connections.
type Summary struct {
	Good int64 `json:"total-successful-session-count"`
	Bad  int64 `json:"total-failure-session-count"`
}

// Failure is how often the same went wrong.
type Failure struct {
	Result   string `json:"result-type"`
	Sender   string `json:"sending-mta-ip,omitempty"`
	MXHost   string `json:"receiving-mx-hostname,omitempty"`
	IP       string `json:"receiving-ip,omitempty"`
	Sessions int64  `json:"failed-session-count"`
}

// Origin is who reports.
type Origin struct {
	Host    string // our name in EHLO
	Contact string // an address of ours
	// Sender gives our own address towards another one; nil, or an empty answer:
	// it is left out.
	Sender func(ip string) string
	// Policy gives the text of a policy, and of an sts policy its MX patterns;
	// nil: none is known.
	Policy func(kind string, hosts []string) (text, patterns []string)
}

// New makes the report of a day (2006-01-02, UTC) for a policy domain of what
// was counted. The same day and domain always have the same ID.
func New(o Origin, day time.Time, domain string, counts []model.TLSCount) *Report {
	day = day.UTC().Truncate(24 * time.Hour)
	sum := sha256.Sum256([]byte(day.Format(time.DateOnly) + " " + domain + " " + o.Host))
	r := &Report{
		Organization: o.Host, Contact: o.Contact, ID: fmt.Sprintf("%s.%x@%s", day.Format(time.DateOnly), sum[:8], o.Host),
		Dates: Range{day, day.Add(24*time.Hour - time.Second)}, domain: domain, submitter: o.Host,
	}
	by := map[string]*Policy{}
	hosts := map[string][]string{}
	var kinds []string
	for _, c := range counts {
		p := by[c.Policy]
		if p == nil {
			p = &Policy{Policy: PolicyText{Type: c.Policy, Domain: domain}}
			by[c.Policy] = p
			kinds = append(kinds, c.Policy)
		}
		if c.MXHost != "" && !slices.Contains(hosts[c.Policy], c.MXHost) {
			hosts[c.Policy] = append(hosts[c.Policy], c.MXHost)
		}
		if c.Result == "" {
			p.Summary.Good += c.Sessions
			continue
		}
		p.Summary.Bad += c.Sessions
		f := Failure{Result: c.Result, MXHost: c.MXHost, IP: c.IP, Sessions: c.Sessions}
		if o.Sender != nil && c.IP != "" {
			f.Sender = o.Sender(c.IP)
		}
		p.Failures = append(p.Failures, f)
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		p := by[k]
		if o.Policy != nil {
			p.Policy.Text, p.Policy.MXHosts = o.Policy(k, hosts[k])
		}
		slices.SortStableFunc(p.Failures, func(a, b Failure) int { return cmp.Compare(b.Sessions, a.Sessions) })
		p.Failures = p.Failures[:min(len(p.Failures), maxDetails)]
		r.Policies = append(r.Policies, *p)
	}
	return r
}

// Gzip is the report as application/tlsrpt+gzip (RFC 8460 6.4).
func (r *Report) Gzip() ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if err := json.NewEncoder(z).Encode(r); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// file is the name of RFC 8460 5.1.
func (r *Report) file() string {
	return fmt.Sprintf("%s!%s!%d!%d.json.gz", r.submitter, r.domain, r.Dates.Start.Unix(), r.Dates.End.Unix())
}
