package imapd

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"plenary/internal/model"
)

// Flags are kept in lower case, because IMAP does not tell case apart (RFC 9051
// 2.3.2), and said as mail programs are used to see them.
const seen = `\seen`

// ownFlags are shown for every mailbox, as they are kept.
var ownFlags = [...]string{`\answered`, `\flagged`, seen, "$forwarded"}

// saidFlags are how those with capitals are written.
var saidFlags = [...]string{`\Answered`, `\Flagged`, `\Seen`, "$Forwarded", "$MDNSent", "$Junk", "$NotJunk", "$Phishing", "$Important",
	"Junk", "NonJunk"}

// said is a kept flag as it is written.
func said(kept string) string {
	for _, s := range saidFlags {
		if strings.EqualFold(s, kept) {
			return s
		}
	}
	return kept
}

// noFlags are the flags of somebody who has none.
type noFlags struct{}

// Names are none.
func (noFlags) Names() []string { return nil }

// Has is false.
func (noFlags) Has(string, model.UID) bool { return false }

// Count is zero.
func (noFlags) Count(string) int { return 0 }

// flagsOf reads the person's flags on a list.
func (s *session) flagsOf(list int64) (Flags, error) {
	if !s.mayMark() {
		return noFlags{}, nil
	}
	return s.front.srv.opt.Archive.Flags(s.ctx, s.who.AccountID, list)
}

// setFlags takes a snapshot of the person's flags. Another door may have kept a
// mark that cannot be said in IMAP: it is not shown.
func (sel *selected) setFlags(f Flags) {
	sel.flags, sel.shown, sel.said = f, nil, nil
	for _, n := range f.Names() {
		if sayable(n) {
			sel.shown, sel.said = append(sel.shown, n), append(sel.said, said(n))
		}
	}
}

// sayable reports whether a flag can be written as an atom.
func sayable(flag string) bool {
	name := strings.TrimPrefix(flag, `\`)
	return name != "" && all([]byte(name), atomChar)
}

// names are the flags of the mailbox as they are kept: those every mail program
// uses, and the person's keywords.
func (sel *selected) names() []string {
	names := slices.Clone(ownFlags[:])
	for _, n := range sel.shown {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

func flagList(names []string) []imap.Flag {
	flags := make([]imap.Flag, len(names))
	for i, n := range names {
		flags[i] = imap.Flag(said(n))
	}
	return flags
}

// appendFlags writes a FETCH response with the flags of one row.
func (sel *selected) appendFlags(b []byte, i int, uid bool) []byte {
	b = appendInt(append(b, "* "...), int64(i+1))
	b = append(b, " FETCH ("...)
	if uid {
		b = append(appendInt(append(b, "UID "...), int64(sel.rows[i].UID)), ' ')
	}
	return append(sel.appendFlagItem(b, sel.rows[i].UID), ")\r\n"...)
}

// appendFlagItem writes FLAGS (...).
func (sel *selected) appendFlagItem(b []byte, uid model.UID) []byte {
	b = append(b, "FLAGS ("...)
	start := len(b)
	for i, n := range sel.shown {
		if !sel.flags.Has(n, uid) {
			continue
		}
		if len(b) > start {
			b = append(b, ' ')
		}
		b = append(b, sel.said[i]...)
	}
	return append(b, ')')
}

// announceFlags tells which flags another session of the same person changed.
// Flags that as many posts have as before are taken for unchanged.
func (s *session) announceFlags(sel *selected) error {
	select {
	case <-sel.marked:
		sel.stale = true
	default:
	}
	if !sel.stale {
		return nil
	}
	flags, err := s.flagsOf(sel.list.ID)
	if err != nil {
		return s.failed("read flags", err)
	}
	sel.stale = false
	had, names := sel.flags, sel.names()
	sel.setFlags(flags)
	if err := s.tellKeywords(sel); err != nil {
		return err
	}
	changed := slices.DeleteFunc(append(names, sel.shown...), func(n string) bool { return had.Count(n) == flags.Count(n) })
	if len(changed) == 0 {
		return nil
	}
	return s.front.render(func(b []byte) []byte {
		for i := range sel.rows {
			uid := sel.rows[i].UID
			if slices.ContainsFunc(changed, func(n string) bool { return had.Has(n, uid) != flags.Has(n, uid) }) {
				b = sel.appendFlags(b, i, true)
			}
		}
		return b
	})
}

// tellKeywords tells of a keyword the client has not heard of yet.
func (s *session) tellKeywords(sel *selected) error {
	names := sel.names()
	if slices.Equal(names, sel.keywords) {
		return nil
	}
	sel.keywords = names
	return s.front.render(func(b []byte) []byte {
		b = append(b, "* FLAGS ("...)
		for i, n := range names {
			if i > 0 {
				b = append(b, ' ')
			}
			b = append(b, said(n)...)
		}
		return append(b, ")\r\n"...)
	})
}
