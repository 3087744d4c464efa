package accept

import (
	"plenary/internal/fault"
	"plenary/internal/model"
)

// Rules gives the table of all rules, in the order in which they are asked:
// first what refuses without regard to who wrote, then who may post, then what
// a human should look at.
func Rules() []Rule {
	return []Rule{
		{Name: "closed", Then: model.Reject, Ask: askClosed,
			Doc: "A closed list takes no posts."},
		{Name: "loop", Then: model.Reject, Machine: true, Ask: askLoop,
			Doc: "A message that already went out through this list comes back."},
		{Name: "hops", Then: model.Reject, Machine: true, Ask: askHops,
			Doc: "A message that passed more than a hundred servers is going in circles."},
		{Name: "null-sender", Then: model.Reject, Machine: true, Ask: askNullSender,
			Doc: "Delivery reports and other mail without a return address are no posts."},
		{Name: "automatic-reply", Then: model.Discard, Ask: askAutomaticReply,
			Doc: "Holiday notices, read receipts and other replies written by machines are dropped."},
		{Name: "authors", Then: model.Reject, Kind: fault.Invalid, Ask: askAuthors,
			Doc: "A message has one From field, and one author or a Sender."},
		{Name: "own-address", Then: model.Reject, Ask: askOwnAddress,
			Doc: "Nobody posts in the name of the list itself."},
		{Name: "banned", Then: model.Reject, Ask: askBanned,
			Doc: "The author is banned from this list or from the site."},
		{Name: "max-size", Then: model.Reject, Kind: fault.TooLarge, Ask: askMaxSize,
			Doc: "The message is larger than the list takes at all."},
		{Name: "announcement", Then: model.Reject, Ask: askAnnouncement,
			Doc: "Only editors, moderators and owners post to announcement lists and newsletters."},
		{Name: "no-post", Then: model.Reject, Ask: askNoPost,
			Doc: "A list that refuses posts from outside also refuses commands and empty messages, whoever sent them."},
		{Name: "nonsubscriber-reject", Then: model.Reject, Person: true, Ask: askNonsubscriber(model.Reject),
			Doc: "The list refuses posts from outside."},
		{Name: "nonsubscriber-discard", Then: model.Discard, Ask: askNonsubscriber(model.Discard),
			Doc: "The list drops posts from outside."},
		{Name: "subscriber-reject", Then: model.Reject, Person: true, Ask: askSubscriber(model.Reject),
			Doc: "This subscriber, or every subscriber, may not post."},
		{Name: "subscriber-discard", Then: model.Discard, Ask: askSubscriber(model.Discard),
			Doc: "Posts of this subscriber are dropped."},

		{Name: "emergency", Then: model.Hold, Ask: askEmergency,
			Doc: "The list is in emergency moderation: every post waits."},
		{Name: "unproved-editor", Then: model.Hold, Person: true, Ask: askUnprovedEditor,
			Doc: "An announcement waits when it is not proved that an editor wrote it."},
		{Name: "nonsubscriber-hold", Then: model.Hold, Person: true, Ask: askNonsubscriber(model.Hold),
			Doc: "Posts from outside wait for a moderator."},
		{Name: "subscriber-hold", Then: model.Hold, Person: true, Ask: askSubscriber(model.Hold),
			Doc: "Posts of this subscriber, or of every subscriber, wait for a moderator."},
		{Name: "no-author", Then: model.Hold, Ask: askNoAuthor,
			Doc: "The message does not say who wrote it."},
		{Name: "repeated", Then: model.Hold, Ask: askRepeated,
			Doc: "The message says two different things in a field that may stand only once."},
		{Name: "structure", Then: model.Hold, Ask: askStructure,
			Doc: "The message is built in a way no mail program would; it is not opened."},
		{Name: "hold-size", Then: model.Hold, Ask: askHoldSize,
			Doc: "The message is larger than the list sends out unseen."},
		{Name: "recipients", Then: model.Hold, Ask: askRecipients,
			Doc: "The message is addressed to too many people at once."},
		{Name: "destination", Then: model.Hold, Ask: askDestination,
			Doc: "The list stands neither in To nor in Cc."},
		{Name: "empty", Then: model.Hold, Ask: askEmpty,
			Doc: "The message has neither text nor attachment."},
		{Name: "administrivia", Then: model.Hold, Ask: askAdministrivia,
			Doc: "The message looks like a command that belongs to another address."},
		{Name: "duplicate", Then: model.Hold, Ask: askDuplicate,
			Doc: "The author posted the same words within the last 28 days."},
	}
}
