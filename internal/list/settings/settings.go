// Package settings knows every option of a list: its keyword, what it means, and
// how it is written as text.
//
// table.go is the one table behind the command line, the web form, REST,
// settings by mail, imports and docs/settings.md (written by the package's test
// with -update, and compared by it). A setting's text is what a person types: yes
// and no, words, sizes with a unit. Set refuses what makes no sense with a
// sentence that says what would; it changes nothing then.
//
// That much is pure. Create, Change and Remove are how lists are made, changed and
// removed, whatever the door: each leaves its line of the trace, with who did it,
// in the same transaction.
package settings

import (
	"slices"
	"strings"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// Kind is how a setting is written.
type Kind string

// The kinds.
const (
	Line   Kind = "line"   // one line of text
	Text   Kind = "text"   // text of several lines
	Flag   Kind = "yes/no" // yes or no
	Number Kind = "number" // a whole number
	Size   Kind = "size"   // octets, or with K, M or G (thousands)
	Choice Kind = "choice" // one of Choices
)

// Setting is one option of a list.
type Setting struct {
	Key     string   // keyword, lower case with hyphens; never changes once released
	Doc     string   // one or two sentences for people who run lists
	Kind    Kind     // how the value is written
	Choices []string // the words of a Choice
	Risky   bool     // a mistake can flood, expose or silence a list: ask again

	get func(*model.List) string
	set func(*model.List, string) error
}

// Get gives the setting's value on a list as text that Set takes.
func (s *Setting) Get(l *model.List) string { return s.get(l) }

// Set changes the setting on a list, or answers Invalid and changes nothing.
func (s *Setting) Set(l *model.List, value string) error {
	value = strings.TrimSpace(value)
	if err := s.set(l, value); err != nil {
		return fault.New(fault.Invalid, "%s cannot be %s: %s", s.Key, quote(value), fault.Text(err))
	}
	return nil
}

// Table gives all settings in the order people see them.
func Table() []Setting { return table() }

// Find finds a setting by its keyword, in any case, with - or _; NotFound when
// there is none.
func Find(key string) (*Setting, error) {
	want := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(key)), "_", "-")
	all := table()
	for i := range all {
		if all[i].Key == want {
			return &all[i], nil
		}
	}
	return nil, fault.New(fault.NotFound, "there is no setting %s; docs/settings.md and \"plenary list show\" name all", quote(key))
}

// Set changes one setting of a list. An unknown keyword is NotFound, a value that
// makes no sense Invalid; the list is unchanged then.
func Set(l *model.List, key, value string) error {
	s, err := Find(key)
	if err != nil {
		return err
	}
	return s.Set(l, value)
}

// Get gives one setting of a list as text, or NotFound.
func Get(l *model.List, key string) (string, error) {
	s, err := Find(key)
	if err != nil {
		return "", err
	}
	return s.Get(l), nil
}

// The defaults every kind shares.
const (
	defaultHoldSize      = 2_000_000
	defaultMaxSize       = 10_000_000
	defaultMaxRecipients = 20
	defaultHeldDays      = 7
)

// maxLocal is how long a list's local part may be, so that the addresses of its
// functions still fit the 64 octets of RFC 5321 4.5.3.1.1.
const maxLocal = 64 - address.MaxFunction

// New makes a list of this kind with the defaults of the kind. local and domain
// are those of the posting address, lower case, A-labels; CheckAddress tells
// whether they will do.
func New(kind model.ListKind, local, domain string) *model.List {
	l := &model.List{
		Local: strings.ToLower(local), Domain: strings.ToLower(domain), Kind: kind, Language: "en", Advertised: true,
		JoinPolicy: model.JoinConfirm, ArchiveAccess: model.AccessMembers, ReplyTo: model.ReplyToAuthor,
		SubscriberAction: model.Accept, NonsubscriberAction: model.Hold,
		HoldSize: defaultHoldSize, MaxSize: defaultMaxSize, MaxRecipients: defaultMaxRecipients,
		RequireDestination: true, Administrivia: true, HeldDays: defaultHeldDays,
	}
	if kind != model.Discussion {
		// What is not from an editor is refused by a rule of its own; an outsider
		// need not wait for an answer that is known.
		l.NonsubscriberAction = model.Reject
		l.HoldSize = 0 // the editors know what they send
	}
	return l
}

// CheckAddress tells whether a list may have this address; the error is Invalid
// with a sentence for people.
func CheckAddress(local, domain string) error {
	a, err := address.Parse(address.Address{Local: local, Domain: domain}.String())
	if err != nil {
		return err
	}
	switch {
	case a.Key() != local+"@"+domain:
		return fault.New(fault.Invalid, "a list's address is written in lower case")
	case len(local) > maxLocal:
		return fault.New(fault.Invalid, "the name of a list may have %d letters at most", maxLocal)
	case strings.Contains(local, "xn--"):
		return fault.New(fault.Invalid, "xn-- begins the ASCII form of names in other scripts; write the name as people read it")
	case strings.HasPrefix(local, "."), strings.HasSuffix(local, "."), strings.Contains(local, ".."): // RFC 5322 3.2.3: no dot-atom
		return fault.New(fault.Invalid, "the name of a list may not begin or end with a dot, nor hold two in a row")
	case strings.ContainsFunc(local, notInName):
		return fault.New(fault.Invalid, "the name of a list may hold letters, digits, dots, hyphens, underscores and apostrophes")
	}
	for _, server := range model.Servers() {
		if local == server || slices.Contains(bases(local), server) {
			return fault.New(fault.Invalid, "%s is the server's own address", local)
		}
	}
	for _, taken := range []string{"listmaster", "postmaster", "abuse", "mailer-daemon", "bounces"} {
		if local == taken {
			return fault.New(fault.Invalid, "%s is the server's own address", local)
		}
	}
	return nil
}

// notInName tells what the name of a list must not hold. RFC 5322 3.2.3 allows
// more in a local part, but +, = and % mean something in other addresses, * and
// % are wildcards of IMAP's LIST, & and / have a meaning in its mailbox names, and
// the rest ends up in shells and URLs.
func notInName(r rune) bool {
	return r < 0x80 && !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_'", r))
}
