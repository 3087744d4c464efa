package compose

// Steps gives the table of all changes, in the order in which they are made.
func Steps() []Step {
	return []Step{
		{"trace", "Puts our Received field in front, and gives the message a Message-ID and a date when it has none.", stepTrace},
		{"remove", "Takes out what must not reach subscribers: other lists' fields, requests for receipts, passwords, envelopes. Makes fields of header lines that are none.", stepRemove},
		{"auth-results", "Takes out results of sender checks that somebody wrote in our name (RFC 8601).", stepAuthResults},
		{"reply-to", "Points replies to the list, on lists that want it; otherwise the author's choice stays.", stepReplyTo},
		{"subject", "Puts the list's tag before the subject, once.", stepSubject},
		{"footer", "Adds the footer without touching signed or encrypted mail.", stepFooter},
		{"list-fields", "Adds the list's own fields (RFC 2369, 2919, 5064, 8058).", stepListFields},
	}
}
