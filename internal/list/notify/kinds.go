package notify

import "plenary/internal/model"

// Kind names a letter; templates/mail/<kind>.txt is its text.
type Kind string

// The letters.
const (
	ConfirmJoin   Kind = "confirm-join"
	ConfirmLeave  Kind = "confirm-leave"
	AlreadyOnList Kind = "already-on-list"
	NotOnList     Kind = "not-on-list"
	JoinWaiting   Kind = "join-waiting"
	JoinApprove   Kind = "join-approve"
	JoinRefused   Kind = "join-refused"
	Welcome       Kind = "welcome"
	Goodbye       Kind = "goodbye"
	HeldAuthor    Kind = "held-author"
	HeldModerator Kind = "held-moderator"
	HeldMore      Kind = "held-more"
	Released      Kind = "released"
	Rejected      Kind = "rejected"
	Expired       Kind = "expired"
	Decided       Kind = "decided"
	Refused       Kind = "refused"
	CommandReply  Kind = "command-reply"
	OtherReturn   Kind = "other-return"
	Help          Kind = "help"
)

// sender is the function of the list a letter comes from: where an answer by a
// person should arrive.
type sender string

const (
	fromRequest sender = "request" // answers are read by the command processor
	fromOwner   sender = "owner"   // answers go to people
)

// form is what is true of all letters of a kind.
type form struct {
	Kind    Kind
	Doc     string
	From    sender
	Lane    model.Lane
	Replied bool // answers one message: Auto-Submitted is auto-replied (RFC 3834 5)
	Counted bool // a stranger can cause it: at most ten a day for an address
	Apart   int  // counted apart from the ten: so many a day for an address from one list
	InAll   int  // counted apart from the ten: so many a day for an address, whatever list it is from
	Ten     bool // among the ten also where it is counted apart
	Hourly  int  // so many an hour for an address from one list; then Instead goes
	As      Kind // counted as this other kind: who asked for the letter must not tell which it was
	Instead Kind // what goes in the place of one that may not, if it may
	Token   bool // wants an answer that carries a token
}

// kinds is the table of letters.
var kinds = []form{
	{Kind: ConfirmJoin, Doc: "asks the address itself whether it wants to join", From: fromRequest, Replied: true, Counted: true, Apart: maxApart, InAll: maxJoins, Token: true},
	{Kind: ConfirmLeave, Doc: "asks the address itself whether it wants to leave", From: fromRequest, Replied: true, Counted: true, Apart: maxApart, Token: true},
	{Kind: AlreadyOnList, Doc: "who asked to join is on the list", From: fromRequest, Replied: true, Counted: true, Apart: maxApart, InAll: maxJoins, Ten: true, As: ConfirmJoin},
	{Kind: NotOnList, Doc: "who asked to leave is not on the list", From: fromRequest, Replied: true, Counted: true, Apart: maxApart, Ten: true, As: ConfirmLeave},
	{Kind: JoinWaiting, Doc: "a confirmed join waits for a moderator", From: fromOwner, Replied: true, Counted: true},
	{Kind: JoinApprove, Doc: "asks the moderators whether someone may join", From: fromOwner, Lane: model.LaneNotice, Token: true},
	{Kind: JoinRefused, Doc: "a moderator did not agree to a join", From: fromOwner, Lane: model.LaneNotice},
	{Kind: Welcome, Doc: "someone joined", From: fromOwner},
	{Kind: Goodbye, Doc: "someone left", From: fromOwner},
	{Kind: HeldAuthor, Doc: "tells the author that a post waits, and why", From: fromOwner, Lane: model.LaneNotice, Replied: true, Counted: true},
	{Kind: HeldModerator, Doc: "asks the moderators to decide a post, which is attached", From: fromOwner, Lane: model.LaneNotice, Hourly: maxAsking, Instead: HeldMore, Token: true},
	{Kind: HeldMore, Doc: "tells the moderators that more posts wait than are worth a letter each", From: fromOwner, Lane: model.LaneNotice, Hourly: 1},
	{Kind: Released, Doc: "tells the author that a held post went out", From: fromOwner, Lane: model.LaneNotice, Replied: true, Counted: true},
	{Kind: Rejected, Doc: "tells the author that a held post was refused, and why", From: fromOwner, Lane: model.LaneNotice, Replied: true},
	{Kind: Expired, Doc: "tells the author that nobody decided in time", From: fromOwner, Lane: model.LaneNotice, Replied: true, Counted: true},
	{Kind: Decided, Doc: "tells the other moderators what was decided", From: fromOwner, Lane: model.LaneNotice},
	{Kind: Refused, Doc: "tells an author that one of several lists did not take a post", From: fromOwner, Lane: model.LaneNotice, Replied: true, Counted: true},
	{Kind: CommandReply, Doc: "says what became of each command of a mail", From: fromRequest, Replied: true, Counted: true},
	{Kind: OtherReturn, Doc: "says that commands were not answered, because they came with another return address", From: fromRequest, Replied: true, Counted: true, InAll: 1},
	{Kind: Help, Doc: "explains the commands", From: fromRequest, Replied: true, Counted: true},
}

func find(k Kind) (form, bool) {
	for _, f := range kinds {
		if f.Kind == k {
			return f, true
		}
	}
	return form{}, false
}
