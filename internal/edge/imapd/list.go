package imapd

import (
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// List answers LIST and LSUB (RFC 9051 6.3.9, RFC 5258, RFC 5819). Every list
// somebody may read counts as subscribed: what mail programs show by default is
// then what there is.
func (s *session) List(w *imapserver.ListWriter, ref string, patterns []string, o *imap.ListOptions) error {
	if len(patterns) == 0 {
		return w.WriteList(&imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: delimiter})
	}
	if len(patterns) > maxPatterns {
		return no(imap.ResponseCodeLimit, "Too many patterns")
	}
	var want []pattern
	for _, p := range patterns {
		if len(ref)+len(p) > maxPattern {
			return no(imap.ResponseCodeLimit, "That pattern is too long")
		}
		want = append(want, compile(ref+p))
	}
	if o.SelectSpecialUse {
		return nil // none of ours has a special use
	}
	all, err := s.nodes(s.ctx, wanted{years: true, moderating: true})
	if err != nil {
		return err
	}
	for _, n := range all {
		if !matches(want, n.name) || n.year != 0 && o.SelectSubscribed || n.parent && o.SelectSubscribed && !s.listsParent(n, all, want, o) {
			continue
		}
		data, err := s.listed(n, o)
		if err != nil {
			return err
		}
		if err := w.WriteList(data); err != nil {
			return err
		}
	}
	return nil
}

// listsParent says whether a parent, which cannot be subscribed
// itself, is shown among what is: where its children are but were not asked for
// (RFC 3501 6.3.9, RFC 5258 3.5).
func (s *session) listsParent(parent node, all []node, want []pattern, o *imap.ListOptions) bool {
	lsub := s.front.cmd != nil && s.front.cmd.name == "LSUB"
	if !lsub && !o.SelectRecursiveMatch {
		return false
	}
	children := false
	for _, n := range all {
		if n.list != nil && strings.HasPrefix(n.name, parent.name+"/") {
			children = true
			if matches(want, n.name) {
				return false
			}
		}
	}
	return children
}

func matches(want []pattern, name string) bool {
	for _, p := range want {
		if p.match(name) || name == inbox && compile(strings.ToUpper(string(p))).match(name) {
			return true
		}
	}
	return false
}

// listed is one line of LIST.
func (s *session) listed(n node, o *imap.ListOptions) (*imap.ListData, error) {
	data := &imap.ListData{Delim: delimiter, Mailbox: n.name}
	if n.parent {
		data.Attrs = append(data.Attrs, imap.MailboxAttrNoSelect)
	} else if n.year == 0 && (o.SelectSubscribed || o.ReturnSubscribed) {
		data.Attrs = append(data.Attrs, imap.MailboxAttrSubscribed)
	}
	if n.parent && !n.leaf && o.SelectRecursiveMatch {
		data.ChildInfo = &imap.ListDataChildInfo{Subscribed: true}
	}
	if n.leaf {
		data.Attrs = append(data.Attrs, imap.MailboxAttrHasNoChildren)
	} else {
		data.Attrs = append(data.Attrs, imap.MailboxAttrHasChildren)
	}
	if o.ReturnStatus != nil && !n.parent {
		status, err := s.status(n, nil)
		if err != nil {
			return nil, err
		}
		data.Status = status
	}
	return data, nil
}

// Namespace says where things are (RFC 2342): the lists are shared.
func (s *session) Namespace() (*imap.NamespaceData, error) {
	return &imap.NamespaceData{
		Personal: []imap.NamespaceDescriptor{{Prefix: "", Delim: delimiter}},
		Shared:   []imap.NamespaceDescriptor{{Prefix: root + "/", Delim: delimiter}},
	}, nil
}
