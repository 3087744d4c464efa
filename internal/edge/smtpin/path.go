package smtpin

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The mistakes a path can hold; the texts go out with a 501.
var (
	errPathSyntax  = errors.New("the address is not of the form <local-part@domain>")
	errPathDomain  = errors.New("the address needs a domain after the @")
	errPathLong    = errors.New("the address is too long")
	errPathControl = errors.New("the address holds control characters or is not valid UTF-8")
)

// parsePath reads a reverse-path or forward-path (RFC 5321 4.1.2, with the
// UTF-8 of RFC 6531 3.3) from the start of s and gives the address in one
// canonical form and what follows it. Missing angle brackets and a source
// route (RFC 5321 4.1.1.3: accept and ignore) are tolerated. The null path is
// the empty address; a bare local part comes with errPathDomain, for the caller
// who knows postmaster.
//
// The local part is quoted again when it must be, so that nothing behind the
// door mistakes a part of it for a parameter or for a second address.
func parsePath(s string) (mailbox, rest string, err error) {
	s = strings.TrimLeft(s, " ")
	s, bracket := strings.CutPrefix(s, "<")
	if bracket && strings.HasPrefix(s, ">") {
		return "", s[1:], nil
	}
	if strings.HasPrefix(s, "@") {
		_, after, found := strings.Cut(s, ":")
		if !found {
			return "", "", errPathSyntax
		}
		s = after
	}
	local, s, err := parseLocal(s)
	if err != nil {
		return "", "", err
	}
	domain, s, err := parseDomain(s)
	if err != nil {
		return "", "", err
	}
	if bracket {
		if s, bracket = strings.CutPrefix(s, ">"); !bracket {
			return "", "", errPathSyntax
		}
	}
	if s != "" && s[0] != ' ' {
		return "", "", errPathSyntax
	}
	if domain == "" {
		return local, s, errPathDomain
	}
	return local + "@" + domain, s, nil
}

// parseLocal reads a local part and gives it as it must be written.
func parseLocal(s string) (local, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		local, rest, err = parseQuoted(s[1:])
	} else {
		end := strings.IndexAny(s, "@> ")
		if end < 0 {
			end = len(s)
		}
		local, rest = s[:end], s[end:]
		if !isAtom(local) {
			err = errPathSyntax
		}
	}
	switch {
	case err != nil:
		return "", "", err
	case local == "": // legal as "" in quotes, and used by nobody
		return "", "", errPathSyntax
	case len(local) > maxLocalPart:
		return "", "", errPathLong
	case !isClean(local):
		return "", "", errPathControl
	case isAtom(local):
		return local, rest, nil
	}
	return quote(local), rest, nil
}

// parseQuoted reads up to the closing quote and gives what the quotes mean.
func parseQuoted(s string) (meaning, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			if i++; i == len(s) {
				return "", "", errPathSyntax
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", errPathSyntax
}

// parseDomain reads "@domain"; without the "@" there is none.
func parseDomain(s string) (domain, rest string, err error) {
	s, found := strings.CutPrefix(s, "@")
	if !found {
		return "", s, nil
	}
	end := strings.IndexAny(s, "> ")
	if end < 0 {
		end = len(s)
	}
	domain, rest = s[:end], s[end:]
	if inner, literal := strings.CutPrefix(domain, "["); literal {
		if inner, literal = strings.CutSuffix(inner, "]"); !literal || strings.Trim(inner, addressLiteral) != "" || inner == "" {
			return "", "", errPathSyntax
		}
		return domain, rest, nil
	}
	domain = strings.TrimSuffix(domain, ".")
	switch {
	case domain == "":
		return "", "", errPathDomain
	case len(domain) > maxDomain:
		return "", "", errPathLong
	case !isClean(domain):
		return "", "", errPathControl
	case strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") || strings.ContainsFunc(domain, notInDomain):
		return "", "", errPathSyntax
	}
	return domain, rest, nil
}

// addressLiteral is what stands between the brackets of RFC 5321 4.1.3.
const addressLiteral = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:-"

// notInDomain leaves underscores in: real hosts have them.
func notInDomain(r rune) bool {
	return r < utf8.RuneSelf && r != '-' && r != '.' && r != '_' &&
		(r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// isAtom reports whether local may stand without quotes. Dots may stand
// anywhere: addresses like a..b@example.org exist and are written unquoted.
func isAtom(local string) bool {
	return local != "" && !strings.ContainsFunc(local, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`()<>[]:;\,"@`, r)
	})
}

// isClean reports whether s is valid UTF-8 without control characters and
// without the separators that some programs take for line ends.
func isClean(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	})
}

func quote(local string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(local); i++ {
		if local[i] == '"' || local[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(local[i])
	}
	b.WriteByte('"')
	return b.String()
}
