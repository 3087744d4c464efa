package model

// Functions are the words that make an address of one of a list's functions of
// its name, behind it after "-" or "+". list/intake says what each does; whoever
// has to tell a list's addresses from a person's, or to keep a new list's name
// from taking such an address, asks here.
func Functions() []string {
	return []string{
		"request", "confirm", "bounces", "query",
		"join", "subscribe", "subscribe-request", "on", "subscribe-digest", "digest-subscribe", "subscribe-nomail", "nomail-subscribe",
		"leave", "unsubscribe", "unsubscribe-request", "signoff", "signoff-request", "remove", "off",
		"unsubscribe-digest", "digest-unsubscribe", "unsubscribe-nomail",
		"help", "info", "faq",
		"owner", "owners", "admin", "moderator", "moderators", "editor", "editors",
	}
}

// OwnerPrefix stands before a list's name in the old form of its owners' address.
const OwnerPrefix = "owner-"

// Servers are the names of the command address of a domain, in the tradition of
// the list servers people come from.
func Servers() []string {
	return []string{"listserv", "lists", "listserver", "sympa", "majordomo", "mailman"}
}
