package model

// What identifies a post on its list: the kinds of post_keys.
const (
	KeyMessageID = 1 // the Message-ID
	KeyBody      = 2 // author and normalised body
	KeyRaw       = 3 // the exact bytes
)

// SearchColumns is a set of columns of the full-text index.
type SearchColumns uint8

// The columns, in the order of the index.
const (
	InSubject SearchColumns = 1 << iota
	InAuthor
	InRecipients
	InBody // own words of the author, without quoted lines
	InQuoted
	InFiles // names of attachments

	InText = InBody | InQuoted // the body as IMAP sees it
	InAll  = InSubject | InAuthor | InRecipients | InText | InFiles
)

// MatchOp is one step of a Match.
type MatchOp uint8

// The steps. Operators take what the steps before left: a Match is postfix, so
// that nobody needs recursion to read it.
const (
	MatchWords MatchOp = iota // Words one after another, in any one of Columns
	MatchAnd                  // all of the last N results
	MatchOr                   // any of the last N results
	MatchNot                  // the last but one result without the last
)

// MatchStep is one step of a Match. Words are words as the index holds them
// (list/archive makes them), never text as a person typed it.
type MatchStep struct {
	Op      MatchOp
	N       int
	Columns SearchColumns
	Words   []string
	Prefix  bool // the last word may go on
}

// Match asks the full-text index of one list for the posts that satisfy Steps,
// between From and To inclusive (To 0: no end), at most Limit (0: all), newest
// or oldest first.
type Match struct {
	Steps    []MatchStep
	From, To UID
	Limit    int
	Newest   bool
}

// Mark names one flag of one person on one list.
type Mark struct {
	Account, List int64
	Flag          string // lower case, with the backslash of system flags
}
