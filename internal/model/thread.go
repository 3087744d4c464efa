package model

import (
	"crypto/sha256"
	"encoding/binary"
)

// The rules of the reference graph that do not depend on the order in which
// messages come. The store follows them as posts arrive, archive.Thread when it
// rebuilds a list from nothing.

// GhostParent chooses what an id that never arrived is taken to answer: every
// References field that has something before the id makes an offer, and the
// smallest key wins. 0 is no offer.
func GhostParent(has, offered int64) int64 {
	if has == 0 || offered != 0 && offered < has {
		return offered
	}
	return has
}

// TwinKey is the key of a post whose Message-ID an earlier post of the list has
// already: a place of its own that nobody refers to.
func TwinKey(key int64, id PostID) int64 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(key)), uint64(id)))
	return int64(binary.BigEndian.Uint64(sum[:8])>>1 | 1)
}

// Link tells why a node hangs where it does.
type Link uint8

// The reasons. A moderator's word counts more than what a message says, and
// that more than a guess.
const (
	LinkReferences Link = iota // References or In-Reply-To, or nobody
	LinkQuoted                 // an answer to a digest that quotes an article's Message-ID
	LinkGuessed                // the subject and the words it quotes (ThreadHint.Guess)
	LinkModerator              // a ThreadRuling
)

var linkNames = [...]string{"references", "quoted", "guessed", "moderator"}

// String is the link's keyword.
func (l Link) String() string {
	if int(l) < len(linkNames) {
		return linkNames[l]
	}
	return "unknown"
}

// ThreadRuling is what a moderator decided about a node of a list's threads. It
// stands whatever arrives and however often the threads are made anew.
type ThreadRuling struct {
	ListID    int64 `gorm:"primaryKey"`
	Key       int64 `gorm:"primaryKey"`
	ParentKey int64 // 0: it begins a thread
	RuledBy   string
	At        Instant
}

// ThreadLift takes a ruling back. Link and Hint are those the message gives.
type ThreadLift struct {
	Key  int64
	Link Link
	Hint ThreadHint
}
