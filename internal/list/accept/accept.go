// Package accept judges a message offered to a list.
//
// Question and consequence are apart: a Rule asks one question about a Case and
// its table line says what a hit means. The order of the table is the order of
// asking (rules.go); every rule is one file with a golden case in testdata.
// Hits that mean Hold are gathered, so that author and moderators see all
// reasons at once; any other hit ends the walk and its reason stands alone. Who
// is never stopped is accepted. The verdict carries the trace of every rule
// asked: "why was it held" always has an answer.
//
// Judging is pure: what a rule may look at is in the Case, made ready by
// list/posting. From is not proof of anything (anyone can write it), so a rule that
// opens a door to owners, moderators or editors asks Privileged, which wants
// authentication as well.
//
// Membership is not disclosed, as far as judging can help it. Who writes in the
// name of an address sees the reply to DATA. Where outsiders are held or dropped,
// everybody reads 250. Where they are refused, the refusal itself tells, and cannot
// be put off: to accept first and write later would send letters to whoever was
// named in From. That is the choice of the list's owner, and docs/settings.md says
// so. What such a list can do, it does: what is no post at all is refused for
// everybody (no-post), all who may not post read the same sentence, and what
// remains cannot be asked without a message to the list's people or to the list.
//
// Reasons are sentences for a person who runs a list beside her real work: they
// say what was seen and what to do, without the words of mail experts.
package accept

import (
	"context"
	"slices"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// Rule is one question about a message, and what a hit means.
type Rule struct {
	Name string // keyword in traces and events; never changes once released
	Doc  string // one sentence for the handbook
	// Then is what a hit means: Hold hits are gathered, Accept, Reject and
	// Discard end the walk.
	Then model.Action
	// Kind is how a door answers a Reject; the zero value stands for Forbidden.
	Kind fault.Kind
	// Machine: a Reject that meets machines going in circles. Where a refusal
	// cannot be said it becomes a Discard, while others become a Hold.
	Machine bool
	// Person: the reason tells how an address is on the list, and is for nobody
	// but that address and the list's staff.
	Person bool
	// Ask looks at the case. The reason is a sentence for people, without a line
	// break. An error means that the question cannot be answered now; the whole
	// judgement is then void.
	Ask func(ctx context.Context, c *Case) (hit bool, reason string, err error)
}

// Case is a message offered to one list, with everything a rule may look at. It
// is used by one goroutine.
type Case struct {
	List        *model.List
	Raw         []byte
	Header      message.Header
	Structure   *message.Structure
	Size        int64
	ReversePath string // empty: the null reverse-path
	// Author is the first mailbox of From; the zero Mailbox when there is none.
	Author address.Mailbox
	// Subscriber is the author's row on this list, nil for an outsider.
	Subscriber *model.Subscriber
	// Bans of the list and the site that are in force.
	Bans []model.Ban
	// Authenticated: the peer proved that it speaks for the author's address.
	Authenticated bool
	// SeenBody: the author posted the same words on this list within the last 28
	// days, under another Message-ID.
	SeenBody bool
	// Text of the message; nil: Reading reads it.
	Text *message.Reading
}

// Reading gives the text of the message, read at the first call.
func (c *Case) Reading() *message.Reading {
	if c.Text == nil {
		text := c.Structure.Read(c.Raw)
		c.Text = &text
	}
	return c.Text
}

// Privileged reports whether the author is known to be an owner, moderator or
// editor of the list: by her row, and by proof that it is she.
func (c *Case) Privileged() bool { return c.Authenticated && c.staff() }

// staff reports whether the author's address belongs to the list's staff, which
// proves nothing about who wrote.
func (c *Case) staff() bool {
	return c.Subscriber.Has(model.RoleOwner | model.RoleModerator | model.RoleEditor)
}

// authorAction is what the list's policy says about posts of this author.
func (c *Case) authorAction() model.Action {
	switch {
	case c.Subscriber == nil:
		return orElse(c.List.NonsubscriberAction, model.Hold)
	case c.Subscriber.Moderation != model.Defer:
		return c.Subscriber.Moderation
	case c.Privileged():
		return model.Accept
	}
	return orElse(c.List.SubscriberAction, model.Accept)
}

func orElse(a, instead model.Action) model.Action {
	if a == model.Defer {
		return instead
	}
	return a
}

// Judge asks the rules in order and gives the verdict with its trace. An error
// means that no verdict could be reached now.
func Judge(ctx context.Context, rules []Rule, c *Case) (model.Verdict, error) {
	return walk(ctx, rules, c, false)
}

// Explain is Judge with a trace of all rules, also those after the one that
// ended the walk. The verdict is the same.
func Explain(ctx context.Context, rules []Rule, c *Case) (model.Verdict, error) {
	return walk(ctx, rules, c, true)
}

func walk(ctx context.Context, rules []Rule, c *Case, all bool) (model.Verdict, error) {
	v := model.Verdict{Action: model.Accept}
	ended := false
	for _, r := range rules {
		hit, reason, err := r.Ask(ctx, c)
		if err != nil {
			return model.Verdict{}, fault.Wrap(kindOf(err), err, "the rule %s cannot be asked now", r.Name)
		}
		answer := model.Answer{Rule: r.Name, Hit: hit}
		if hit {
			answer.Action, answer.Text = r.Then, reason
		}
		v.Trace = append(v.Trace, answer)
		switch {
		case !hit || ended || r.Then == model.Defer:
			continue
		case r.Then == model.Hold:
			v.Action = model.Hold
			v.Reasons = append(v.Reasons, model.Reason{Rule: r.Name, Text: reason})
			continue
		}
		v.Action, v.Reasons, ended = r.Then, []model.Reason{{Rule: r.Name, Text: reason}}, true
		if !all {
			break
		}
	}
	return v, nil
}

// kindOf keeps what kind of trouble a rule had; trouble of unknown kind passes.
func kindOf(err error) fault.Kind {
	if k := fault.KindOf(err); k != fault.Internal {
		return k
	}
	return fault.Temporary
}

// Kind says how a door answers a verdict: with the kind of the rule that
// refused. It is Forbidden for rules without a kind of their own.
func Kind(rules []Rule, v model.Verdict) fault.Kind {
	if r := deciding(rules, v); r != nil && r.Kind != fault.Internal {
		return r.Kind
	}
	return fault.Forbidden
}

// Unsaid gives the verdict that takes the place of a refusal which cannot be
// said, because other recipients of the same transaction took the message: a
// human looks at it, unless the rule is about machines.
func Unsaid(rules []Rule, v model.Verdict) model.Verdict {
	if v.Action != model.Reject {
		return v
	}
	v.Action = model.Hold
	if r := deciding(rules, v); r != nil && r.Machine {
		v.Action = model.Discard
	}
	return v
}

// Impersonal leaves out the reasons that tell how the author's address is on the
// list: for a letter to somebody who has not proved to be the author.
func Impersonal(rules []Rule, reasons []model.Reason) []model.Reason {
	var out []model.Reason
	for _, r := range reasons {
		personal := slices.ContainsFunc(rules, func(rule Rule) bool { return rule.Name == r.Rule && rule.Person })
		if !personal {
			out = append(out, r)
		}
	}
	return out
}

// deciding finds the rule that gave the verdict's first reason.
func deciding(rules []Rule, v model.Verdict) *Rule {
	for i := range rules {
		if len(v.Reasons) > 0 && rules[i].Name == v.Reasons[0].Rule {
			return &rules[i]
		}
	}
	return nil
}
