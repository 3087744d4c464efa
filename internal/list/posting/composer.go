package posting

import (
	"context"
	"encoding/json"
	"sync"

	"plenary/internal/fault"
	"plenary/internal/list/compose"
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

// Composer makes distributions ready for the queue: posts are composed anew from
// the archived bytes and the settings snapshot, house letters go as they are.
type Composer struct {
	Store  Mail
	Tokens *token.Keyring
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
		return &ready{reversePath: d.ReversePath, recipient: d.Recipient, data: data}, nil
	case model.DistributePost:
		return c.openPost(ctx, d)
	}
	return nil, fault.New(fault.Internal, "a distribution of kind %d cannot be sent", d.Kind)
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
	return &copies{post: compose.Prepare(own, raw, o), header: message.ParseHeader(raw), d: *d, tokens: c.Tokens}, nil
}

// ready is a letter that is complete.
type ready struct {
	reversePath, recipient string
	data                   []byte
}

// Letter gives the letter; there is only one recipient.
func (r *ready) Letter(queue.Recipient) queue.Letter {
	return queue.Letter{ReversePath: r.reversePath, Recipient: r.recipient, Segments: [][]byte{r.data}}
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

// Spare leaves out who got the post directly from its author and wants no second
// copy.
func (c *copies) Spare(r queue.Recipient) string {
	if r.Options&model.OptNoDuplicate == 0 {
		return ""
	}
	c.once.Do(func() {
		c.named = map[string]bool{}
		for _, field := range []string{"To", "Cc"} {
			for _, m := range c.header.Addresses(field) {
				c.named[m.Address.Key()] = true
			}
		}
	})
	if c.named[r.Key] {
		return "stands in To or Cc and wants no second copy"
	}
	return ""
}
