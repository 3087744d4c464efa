package compose

import "plenary/internal/mail/address"

// stepListFields adds what makes mail programs show buttons for the list. It is
// last, so that the one part that differs from copy to copy stands last in front.
func stepListFields(d *Draft) {
	for _, f := range listFields(d.options) {
		d.add(f)
	}
	d.add(field("Precedence", "list"))
	d.front = append(d.front, piece{hole: unsubscribeFields(d.options)})
}

// listFields are the fields that are the same in the archive and in all copies.
func listFields(o *Options) [][]byte {
	post := mailto(o.head(""))
	if o.Announcement {
		post = "NO" // RFC 2369 3.4
	}
	fields := [][]byte{
		field("List-Id", address.ListID(o.Local, o.Domain, o.Description, o.Title)),
		field("List-Post", post),
		field("List-Help", mailto(o.head("help"))),
		field("List-Subscribe", mailto(o.head("join"))),
		field("List-Owner", mailto(o.head("owner"))),
	}
	if u := o.ListURL(); u != "" {
		fields = append(fields, field("List-Archive", "<"+u+">"))
	}
	if o.ArchivedAt != "" {
		fields = append(fields, field("Archived-At", "<"+o.ArchivedAt+">"))
	}
	return fields
}

// unsubscribeFields makes the two fields of RFC 8058. Both stand in one hole, of
// which only the token differs.
func unsubscribeFields(o *Options) func(o *Options, r Recipient) []byte {
	leave := mailto(o.head("leave"))
	plain := field("List-Unsubscribe", leave)
	before := []byte("List-Unsubscribe: <" + o.BaseURL + leavePath)
	after := []byte(">,\r\n " + leave + "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
	return func(o *Options, r Recipient) []byte {
		if o.BaseURL == "" || r.OneClick == "" {
			return plain
		}
		out := make([]byte, 0, len(before)+len(r.OneClick)+len(after))
		return append(append(append(out, before...), r.OneClick...), after...)
	}
}

// mailto is the address as a URL in angle brackets (RFC 6068).
func mailto(a address.Address) string { return "<mailto:" + pathEscape(a.String()) + ">" }
