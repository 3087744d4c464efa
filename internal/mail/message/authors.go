package message

import "plenary/internal/mail/address"

// Authors gives the different mailboxes of From, in order.
func (h Header) Authors() []address.Mailbox {
	var out []address.Mailbox
	seen := map[string]bool{}
	for _, m := range h.Addresses("From") {
		if key := m.Address.Key(); !seen[key] {
			seen[key] = true
			out = append(out, m)
		}
	}
	return out
}

// AuthorDoubt says, in a sentence for the author, why it cannot be told who
// wrote; it is empty when it can. RFC 5322 3.6 allows one From field: of two, one
// program believes the first and another the second. Several authors in one From
// are legal with a Sender that says who of them wrote (3.6.2). A message without
// From is another matter.
func (h Header) AuthorDoubt() string {
	if len(h.All("From")) > 1 {
		return "The message has more than one From field, so nobody can tell who wrote it. Please send it again with one author."
	}
	if !h.Has("Sender") && len(h.Authors()) > 1 {
		return "The From field names several authors and no Sender says who of them wrote. Please send it again with one author."
	}
	return ""
}
