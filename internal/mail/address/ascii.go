package address

import (
	"strings"

	"golang.org/x/net/idna"
)

// MaxFunction is how long what follows a list's name may be in those addresses of its
// functions that letters and pages name; a token is no part of it. Longer ones, for
// people who come from other list servers, are understood where they fit.
const MaxFunction = len("-unsubscribe")

// ASCIIName writes the name of one of our own mailboxes in ASCII, in punycode as
// a domain label would be (RFC 3492): the form in which a server or a person
// without SMTPUTF8 (RFC 6531) can write to it. The receiving site alone says what
// a local part means, and ours reads both forms; an address of somebody else must
// never be written so. A name that would become too long stays as it is.
func ASCIIName(local string) string {
	if isASCII(local) {
		return local
	}
	ascii, err := idna.Punycode.ToASCII(local)
	if err != nil || len(ascii)+MaxFunction > maxLocal || UnicodeName(ascii) != local {
		return local
	}
	return ascii
}

// UnicodeName reads what ASCIIName wrote; other names stay as they are.
func UnicodeName(local string) string {
	if !strings.Contains(local, "xn--") {
		return local
	}
	name, err := idna.Punycode.ToUnicode(local)
	if err != nil || name == "" || strings.ContainsFunc(name, forbidden) {
		return local
	}
	return name
}

// Compatible is the address of one of our own mailboxes with its name in ASCII.
func (a Address) Compatible() Address { return Address{ASCIIName(a.Local), a.Domain} }
