package compose

import "bytes"

// removed are the fields subscribers do not get.
var removed = named(
	// The list's own; those of a list the post came through would mislead.
	"list-id", "list-post", "list-help", "list-subscribe", "list-unsubscribe", "list-unsubscribe-post",
	"list-owner", "list-archive", "archived-at", "precedence",
	// The envelope of an earlier hop. With the address of a subscriber in
	// Delivered-To her server would take her copy for a loop.
	"return-path", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-envelope-from", "apparently-to",
	// Blind copies are nobody's business (RFC 5322 3.6.3).
	"bcc", "resent-bcc",
	// A receipt from every subscriber would come back to the author (RFC 8098 2.1).
	"disposition-notification-to", "return-receipt-to", "x-confirm-reading-to", "errors-to",
	// Passwords of moderators.
	"approved", "approve", "x-approved", "x-approve",
)

func stepRemove(d *Draft) {
	d.cut(removed)
	if f := d.header.Fields(); len(f) > 0 && isSeparator(d.header.Raw(f[0])) {
		d.edits = append(d.edits, edit{start: f[0].Start, end: f[0].End})
	}
	d.name()
}

// name makes a field of each line of the header that is none, as guard does: many
// servers end the header before such a line, and what follows it, our own fields and
// signatures of authors too, would be text to them.
func (d *Draft) name() {
	for i, f := range d.header.Fields() {
		line := d.header.Raw(f)
		if f.Name == "" && line[0] != ' ' && line[0] != '\t' && (i > 0 || !isSeparator(line)) {
			d.insert(f.Start, piece{data: []byte(originalLine + "\r\n ")})
		}
	}
}

// isSeparator tells an mbox "From " line. It ends the header for many readers
// once it no longer stands first.
func isSeparator(line []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From "))
}
