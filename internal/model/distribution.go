package model

import "hash/fnv"

// Lane is the priority of outgoing mail; lower goes first.
type Lane uint8

// The lanes.
const (
	LaneReply   Lane = iota // confirmations and command replies
	LaneNotice              // moderation notices
	LanePost                // posts
	LaneDigest              // digests
	LaneLetters             // newsletters
)

// DistributionKind is what is being sent.
type DistributionKind uint8

// The kinds.
const (
	DistributePost   DistributionKind = iota + 1 // a post to a list's audience
	DistributeLetter                             // one house letter to one recipient
)

// DistributionState is where a distribution stands.
type DistributionState uint8

// The states.
const (
	DistributionActive DistributionState = iota
	DistributionPaused
	DistributionDone // the cursor is through; retries may remain
	DistributionCancelled
)

// Distribution is the fan-out of one post, digest or issue, or the sending of
// one house letter. Its audience is every subscriber of the list with
// BeganSeq <= Seq and (EndedSeq = 0 or EndedSeq > Seq); Cursor is the highest
// subscriber id that has been leased.
type Distribution struct {
	ID          int64 `gorm:"primaryKey"`
	ListID      int64
	Kind        DistributionKind
	Lane        Lane
	State       DistributionState
	PostID      PostID // what is sent, for posts
	BytesID     int64  // the whole letter, for letters
	ReversePath string // for letters; empty is the null reverse-path
	Recipient   string // for letters
	Options     string // JSON snapshot of what compose needs (list settings at the time)
	Seq         int64  // the list's subscription sequence when it was made
	Cursor      int64
	CreatedAt   Instant `gorm:"autoCreateTime:false"`
	DoneAt      Instant
}

// DeliveryState is the fate of one recipient.
type DeliveryState uint8

// The states. A recipient without a row has not been tried.
const (
	DeliverySent DeliveryState = iota + 1
	DeliveryRetry
	DeliveryFailed
	DeliverySkipped // left, paused, or the author's own copy
)

// Delivery is one recipient of a distribution. RecipientID is the subscriber,
// or 0 for a letter.
type Delivery struct {
	DistributionID int64 `gorm:"primaryKey"`
	RecipientID    int64 `gorm:"primaryKey"`
	State          DeliveryState
	Attempts       int
	Code           int    // the last SMTP reply code, 0 when there was none
	Reply          string // its text
	At             Instant
	NextAt         Instant // when to try again, for DeliveryRetry
	Site           int64   // which site it waits for, for DeliveryRetry; see SiteKey
	Claimed        string  `gorm:"-"` // who had claimed it to be tried again: that claim ends; empty: nobody
}

// Never is when copies are tried again that wait for a person.
const Never = Instant(1) << 60

// SiteKey is what Delivery.Site holds for a site and a lane: the site's number
// with the lane in the lowest bits.
func SiteKey(site int64, l Lane) int64 { return site&^7 | int64(l&7) }

// Kinds of what a copy waits for.
const (
	WaitSite   = "site:"   // room at a site, by its key
	WaitDomain = "domain:" // the site of a domain
	WaitPause  = "pause:"  // a person who paused a domain or site
)

// ForRelay begins the text of a copy that waits for a relay that takes it; their names
// follow.
const ForRelay = "it waits for a relay that takes it: "

// SiteNumber is the number of what copies wait for: positive, the lowest bits
// free for the lane.
func SiteNumber(kind, name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(kind))
	_, _ = h.Write([]byte(name))
	return int64(h.Sum64()>>2) &^ 7
}

// SiteState tells people what copies wait for.
type SiteState struct {
	ID    int64   `json:"-"` // its number
	Name  string  `json:"name"`
	Hosts string  `json:"hosts"`
	Text  string  `json:"text"`            // why nothing is sent; empty: its turn has not come
	Until Instant `json:"until,omitempty"` // nothing is sent before that
	At    Instant `json:"at"`              // when it was said
}

// QueueStops is what people have told the queue to stop, or to try.
type QueueStops struct {
	All    bool               // everything is paused
	Lists  []int64            // that are paused
	Paused []string           // domains and sites
	Retry  map[string]Instant // destinations asked to be tried now, when; empty: everything
	Again  map[int64]Instant  // the same of distributions
}

// Chunk is a leased range of subscribers of a distribution.
type Chunk struct {
	DistributionID int64 `gorm:"primaryKey"`
	FirstID        int64 `gorm:"primaryKey"` // exclusive lower bound is FirstID-1
	LastID         int64
	Owner          string // the node that holds it
	LeaseUntil     Instant
	Contested      int64 // 1: somebody else has recorded copies of it too
}

// QueueWork says where the queue has something to lease.
type QueueWork struct {
	Open      [LaneLetters + 1]bool // lanes with letters or ranges
	Abandoned bool                  // leases that ran out
	Retries   bool                  // copies whose next try is due
}

// RangeOutcomes is what became of copies of one leased range.
type RangeOutcomes struct {
	Chunk Chunk      // DistributionID, FirstID and Owner count
	Lost  bool       // the lease was lost, and may be held again since
	Sent  []SentCopy // taken at the first try
	Rows  []Delivery // all others
}

// SentCopy is a copy that the next hop took at the first try.
type SentCopy struct {
	RecipientID int64
	At          Instant
	Code        int
	Reply       string
}

// Delivery gives the copy as a row of its own.
func (c *SentCopy) Delivery(distributionID int64) Delivery {
	return Delivery{DistributionID: distributionID, RecipientID: c.RecipientID, State: DeliverySent, Attempts: 1, Code: c.Code, Reply: c.Reply, At: c.At}
}

// Bounce is mail that came to a bounce address, with the delivery it names.
type Bounce struct {
	ID             int64 `gorm:"primaryKey"`
	ListID         int64
	DistributionID int64
	RecipientID    int64
	BytesID        int64 // the mail; 0: it was said in the SMTP dialogue
	ReceivedAt     Instant
	Code           int    // what was said there, 500 or more
	Reply          string // its text
}

// SiteDue is a site some copies wait for.
type SiteDue struct {
	Site int64 // as Delivery.Site
	Due  bool  // one of them may be tried now
}

// SiteRoom is a site, with the lane, and how many copies for it may be claimed.
type SiteRoom struct {
	Site int64
	Room int
}

// SiteClaim is what was claimed for sites: copies, their distributions, and the
// people they are for, ended or not; house letters have none.
type SiteClaim struct {
	Distributions []Distribution
	Rows          []Delivery
	People        []Subscriber
}
