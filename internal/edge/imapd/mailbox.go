package imapd

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/unicode/norm"

	"plenary/internal/mail/address"
	"plenary/internal/model"
)

const (
	delimiter = '/'
	inbox     = "INBOX" // always there and empty: clients expect it (RFC 9051 5.1)
	root      = "Lists" // the parent of all lists' mailboxes
)

// MailboxNames gives the name of each list's mailbox by the list's id, given all
// lists of the site: Lists/talk. Where several
// lists of the site share a local part, the oldest keeps the short name and the
// others carry their domain, as people read it: Lists/talk@example.org. A new
// list never changes the name of an old one. The short name has no dot, which
// some programs take for a hierarchy of their own.
func MailboxNames(all []model.List) map[int64]string {
	byAge := slices.Clone(all)
	slices.SortFunc(byAge, func(a, b model.List) int { return cmp.Compare(a.ID, b.ID) })
	names := make(map[int64]string, len(all))
	taken := map[string]bool{}
	for i := range byAge {
		l := &byAge[i]
		name := root + string(delimiter) + escaped(l.Local)
		if taken[l.Local] {
			name = longName(l)
		}
		taken[l.Local] = true
		names[l.ID] = name
	}
	return names
}

// mailboxNames are those of the lists as they were given last.
type mailboxNames struct {
	mu    sync.Mutex
	site  []model.List
	names map[int64]string
}

// of gives the names; lists that are the same in memory have the same names.
func (m *mailboxNames) of(site []model.List) map[int64]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(site) == 0 || len(site) != len(m.site) || &site[0] != &m.site[0] {
		m.site, m.names = site, MailboxNames(site)
	}
	return m.names
}

// longName is the name with the domain. Every list answers to it.
func longName(l *model.List) string {
	whole := address.Address{Local: "x", Domain: l.Domain}.Unicode()
	return root + string(delimiter) + escaped(l.Local) + whole[strings.LastIndexByte(whole, '@'):]
}

// escaped writes characters of a local part that mean something to LIST as =2F
// and so on.
func escaped(local string) string {
	var b strings.Builder
	for i := 0; i < len(local); i++ {
		c := local[i]
		if c <= ' ' || c == 0x7f || strings.IndexByte(`/%*\"=@`, c) >= 0 {
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'=', hex[c>>4], hex[c&15]})
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// node is one name that LIST can show.
type node struct {
	name   string
	list   *model.List // nil for INBOX and the parents
	parent bool        // cannot be selected, has children
	leaf   bool        // has no children

	year    int          // a year of a large list; 0: all of it
	held    bool         // what waits on the list
	verdict model.Action // what is moved here is decided so; Defer: nothing is
}

// archive reports whether the node is a list's archive.
func (n node) archive() bool { return n.list != nil && !n.held && n.verdict == model.Defer }

// wanted is what is asked for with the mailboxes.
type wanted struct {
	years, moderating bool          // those of large lists, and those for moderating
	glance            *model.Glance // may be nil
}

// nodes are all mailboxes the person may see, in order.
func (s *session) nodes(ctx context.Context, w wanted) ([]node, error) {
	site, lists, err := s.front.srv.opt.Archive.SiteLists(ctx, s.who, w.glance)
	if err != nil {
		return nil, s.failed("list the mailboxes", err)
	}
	names := s.front.srv.names.of(site)
	all := make([]node, 0, len(lists)+2)
	for i := range lists {
		if name := names[lists[i].ID]; name != "" { // else it was made just now
			all = append(all, node{name: name, list: &lists[i], leaf: true})
		}
	}
	slices.SortFunc(all, func(a, b node) int { return cmp.Compare(a.name, b.name) })
	all = append([]node{{name: inbox, leaf: true}, {name: root, parent: true, leaf: len(all) == 0}}, all...)
	if w.years {
		if all, err = s.withYears(ctx, all); err != nil {
			return nil, err
		}
	}
	if !w.moderating {
		return all, nil
	}
	more, err := s.moderated(ctx, names)
	if err != nil {
		return nil, s.failed("list the mailboxes", err)
	}
	return append(all, more...), nil
}

// find gives the mailbox of that name. The list's whole address will do as
// well, and case is forgiven. One that is not hers to read is as unknown as one
// that is not there.
func (s *session) find(ctx context.Context, name string) (node, error) {
	return s.findWith(ctx, name, nil)
}

// findWith is find with a glance.
func (s *session) findWith(ctx context.Context, name string, g *model.Glance) (node, error) {
	name = norm.NFC.String(name)
	all, err := s.nodes(ctx, wanted{moderating: len(name) >= len(moderation) && strings.EqualFold(name[:len(moderation)], moderation), glance: g})
	if err != nil {
		return node{}, err
	}
	for _, n := range all {
		if n.name == name {
			return n, nil
		}
	}
	for _, n := range all {
		if strings.EqualFold(n.name, name) ||
			n.archive() && (strings.EqualFold(longName(n.list), name) || strings.EqualFold(root+"/"+n.list.Address(), name)) {
			return n, nil
		}
	}
	if n, ok, err := s.findYear(ctx, name); ok || err != nil {
		if err != nil {
			err = s.failed("look for a mailbox", err)
		}
		return n, err
	}
	return node{}, no("NONEXISTENT", "There is no such mailbox, or it is not open to you")
}
