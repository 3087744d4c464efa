package compose

import (
	"plenary/internal/mail/address"
	"plenary/internal/mail/message/word"
)

// stepReplyTo: a policy that sends answers to the list replaces what the author
// asked for; the members of such a list rely on it.
func stepReplyTo(d *Draft) {
	if !d.options.ReplyToList {
		return
	}
	d.cut(named("reply-to"))
	m := address.Mailbox{Name: word.Line(d.options.Title), Address: d.options.head("")}
	d.add(field("Reply-To", m.String()))
}
