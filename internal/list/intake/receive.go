package intake

import (
	"context"
	"errors"
	"fmt"

	"plenary/internal/fault"
	"plenary/internal/list/bounce"
	"plenary/internal/list/command"
	"plenary/internal/list/posting"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// task is a message for one of our addresses.
type task struct {
	target
	judged *posting.Judged // for posts: the verdict
	done   bool            // outcome is final
	out    Outcome
	first  *task // another recipient of the transaction means the same
}

// transaction is one message with all its recipients.
type transaction struct {
	in    Incoming
	offer posting.Offer
	tasks []*task
	seen  map[meaning]*task // whom each meaning is served for
}

// judgements of one message that a list is asked for while it is being changed.
const judgements = 3

// Receive takes a message for its recipients. The outcomes have the order of
// in.Recipients and mean what they say when it returns: an accepted one is
// committed. Recipients that mean the same are served once.
func (d *Desk) Receive(ctx context.Context, in Incoming) []Outcome {
	defer d.Store.ExpectPost()()
	t := &transaction{in: in, offer: posting.Offer{Raw: in.Raw, ReversePath: in.ReversePath, Helo: in.Peer.Helo, Addr: in.Peer.Addr,
		Protocol: in.Peer.Protocol, At: d.Now()}}
	var err error
	if t.offer.Account, err = d.proved(ctx, in); err != nil {
		d.Log.Warn("cannot tell whose address the author's is", "account", in.Peer.Account, "err", err)
		return d.putOff(t, err)
	}
	d.plan(ctx, t)
	for _, k := range t.tasks {
		if !k.done && k.first == nil && !k.refuses() {
			d.serve(ctx, t, k)
		}
	}
	d.refuse(ctx, t)
	out := make([]Outcome, len(t.tasks))
	for i, k := range t.tasks {
		if k.first != nil {
			k.out = k.first.out
		}
		k.out.Recipient = in.Recipients[i]
		out[i] = k.out
	}
	return out
}

// proved gives the author's address when the account that handed the message in
// owns it, as its first address or another; else the account's, which proves
// nothing about the author.
func (d *Desk) proved(ctx context.Context, in Incoming) (string, error) {
	account, err := address.Parse(in.Peer.Account)
	if err != nil {
		return "", nil // no account
	}
	from := message.ParseHeader(in.Raw).Addresses("From")
	if len(from) == 0 || from[0].Address.Key() == account.Key() {
		return in.Peer.Account, nil
	}
	owner, err := d.Store.FindAccount(ctx, from[0].Address.Key())
	if err != nil || owner == nil {
		return in.Peer.Account, err
	}
	self, err := d.Store.FindAccount(ctx, account.Key())
	if err == nil && self != nil && self.ID == owner.ID {
		return from[0].Address.String(), nil
	}
	return in.Peer.Account, err
}

// putOff answers every recipient with the same failure.
func (d *Desk) putOff(t *transaction, err error) []Outcome {
	out := make([]Outcome, len(t.in.Recipients))
	for i, r := range t.in.Recipients {
		out[i] = Outcome{Recipient: r, Kind: fault.KindOf(err), Text: fault.Text(err)}
		d.Count("deferred")
	}
	return out
}

// meaning is what makes two recipients one.
type meaning struct {
	role   Role
	list   int64
	domain string
	token  string
	line   string
}

// plan finds out what each recipient means and lets lists judge. It changes
// nothing.
func (d *Desk) plan(ctx context.Context, t *transaction) {
	t.seen = map[meaning]*task{}
	for _, r := range t.in.Recipients {
		k := &task{}
		t.tasks = append(t.tasks, k)
		if err := d.mean(ctx, t, k, r); err != nil {
			d.end(k, "refused", err)
		}
	}
}

// mean finds out what one recipient means.
func (d *Desk) mean(ctx context.Context, t *transaction, k *task, recipient string) (err error) {
	var recalled bool
	for again := 0; again == 0 || errors.Is(err, posting.ErrChanged) && again < judgements; again++ {
		if k.target, recalled = d.recall.find(recipient); again > 0 || !recalled {
			if k.target, err = d.resolve(ctx, recipient); err != nil {
				return err
			}
		}
		err = d.understand(ctx, t, k)
	}
	return err
}

// understand lets the list judge, unless another recipient means the same.
func (d *Desk) understand(ctx context.Context, t *transaction, k *task) (err error) {
	m := meaning{role: k.role, domain: k.address.Domain, token: k.token, line: k.line}
	if k.list != nil {
		m.list = k.list.ID
	}
	if k.first = t.seen[m]; k.first != nil {
		return nil
	}
	if _, command := entries[k.role]; command {
		if why := t.doubt(); why != "" {
			err = fault.New(fault.Invalid, "%s", why)
		}
	}
	if k.role == RoleBounces {
		err = d.Bounces.Takes(t.report(k))
	}
	if k.role == RolePost {
		k.judged, err = d.Posting.Judge(ctx, k.list, &t.offer)
	}
	if !errors.Is(err, posting.ErrChanged) {
		t.seen[m] = k
	}
	return err
}

// report is what came to a return address.
func (t *transaction) report(k *task) bounce.Report {
	return bounce.Report{List: k.list, ID: k.token, ReversePath: t.in.ReversePath, Raw: t.in.Raw}
}

// doubt says why it cannot be told whose commands the message holds.
func (t *transaction) doubt() string { return message.ParseHeader(t.in.Raw).AuthorDoubt() }

// refuses reports whether the verdict about a post is to refuse it.
func (k *task) refuses() bool {
	return k.judged != nil && !k.judged.Duplicate && k.judged.Verdict.Action == model.Reject
}

// end settles the outcome of a task.
func (d *Desk) end(k *task, outcome string, err error) {
	k.done, k.out = true, Outcome{Accepted: err == nil}
	if err != nil {
		k.out.Kind, k.out.Text = fault.KindOf(err), fault.Text(err)
		if passing(k.out.Kind) {
			outcome = "deferred"
			d.Log.Warn("mail deferred", "to", k.address.String(), "err", err)
		}
	}
	d.Count(outcome)
}

// passing tells failures after which the client should come again.
func passing(k fault.Kind) bool {
	return k == fault.Internal || k == fault.Temporary || k == fault.StorageFull || k == fault.TooMany
}

// serve does what the recipient is for.
func (d *Desk) serve(ctx context.Context, t *transaction, k *task) {
	switch k.role {
	case RolePost:
		d.settle(ctx, k, k.judged)
	case RoleBounces:
		d.end(k, "bounce", d.Bounces.Record(ctx, t.report(k)))
	case RoleOwner, RoleModerators, RolePostmaster:
		d.end(k, "forwarded", d.Owners.pass(ctx, k.target, &t.offer))
	default:
		d.end(k, "command", d.Commands.Handle(ctx, d.mail(t, k)))
	}
}

// settle makes a verdict about a post true.
func (d *Desk) settle(ctx context.Context, k *task, j *posting.Judged) {
	r, err := d.Posting.Settle(ctx, j)
	switch {
	case err != nil:
		d.end(k, "deferred", err)
	case r.Action == model.Reject:
		d.end(k, "refused", fault.New(r.Kind, "%s", r.Text))
	case r.Duplicate:
		d.end(k, "duplicate", nil)
	default:
		d.end(k, map[model.Action]string{model.Accept: "accepted", model.Hold: "held", model.Discard: "discarded"}[r.Action], nil)
	}
}

// refuse settles the lists that refuse, when it is known what the others did.
func (d *Desk) refuse(ctx context.Context, t *transaction) {
	accepted, again := false, false
	for _, k := range t.tasks {
		accepted = accepted || k.done && k.out.Accepted
		again = again || k.done && !k.out.Accepted && passing(k.out.Kind)
	}
	for _, k := range t.tasks {
		switch {
		case k.done || k.first != nil:
		case t.in.PerRecipient || !accepted && !again:
			d.settle(ctx, k, k.judged)
		case again: // the client comes again with all of it
			d.end(k, "deferred", fault.New(fault.Temporary, "please send the message again later"))
		case k.judged.Trusted():
			d.end(k, "refused", d.Posting.Refuse(ctx, k.judged))
		default:
			d.settle(ctx, k, d.Posting.Unsaid(k.judged))
		}
	}
}

// entries says where a command came in.
var entries = map[Role]command.Entry{RoleRequest: command.AtRequest, RoleJoin: command.AtJoin, RoleLeave: command.AtLeave,
	RoleConfirm: command.AtConfirm, RoleHelp: command.AtHelp}

// mail makes a command mail of a message.
func (d *Desk) mail(t *transaction, k *task) command.Mail {
	m := command.Mail{Raw: t.in.Raw, Header: message.ParseHeader(t.in.Raw), ReversePath: t.in.ReversePath, Entry: entries[k.role],
		List: k.list, Domain: k.address.Domain, Token: k.token, Line: k.line, Source: "mail"}
	if from := m.Header.Addresses("From"); len(from) > 0 {
		m.From = from[0].Address
	}
	if account, err := address.Parse(t.offer.Account); err == nil {
		m.Authenticated = account.Key() == m.From.Key()
	}
	if k.list == nil {
		m.Entry = command.AtServer
	}
	if t.in.Peer.Addr.IsValid() {
		m.Source = fmt.Sprintf("mail from %s", t.in.Peer.Addr.Unmap())
	}
	return m
}
