package posting

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plenary/internal/list/accept"
	"plenary/internal/list/compose"
	"plenary/internal/mail/address"
	"plenary/internal/model"
	"plenary/internal/outbound/queue"
)

// Explanation is what would happen to a message.
type Explanation struct {
	Verdict       model.Verdict
	Author        string            // address, empty when there is none
	Authenticated bool              // proved to be the author's
	Evidence      []Evidence        // what is known of who sent it
	Subscriber    *model.Subscriber // the author's row, nil for an outsider
	Duplicate     bool              // the list has this Message-ID already
	Subscribers   int64             // of the list
	Recipients    int64             // who would get a copy if it were accepted now
	Spared        []Spared          // why the other subscribers would not, the most frequent reason first
	People        []Person          // each of them, when asked for
	Copy          []byte            // one copy as it would go out, to a made-up recipient
}

// Evidence is what one way of authentication says about a message.
type Evidence struct {
	Method string // auth, dkim, spf, dmarc, arc, authentication-results
	Result string // pass, fail, none, or unchecked: we do not look
	Text   string
}

// Spared is a reason to get no copy, and how many people have it.
type Spared struct {
	Why string
	N   int64
}

// Person is a subscriber and why she would get no copy; empty: she would.
type Person struct {
	Address string
	Why     string
}

const explainPage = 1000 // subscribers read at once

// Explain judges without effect and asks every rule. Line ends of LF are taken
// for CRLF, as a file on disk has them; an empty ReversePath stands for the
// author's address, and "<>" for the null reverse-path. people asks for each
// subscriber by name.
func (s *Service) Explain(ctx context.Context, l *model.List, o Offer, people bool) (*Explanation, error) {
	o.Raw, o.structure = withCRLF(o.Raw), nil
	if o.At.IsZero() {
		o.At = s.Now()
	}
	if from := o.parsed().header.Addresses("From"); o.ReversePath == "" && len(from) > 0 {
		o.ReversePath = from[0].Address.String()
	}
	if o.ReversePath == "<>" {
		o.ReversePath = ""
	}
	j, c, err := s.open(ctx, l, &o)
	if err != nil {
		return nil, err
	}
	e := &Explanation{Author: j.Author.Address.String(), Authenticated: j.trusted, Evidence: j.evidence(), Subscriber: c.Subscriber, Duplicate: j.Duplicate}
	if e.Verdict, err = accept.Explain(ctx, s.Rules, c); err != nil {
		return nil, err
	}
	if err := s.audience(ctx, j, e, people); err != nil {
		return nil, err
	}
	own, options := s.own(l, &o, s.trace(l, &o))
	letter := compose.Prepare(own, o.Raw, options).For(compose.Recipient{Address: "someone@example.org", Verp: "id", OneClick: "token"})
	for _, part := range letter.Segments {
		e.Copy = append(e.Copy, part...)
	}
	return e, nil
}

// audience counts who would get a copy, by the questions the queue asks when a
// subscriber's turn comes.
func (s *Service) audience(ctx context.Context, j *Judged, e *Explanation, people bool) error {
	named := namedIn(j.offer.header)
	spared := map[string]int64{}
	for after := int64(0); ; {
		subs, err := s.Store.SubscribersOf(ctx, j.List.ID, model.RoleSubscriber, after, explainPage)
		if err != nil {
			return err
		}
		for i := range subs {
			sub := &subs[i]
			after = sub.ID
			why := queue.Spared(sub, lane(j.List), j.Author.Address.Key())
			if why == "" && sub.Options&model.OptNoDuplicate != 0 && named[sub.EmailKey] {
				why = whyNamed
			}
			e.Subscribers++
			if why == "" {
				e.Recipients++
			} else {
				spared[why]++
			}
			if people {
				e.People = append(e.People, Person{sub.Email, why})
			}
		}
		if len(subs) < explainPage {
			break
		}
	}
	for why, n := range spared {
		e.Spared = append(e.Spared, Spared{why, n})
	}
	slices.SortFunc(e.Spared, func(a, b Spared) int {
		if a.N != b.N {
			return int(b.N - a.N)
		}
		return strings.Compare(a.Why, b.Why)
	})
	return nil
}

// evidence says what is known of who sent the message. Only AUTH at the
// submission door counts so far; what else the message carries is named, so that
// nobody takes it for checked.
func (j *Judged) evidence() []Evidence {
	h := j.offer.header
	author := j.Author.Address.String()
	if author == "" {
		author = "nobody"
	}
	auth := Evidence{"auth", "none", "not sent by a person who logged in; From says " + author + ", which proves nothing"}
	if account, err := address.Parse(j.offer.Account); err == nil {
		if auth = (Evidence{"auth", "pass", account.String() + " logged in, and From says the same"}); !j.trusted {
			auth.Result, auth.Text = "fail", account.String()+" logged in, but From says "+author
		}
	}
	out := []Evidence{auth}
	for _, v := range h.All("DKIM-Signature") {
		out = append(out, Evidence{"dkim", "unchecked", "there is a signature of " + tag(v, "d") + " (selector " + tag(v, "s") + ")"})
	}
	if len(out) == 1 {
		out = append(out, Evidence{"dkim", "none", "there is no signature"})
	}
	out = append(out, Evidence{"spf", "unchecked", "the reverse-path is <" + shown(j.offer.ReversePath) + ">"})
	if domain := j.Author.Address.Domain; domain != "" {
		out = append(out, Evidence{"dmarc", "unchecked", "the policy would be that of " + domain})
	}
	if n := len(h.All("ARC-Seal")); n > 0 {
		out = append(out, Evidence{"arc", "unchecked", fmt.Sprintf("%d seals of servers on the way", n)})
	}
	for _, v := range h.All("Authentication-Results") {
		by, _, _ := strings.Cut(v, ";")
		out = append(out, Evidence{"authentication-results", "unchecked", "there is a field in the name of " + shown(by) + ", which is not believed"})
	}
	return out
}

// tag gives a tag of a tag=value list (RFC 6376 3.2), for show.
func tag(list, name string) string {
	for part := range strings.SplitSeq(list, ";") {
		if k, v, ok := strings.Cut(part, "="); ok && strings.TrimSpace(k) == name {
			return shown(v)
		}
	}
	return "?"
}

// withCRLF makes every line end CRLF.
func withCRLF(raw []byte) []byte {
	out := make([]byte, 0, len(raw)+len(raw)/32)
	for i, c := range raw {
		if c == '\n' && (i == 0 || raw[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, c)
	}
	return out
}
