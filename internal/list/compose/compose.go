// Package compose makes of a received message what the archive keeps and what
// subscribers get. It is pure: bytes and settings in, bytes out.
//
// The received bytes are the truth. Nothing is parsed and written anew: a change
// is an edit of the raw bytes, which cuts the lines of one header field, puts
// lines of our own in front, or adds a part (draft.go). What no edit names goes
// out as it came in, bit for bit, so that signatures of authors hold. With
// neither subject tag nor footer no byte of the body changes. Signed and
// encrypted messages are never opened or decorated.
//
// Each change is one Step, one file, one line in steps.go. All run once per
// post; the result is a Prepared: constant segments with holes for the few words
// that differ from copy to copy (the one-click link). A copy then costs no
// parsing and no copying of the post.
//
// The settings come as Options, a snapshot taken when the post was accepted:
// a post half delivered does not change because an owner edits the footer.
//
// We add no Sender field. RFC 5322 would allow it, but mail programs show it as
// "on behalf of", and it breaks the DKIM signature of authors who sign it.
package compose

import (
	"strings"
	"time"

	"plenary/internal/mail/address"
	"plenary/internal/mail/mailauth"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/outbound/queue"
)

// Limits.
const (
	maxLine   = 998 // octets of a line without CRLF, RFC 5322 2.1.1
	foldAt    = 76  // octets after which our own fields are folded, RFC 2047 2
	maxLocal  = 64  // octets of a local part, RFC 5321 4.5.3.1.1
	maxPhrase = 192 // octets of the list's description in List-Id
)

const leavePath = "/unsubscribe/" // of the web door; the token follows

// Options is what of a list's settings goes into its copies. It is stored as
// JSON with the distribution; names must not change once released.
type Options struct {
	Local        string `json:"local"`
	Domain       string `json:"domain"`
	Title        string `json:"title,omitempty"`
	Description  string `json:"description,omitempty"`
	Announcement bool   `json:"announcement,omitempty"` // subscribers do not post
	Tag          string `json:"tag,omitempty"`
	Footer       string `json:"footer,omitempty"`
	ReplyToList  bool   `json:"replyToList,omitempty"`
	BaseURL      string `json:"baseURL,omitempty"`    // of the web, without a slash at the end; empty: none
	ArchivedAt   string `json:"archivedAt,omitempty"` // URL of this post; empty: none
	Host         string `json:"host,omitempty"`       // our name in Authentication-Results; empty: not known
}

// Snapshot takes from a list what its copies need. baseURL has no slash at the
// end; archivedAt is the URL of the post; both may be empty.
func Snapshot(l *model.List, baseURL, archivedAt string) Options {
	return Options{Local: l.Local, Domain: l.Domain, Title: l.Title(), Description: l.Description,
		Announcement: l.Kind != model.Discussion, Tag: l.SubjectTag, Footer: l.Footer,
		ReplyToList: l.ReplyTo == model.ReplyToList, BaseURL: baseURL, ArchivedAt: archivedAt}
}

// sub is the address of a function of the list; "" is the posting address.
func (o *Options) sub(function string) address.Address {
	if function != "" {
		function = "-" + function
	}
	return address.Address{Local: o.Local + function, Domain: o.Domain}
}

// head is sub for header fields and envelopes: in ASCII, so that copies pass
// servers without SMTPUTF8 (RFC 6531) and every reader can answer.
func (o *Options) head(function string) address.Address {
	ascii := Options{Local: address.ASCIIName(o.Local), Domain: o.Domain}
	return ascii.sub(function)
}

// Bounces is the reverse-path of the copy with this VERP id. When the list's
// name leaves no room for it, or is not ASCII after all, it is an address of the
// whole domain: the id alone names the delivery.
func (o *Options) Bounces(verp string) string {
	f := newBounceFrame(o)
	return f.address(verp)
}

// bounceFrame is what stands around the VERP id in reverse-paths.
type bounceFrame struct {
	room        int // for an id behind the list's name
	long, short [2]string
}

func newBounceFrame(o *Options) bounceFrame {
	around := func(local string) [2]string {
		s := address.Address{Local: local + "0", Domain: o.Domain}.String()
		at := strings.LastIndex(s, "+0") // a domain has no +
		return [2]string{s[:at+1], s[at+2:]}
	}
	named := o.head("bounces+")
	f := bounceFrame{maxLocal - len(named.Local), around(named.Local), around("bounces+")}
	if named.NeedsUTF8() {
		f.long = f.short
	}
	return f
}

func (f *bounceFrame) address(verp string) string {
	if len(verp) > f.room {
		return f.short[0] + verp + f.short[1]
	}
	return f.long[0] + verp + f.long[1]
}

// Recipient is what differs from copy to copy.
type Recipient struct {
	Address  string // where the copy goes
	Verp     string // id of the delivery, for the reverse-path
	OneClick string // token of the leave link (RFC 8058); empty: no link
}

// Prepared is a post ready for all its copies. It does not change any more and
// may be used by many goroutines.
type Prepared struct {
	options Options
	bounces bounceFrame
	pieces  []piece
	signer  *mailauth.Prepared // nil: copies are not signed
}

// Prepare runs the steps over a message. own is the header block Archived made
// for it (nil for none), raw the message as received, with CRLF line ends; both
// must not change afterwards. It never fails: what is broken in raw goes out
// broken.
func Prepare(own, raw []byte, o Options) *Prepared {
	d := newDraft(own, raw, o)
	for _, s := range Steps() {
		s.Apply(d)
	}
	return &Prepared{options: o, bounces: newBounceFrame(&o), pieces: d.render()}
}

// SignWith has every copy signed with the keys (DKIM, RFC 6376). at is the time
// of the signature, the same for a repeated copy. What is Invalid cannot be
// signed as it is and goes out unsigned when the caller goes on.
func (p *Prepared) SignWith(keys []mailauth.Key, at time.Time) error {
	pieces := make([]mailauth.Piece, 0, len(p.pieces))
	for _, piece := range p.pieces {
		pieces = append(pieces, mailauth.Piece{Data: piece.data, Personal: piece.hole != nil})
	}
	signer, err := mailauth.Prepare(pieces, keys, mailauth.Options{Time: at, Personal: []string{"List-Unsubscribe-Post", "List-Unsubscribe"}})
	if err == nil {
		p.signer = signer
	}
	return err
}

// Signed tells whether copies carry a signature of their own.
func (p *Prepared) Signed() bool { return p.signer != nil }

// For makes one copy. The large segments are shared by all copies.
func (p *Prepared) For(r Recipient) queue.Letter {
	l := queue.Letter{ReversePath: p.bounces.address(r.Verp), Recipient: r.Address, Segments: make([][]byte, 0, len(p.pieces)+1)}
	var holes [][]byte
	if p.signer != nil {
		l.Segments = append(l.Segments, nil) // the signature's place
	}
	for _, piece := range p.pieces {
		data := piece.data
		if piece.hole != nil {
			data = piece.hole(&p.options, r)
			if p.signer != nil {
				holes = append(holes, data)
			}
		}
		if len(data) > 0 {
			l.Segments = append(l.Segments, data)
		}
	}
	if p.signer == nil {
		return l
	}
	signature, err := p.signer.Sign(holes...)
	if err != nil {
		l.Unfit = "the copy could not be signed: " + err.Error()
	}
	l.Segments[0] = signature
	return l
}

// leaveURL is the one-click link of a copy, or "".
func (o *Options) leaveURL(token string) string {
	if o.BaseURL == "" || token == "" {
		return ""
	}
	return o.BaseURL + leavePath + token
}

// ListURL is the page of the list at the web door, or "" without one.
func (o *Options) ListURL() string {
	if o.BaseURL == "" {
		return ""
	}
	return o.BaseURL + "/list/" + pathEscape(o.sub("").String())
}

// PostURL is the page of the post with this permalink hash: what stands in
// Archived-At (RFC 5064). Without a web door it is "".
func PostURL(l *model.List, baseURL, hash string) string {
	if baseURL == "" {
		return ""
	}
	return baseURL + "/archive/" + pathEscape(l.Address()) + "/" + hash
}

// lacksMessageID tells a message that cannot be named: ours gives it a name.
func lacksMessageID(h message.Header) bool { return strings.TrimSpace(h.MessageID()) == "" }
