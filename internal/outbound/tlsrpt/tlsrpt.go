// Package tlsrpt writes the daily reports on TLS that domains ask for who take
// our mail (RFC 8460): how many connections were as their policy wants them, and
// what was wrong with the others.
//
// It is pure: Destinations reads a domain's record, New makes a report of what
// was counted, Gzip and Message give its two forms. Looking up, sending and
// remembering is app's.
package tlsrpt

import (
	"net/url"
	"slices"
	"strings"
)

// Where a report is looked for and how much of a record is believed.
const (
	// Prefix and the policy domain are the name of the TXT record (RFC 8460 3).
	Prefix          = "_smtp._tls."
	maxRecord       = 4096 // octets
	maxDestinations = 4    // of one domain; a stranger's record must not make us write to many
	version         = "v=TLSRPTv1"
)

// Destinations reads the TXT records at Prefix and a domain and gives where its
// reports go: mailto: and https: URIs. None means that it wants none.
func Destinations(records []string) []string {
	// RFC 8460 3: what does not begin so is something else, and several records
	// count as none.
	records = slices.DeleteFunc(slices.Clone(records), func(r string) bool {
		rest, ok := strings.CutPrefix(r, version)
		return !ok || !strings.HasPrefix(strings.TrimLeft(rest, " \t"), ";")
	})
	if len(records) != 1 || len(records[0]) > maxRecord {
		return nil
	}
	var out []string
	for _, field := range strings.Split(records[0], ";")[1:] {
		name, value, _ := strings.Cut(field, "=")
		if strings.Trim(name, " \t") != "rua" {
			continue // extensions
		}
		for _, text := range strings.Split(value, ",") {
			text = strings.Trim(text, " \t")
			if u, err := url.Parse(text); err == nil && fits(u) && len(out) < maxDestinations && !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
		break
	}
	return out
}

// fits reports whether a report can go there.
func fits(u *url.URL) bool {
	switch u.Scheme {
	case "mailto":
		return MailAddress(u.String()) != ""
	case "https":
		return u.Hostname() != "" && u.User == nil
	}
	return false
}

// MailAddress gives the address of a mailto: URI, empty for any other. Header
// fields in it are not obeyed (RFC 6068 4 lets us choose).
func MailAddress(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "mailto" {
		return ""
	}
	a, err := url.PathUnescape(u.Opaque)
	if err != nil || strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("<>,;\"", r) }) || strings.Count(a, "@") != 1 {
		return ""
	}
	return a
}
