package posting

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"

	"plenary/internal/fault"
	"plenary/internal/list/compose"
	"plenary/internal/mail/mailauth"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/token"
)

// Mail gives the bytes of what is to be sent.
type Mail interface {
	GetPost(ctx context.Context, id model.PostID) (*model.Post, error)
	PostBytes(ctx context.Context, p *model.Post) ([]byte, error)
	Bytes(ctx context.Context, id int64) ([]byte, error)
}

// reportField marks reports on TLS (RFC 8460 5.3), which must arrive even where
// TLS fails.
const reportField = "TLS-Report-Domain"

// Composer makes distributions ready for the queue: posts are composed anew from
// the archived bytes and the settings snapshot, house letters go as they are.
type Composer struct {
	Store  Mail
	Tokens *token.Keyring
	Keys   Keys         // nil: nothing is signed
	Log    *slog.Logger // nil: silent
}

// Keys finds the keys that sign mail of the first of the domains that has some;
// none is no error.
type Keys interface {
	For(ctx context.Context, domains ...string) ([]mailauth.Key, error)
}

// keys are those of the domain, if anything is signed at all.
func (c *Composer) keys(ctx context.Context, domain string) ([]mailauth.Key, error) {
	if c.Keys == nil || domain == "" {
		return nil, nil
	}
	return c.Keys.For(ctx, domain)
}

// unsigned says that a message goes out without a signature: a strange message
// is no reason to keep it back, a key that fails is.
func (c *Composer) unsigned(d *model.Distribution, err error) error {
	if !fault.Is(err, fault.Invalid) {
		return err
	}
	if c.Log != nil {
		c.Log.Warn("a message cannot be signed and goes out unsigned", "distribution", d.ID, "err", err)
	}
	return nil
}

// Open loads what a distribution sends. A post that is no longer there is
// NotFound.
func (c *Composer) Open(ctx context.Context, d *model.Distribution) (queue.Prepared, error) {
	switch d.Kind {
	case model.DistributeLetter:
		data, err := c.Store.Bytes(ctx, d.BytesID)
		if err != nil {
			return nil, err
		}
		return c.openLetter(ctx, d, data)
	case model.DistributePost:
		return c.openPost(ctx, d)
	}
	return nil, fault.New(fault.Internal, "a distribution of kind %d cannot be sent", d.Kind)
}

// openLetter signs a house letter for the domain it is from.
func (c *Composer) openLetter(ctx context.Context, d *model.Distribution, data []byte) (queue.Prepared, error) {
	header := message.ParseHeader(data)
	r := &ready{reversePath: d.ReversePath, recipient: d.Recipient, data: data, anyway: header.Has(reportField)}
	from := header.Addresses("From")
	if len(from) == 0 {
		return r, nil
	}
	keys, err := c.keys(ctx, from[0].Address.Domain)
	if err != nil || len(keys) == 0 {
		return r, err
	}
	signer, err := mailauth.Prepare([]mailauth.Piece{{Data: data}}, keys, mailauth.Options{Time: d.CreatedAt.Time()})
	if err == nil {
		r.signature, err = signer.Sign()
	}
	return r, c.unsigned(d, err)
}

func (c *Composer) openPost(ctx context.Context, d *model.Distribution) (queue.Prepared, error) {
	post, err := c.Store.GetPost(ctx, d.PostID)
	if err != nil {
		return nil, err
	}
	data, err := c.Store.PostBytes(ctx, post)
	if err != nil {
		return nil, err
	}
	var o compose.Options
	if err := json.Unmarshal([]byte(d.Options), &o); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the settings stored with the post cannot be read")
	}
	if post.OwnLen < 0 || post.OwnLen > int64(len(data)) {
		return nil, fault.New(fault.Internal, "the stored post is damaged")
	}
	own, raw := data[:post.OwnLen], data[post.OwnLen:]
	prepared := compose.Prepare(own, raw, o)
	keys, err := c.keys(ctx, o.Domain)
	if err == nil && len(keys) > 0 {
		err = c.unsigned(d, prepared.SignWith(keys, d.CreatedAt.Time()))
	}
	if err != nil {
		return nil, err
	}
	return &copies{post: prepared, header: message.ParseHeader(raw), d: *d, tokens: c.Tokens}, nil
}

// ready is a letter that is complete.
type ready struct {
	reversePath, recipient string
	data                   []byte
	signature              []byte // empty: not signed
	anyway                 bool   // see queue.Insistent
}

// Anyway implements queue.Insistent.
func (r *ready) Anyway() bool { return r.anyway }

// Letter gives the letter; there is only one recipient.
func (r *ready) Letter(queue.Recipient) queue.Letter {
	return queue.Letter{ReversePath: r.reversePath, Recipient: r.recipient, Segments: [][]byte{r.signature, r.data}}
}

// copies makes the copies of a post.
type copies struct {
	post   *compose.Prepared
	header message.Header
	d      model.Distribution
	tokens *token.Keyring

	once  sync.Once
	named map[string]bool // who stands in To or Cc
}

// Letter makes the copy of one subscriber. It depends on nothing but the
// distribution and the subscriber: a repeat is the same message.
func (c *copies) Letter(r queue.Recipient) queue.Letter {
	return c.post.For(compose.Recipient{Address: r.Address, Verp: c.tokens.Verp(c.d.ID, r.ID),
		OneClick: c.tokens.OneClick(c.d.ListID, r.ID, c.d.CreatedAt.Time())})
}

// Costly implements queue.Costly: a signature takes arithmetic.
func (c *copies) Costly() bool { return c.post.Signed() }

// Spare leaves out who got the post directly from its author and wants no second
// copy.
func (c *copies) Spare(r queue.Recipient) string {
	if r.Options&model.OptNoDuplicate == 0 {
		return ""
	}
	c.once.Do(func() { c.named = namedIn(c.header) })
	if c.named[r.Key] {
		return whyNamed
	}
	return ""
}

const whyNamed = "stands in To or Cc and wants no second copy"

// namedIn gives the keys of the addresses in To and Cc.
func namedIn(h message.Header) map[string]bool {
	named := map[string]bool{}
	for _, field := range []string{"To", "Cc"} {
		for _, m := range h.Addresses(field) {
			named[m.Address.Key()] = true
		}
	}
	return named
}
