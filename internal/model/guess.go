package model

import (
	"encoding/binary"
	"time"
)

// Guessing whom a post without References answers, or one whose References name a
// message that is missing. Of the posts with its base
// subject that were sent not long before, it is the one whose own words it
// quotes, if there is exactly one such. Like the other rules of the graph this
// depends on the set of messages alone, not on the order they came in.
const (
	GuessWindow = 60 * 24 * time.Hour // between the answer and what it answers
	GuessNumber = 100                 // posts with the subject that are looked at, latest first
	guessEra    = 64 * 24 * time.Hour // at least GuessWindow: two eras hold a window

	guessLeast  = 3   // marks the two must share
	guessShare  = 0.6 // of the marks of what is quoted
	guessSecond = 0.5 // a second post with more than this share of the best makes both doubtful
)

// GuessMark is the octets of one mark.
const GuessMark = 2

// ThreadHint is what guessing keeps of a post: the topic (its base subject,
// hashed), when it was sent, and marks: small hashes of some of its sequences
// of three words. Marks are sorted, GuessMark octets each.
type ThreadHint struct {
	ListID   int64   `gorm:"primaryKey"`
	Era      int64   `gorm:"primaryKey"` // keeps what is looked at together close together
	Topic    int64   `gorm:"primaryKey"` // 0: nothing to guess by
	SentAt   Instant `gorm:"primaryKey"`
	Key      int64   `gorm:"primaryKey"` // of its node
	Own      []byte  // marks of its own words
	Answered []byte  // marks of what it quotes, when it seeks a parent: empty when it does not
}

// Seeks reports whether the post's parent is to be guessed.
func (h *ThreadHint) Seeks() bool { return len(h.Answered) >= guessLeast*GuessMark }

// Useful reports whether the hint can matter to anything.
func (h *ThreadHint) Useful() bool {
	return h.Topic != 0 && (h.Seeks() || len(h.Own) >= guessLeast*GuessMark)
}

// GuessEra is the era an instant is in.
func GuessEra(at Instant) int64 {
	const era = Instant(guessEra / time.Microsecond)
	if at < 0 {
		return -1
	}
	return int64(at / era)
}

// Guess gives the key of the post that h answers, 0 when that is not clear
// enough. before are posts with its topic, the latest first, then by falling key.
func (h *ThreadHint) Guess(before []ThreadHint) int64 {
	best, second, parent, looked := 0, 0, int64(0), 0
	for i := range before {
		c := &before[i]
		if c.SentAt >= h.SentAt || c.Key == h.Key {
			continue
		}
		if looked++; looked > GuessNumber || c.SentAt < h.SentAt.Add(-GuessWindow) {
			break
		}
		switch n := sharedMarks(h.Answered, c.Own); {
		case n > best:
			best, second, parent = n, best, c.Key
		case n > second:
			second = n
		}
	}
	if best < guessLeast || float64(best) < guessShare*float64(len(h.Answered)/GuessMark) || float64(second) > guessSecond*float64(best) {
		return 0
	}
	return parent
}

// sharedMarks counts the marks that stand in both.
func sharedMarks(a, b []byte) (n int) {
	for len(a) >= GuessMark && len(b) >= GuessMark {
		x, y := binary.BigEndian.Uint16(a), binary.BigEndian.Uint16(b)
		if x == y {
			n++
		}
		if x <= y {
			a = a[GuessMark:]
		}
		if y <= x {
			b = b[GuessMark:]
		}
	}
	return n
}
