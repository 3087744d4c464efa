package queue

import (
	"context"
	"strconv"

	"plenary/internal/model"
)

// Recipient is the person one copy is for.
type Recipient struct {
	ID      int64  // the subscriber's id; 0 for a house letter
	Address string // as the subscriber wrote it, domain in A-labels
	Key     string // identity of the address
	Options model.Options
}

// Letter is the copy for one recipient, ready for the wire but for
// dot-stuffing: the segments in order are the message, with CRLF line ends.
// Segments may be shared between letters and must not change once handed out:
// a courier remembers what it found out about the large ones.
type Letter struct {
	ReversePath string // empty is the null reverse-path
	Recipient   string
	Segments    [][]byte
	// Unfit is why this copy must not go out as it is, such as a signature that
	// could not be made; empty: it may. It is a temporary failure.
	Unfit string
}

// Size is the number of octets of the message (RFC 1870).
func (l *Letter) Size() int {
	n := 0
	for _, s := range l.Segments {
		n += len(s)
	}
	return n
}

// Prepared makes the copies of one distribution. Letter is called from several
// goroutines at once, and may be called again for the same recipient: it gives
// the same message (a repeat must carry the same Message-ID).
type Prepared interface {
	Letter(r Recipient) Letter
}

// Sparing is what a Prepared may also offer: to leave a recipient out because
// of the message itself, e.g. who is in To or Cc already and wants no second
// copy. Why is one sentence for the trace; empty means the copy is sent.
type Sparing interface {
	Spare(r Recipient) (why string)
}

// Insistent is what a Prepared may also say: that its letters must arrive even
// where TLS does not work, whatever the site's policy demands.
type Insistent interface {
	Anyway() bool
}

// Composer makes a distribution ready for its copies. A Temporary fault (the
// database is away) is tried again; any other error pauses the distribution.
type Composer interface {
	Open(ctx context.Context, d *model.Distribution) (Prepared, error)
}

// Unit is a handful of letters of one distribution that travel together. A
// letter is composed when it is asked for, in the courier's goroutine, or by the
// pool when it is costly.
type Unit struct {
	prepared Prepared
	to       []target
	job      *job
	link     *link         // the connection it was cut for, with a Router
	outlet   *outlet       // it was handed to, with several
	probe    bool          // it tries an outlet that rests
	not      uint64        // bits by number of outlets that do not take a copy of it, with several
	aside    model.Instant // others go first until then
	since    model.Instant // when it was put aside first
	fresh    model.Instant // when its recipients were looked at again; 0: they were not
	made     []made        // what the pool makes of it
}

// target is one copy in work.
type target struct {
	Recipient
	attempts int  // that failed before this one
	refused  bool // the last of them for reasons of policy
}

// NewUnit makes a unit by hand, for couriers used without an engine.
func NewUnit(p Prepared, to ...Recipient) *Unit {
	u := &Unit{prepared: p}
	for _, r := range to {
		u.to = append(u.to, target{Recipient: r})
	}
	return u
}

// Len is the number of letters.
func (u *Unit) Len() int { return len(u.to) }

// Letter gives letter i.
func (u *Unit) Letter(i int) Letter {
	if u.job != nil && u.job.source.signers != nil {
		return u.job.source.signers.letter(u, i)
	}
	return u.compose(i)
}

func (u *Unit) compose(i int) Letter {
	l := u.prepared.Letter(u.to[i].Recipient)
	if u.job != nil && u.job.source.size.Load() == 0 {
		u.job.source.size.Store(int64(l.Size()))
	}
	return l
}

// State is how a letter fared.
type State uint8

// The states. The zero value is the harmless one: nobody saw the letter.
const (
	Unsent    State = iota // not tried; another connection may take it at once
	OK                     // the peer has taken it
	Temporary              // 4yz, or the connection broke: again later
	Permanent              // 5yz: never again
)

var stateNames = [...]string{"unsent", "ok", "temporary", "permanent"}

// String names the state for logs.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Result is what became of one letter.
type Result struct {
	State  State
	Code   int    // the peer's reply code, 0 when there was none
	Reply  string // its text in one line, or what happened instead of a reply
	Lost   bool   // the end of the message was sent and no reply came: it may have arrived
	Ours   bool   // a refusal before a recipient was named, for now or ever: it is about us
	Local  bool   // our own refusal: the peer was not asked
	Peer   bool   // and it is about what this peer offers: another may take the letter
	NoHost bool   // DNS knows no host for the domain: final only for a copy that is absentAge old
}

// Outcome answers one letter of a unit.
type Outcome struct {
	Unit  *Unit
	Index int
	Result
}

// Courier is one open connection to one site. Run takes units as they come and
// answers each of their letters exactly once, in any order, before it returns.
// It returns nil when units is closed or has been quiet for long, after a
// polite end; else why the connection cannot go on, which may wrap a Refusal. When ctx ends it gives up
// at once, answering what it holds.
type Courier interface {
	Run(ctx context.Context, units <-chan *Unit, outcomes chan<- Outcome) error
}

// Refusal is the error of a Connector when the peer refused us before it saw a
// letter, and of a Courier when it said 421 and no letter was answered with that.
type Refusal struct {
	Code  int
	Reply string
	Login bool // it was the answer to our user and password
}

// Error implements error.
func (r *Refusal) Error() string { return strconv.Itoa(r.Code) + " " + r.Reply }

// Connector opens a connection to the site. Its error wraps a Refusal when the
// peer does not want us.
type Connector func(ctx context.Context) (Courier, error)
