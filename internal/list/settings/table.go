package settings

import "plenary/internal/model"

// table is the table of settings.
func table() []Setting {
	return []Setting{
		choice("kind", "What the list is for. On an announcement list and a newsletter only editors, moderators and owners post.",
			func(l *model.List) *model.ListKind { return &l.Kind }, words[model.ListKind]{
				"discussion": model.Discussion, "announcement": model.Announcement, "newsletter": model.Newsletter}).risky(),
		line("name", "The name people see. Empty: the part of the address before the @.", 100,
			func(l *model.List) *string { return &l.Name }),
		line("description", "What the list is about, in one line; shown by LISTS and in the welcome letter.", 300,
			func(l *model.List) *string { return &l.Description }),
		text("info", "What the command INFO answers, besides the addresses.", 64_000,
			func(l *model.List) *string { return &l.Info }),
		languageTag("language", "The language of the list, as a tag such as en or pt-BR. Letters are in English so far, whatever it says.",
			func(l *model.List) *string { return &l.Language }),
		flag("advertised", "Shown to everybody by LISTS and on the web.",
			func(l *model.List) *bool { return &l.Advertised }),
		flag("closed", "Takes no posts and no new subscribers. Reading and leaving go on.",
			func(l *model.List) *bool { return &l.Closed }).risky(),

		choice("join-policy", "What joining takes: an answer from the address itself (confirm), also a moderator's consent (confirm+moderate), or an owner who adds people (closed).",
			func(l *model.List) *model.JoinPolicy { return &l.JoinPolicy }, words[model.JoinPolicy]{
				"confirm": model.JoinConfirm, "confirm+moderate": model.JoinConfirmModerate, "closed": model.JoinClosed}),
		choice("archive-access", "Who reads the archive: the list's members, or everybody.",
			func(l *model.List) *model.Access { return &l.ArchiveAccess }, words[model.Access]{
				"members": model.AccessMembers, "public": model.AccessPublic}).risky(),
		text("welcome", "Added to the welcome letter.", 64_000,
			func(l *model.List) *string { return &l.Welcome }),

		action("subscriber-action", "What happens to a subscriber's post: accept it, hold it for a moderator, reject it with a reply, discard it silently. A subscriber's own setting goes first.",
			func(l *model.List) *model.Action { return &l.SubscriberAction }),
		action("nonsubscriber-action", "The same for the post of someone who is not on the list. With reject, whoever writes in the name of an address learns from the refusal that it is not on the list; hold and discard keep that secret.",
			func(l *model.List) *model.Action { return &l.NonsubscriberAction }),
		flag("emergency", "Hold every post until this is off again.",
			func(l *model.List) *bool { return &l.Emergency }),
		size("hold-size", "A larger post is held. 0: none is.",
			func(l *model.List) *int64 { return &l.HoldSize }),
		size("max-size", "A larger post is refused. 0: only the server's own limit counts.",
			func(l *model.List) *int64 { return &l.MaxSize }),
		number("max-recipients", "A post with more addresses in To and Cc is held. 0: none is.", 0, 10_000,
			func(l *model.List) *int { return &l.MaxRecipients }),
		flag("require-destination", "Hold a post that names the list neither in To nor in Cc; such a blind copy is mostly advertising.",
			func(l *model.List) *bool { return &l.RequireDestination }),
		addresses("acceptable-aliases", "Other addresses, one a line, that count as the list in To and Cc.",
			func(l *model.List) *string { return &l.AcceptableAliases }),
		flag("administrivia", "Catch commands such as \"unsubscribe\" that were sent to the list itself.",
			func(l *model.List) *bool { return &l.Administrivia }),
		number("held-days", "After so many days a held post that nobody decided expires, and its author is told.", 1, 365,
			func(l *model.List) *int { return &l.HeldDays }),

		line("subject-tag", "Put before the subject of each post, such as [talk]. It changes the message, so the author's DKIM signature no longer fits. Empty: none.", 40,
			func(l *model.List) *string { return &l.SubjectTag }),
		text("footer", "Added below each post that is text, but never to a signed or encrypted one, and not to an invitation or a bare attachment. It changes the message, so the author's DKIM signature no longer fits. Empty: none.", 4_000,
			func(l *model.List) *string { return &l.Footer }),
		choice("reply-to", "Where a plain reply goes: to the author, or to the whole list.",
			func(l *model.List) *model.ReplyTo { return &l.ReplyTo }, words[model.ReplyTo]{
				"author": model.ReplyToAuthor, "list": model.ReplyToList}).risky(),
	}
}
