package imapd

import (
	"context"
	"sort"
	"strings"

	"golang.org/x/text/unicode/norm"

	"plenary/internal/mail/address"
	"plenary/internal/model"
)

const (
	delimiter = '/'
	inbox     = "INBOX" // always there and empty: clients expect it (RFC 9051 5.1)
	root      = "Lists" // the parent of all lists' mailboxes
)

// mailboxName is the name of a list's mailbox: Lists/talk@example.org, the
// domain as people read it. It holds the whole address, so it is unique and
// does not change when a second domain is added. Characters of the local part
// that mean something to LIST are written =2F and so on.
func mailboxName(l *model.List) string {
	var b strings.Builder
	b.WriteString(root)
	b.WriteByte(delimiter)
	for i := 0; i < len(l.Local); i++ {
		c := l.Local[i]
		if c <= ' ' || c == 0x7f || strings.IndexByte(`/%*\"=`, c) >= 0 {
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'=', hex[c>>4], hex[c&15]})
			continue
		}
		b.WriteByte(c)
	}
	b.WriteByte('@')
	whole := address.Address{Local: "x", Domain: l.Domain}.Unicode()
	b.WriteString(whole[strings.LastIndexByte(whole, '@')+1:])
	return b.String()
}

// node is one name that LIST can show.
type node struct {
	name   string
	list   *model.List // nil for INBOX and the parent
	parent bool        // cannot be selected, has children
	leaf   bool        // has no children
}

// nodes are all mailboxes the person may see, in order.
func (s *session) nodes(ctx context.Context) ([]node, error) {
	lists, err := s.front.srv.opt.Archive.Lists(ctx, s.who)
	if err != nil {
		return nil, s.failed("list the mailboxes", err)
	}
	all := make([]node, 0, len(lists)+2)
	for i := range lists {
		all = append(all, node{name: mailboxName(&lists[i]), list: &lists[i], leaf: true})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	return append([]node{{name: inbox, leaf: true}, {name: root, parent: true, leaf: len(lists) == 0}}, all...), nil
}

// find gives the mailbox of that name. Case and the form of the domain are
// forgiven, slashes in the place of its dots (mutt's imap_delim_chars takes a dot
// for a delimiter too), and the domain may be left out when only one of her lists
// has the local part. One that is not hers to read is as unknown as one that is
// not there.
func (s *session) find(ctx context.Context, name string) (node, error) {
	all, err := s.nodes(ctx)
	if err != nil {
		return node{}, err
	}
	name = norm.NFC.String(name)
	var short []node
	for _, n := range all {
		if n.name == name || sameName(n.name, name) || n.list != nil && sameName(root+"/"+n.list.Address(), name) {
			return n, nil
		}
		if local, _, ok := strings.Cut(n.name, "@"); ok && sameName(local, name) {
			short = append(short, n)
		}
	}
	if len(short) == 1 {
		return short[0], nil
	}
	return node{}, no("NONEXISTENT", "There is no such mailbox, or it is not open to you")
}

// sameName compares names without case, a dot being as good as a slash.
func sameName(a, b string) bool {
	return strings.EqualFold(strings.ReplaceAll(a, ".", "/"), strings.ReplaceAll(b, ".", "/"))
}
