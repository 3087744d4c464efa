package imapd

import (
	"context"
	"fmt"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Moderation lets people decide held posts by moving them. For each list they
// decide on there are the mailboxes Moderation/<list>/Pending, with what waits,
// and Approve, Reject and Discard, which are always empty: what is moved or
// copied there is decided.
type Moderation interface {
	// Moderates are the lists on which who decides held posts.
	Moderates(ctx context.Context, who model.Actor) ([]model.List, error)
	// Pending are the posts that wait on a list in the order of UIDs, at most
	// limit, and a UID above theirs that the next one will have at least.
	Pending(ctx context.Context, list *model.List, limit int) ([]model.Held, model.UID, error)
	// HeldBytes is a held post as it came.
	HeldBytes(ctx context.Context, h *model.Held) ([]byte, error)
	// Decide carries out a decision: Accept, Reject or Discard. A fault Conflict
	// or Expired says that it came too late, in words for the moderator.
	Decide(ctx context.Context, heldID int64, action model.Action, by string) error
}

// expungeIssued says that a message is gone (RFC 5530).
const expungeIssued imap.ResponseCode = "EXPUNGEISSUED"

const (
	moderation  = "Moderation"
	pendingName = "Pending"
)

// verdictNames are the mailboxes that decide.
var verdictNames = []struct {
	name   string
	action model.Action
}{{"Approve", model.Accept}, {"Discard", model.Discard}, {"Reject", model.Reject}}

// moderated gives the nodes for what the person decides on. names are those of
// the archives' mailboxes.
func (s *session) moderated(ctx context.Context, names map[int64]string) ([]node, error) {
	mod := s.front.srv.opt.Moderation
	if mod == nil || s.who.Anonymous {
		return nil, nil
	}
	lists, err := mod.Moderates(ctx, s.who)
	if err != nil || len(lists) == 0 {
		return nil, err
	}
	all := []node{{name: moderation, parent: true}}
	for i := range lists {
		l := &lists[i]
		name := names[l.ID]
		if name == "" {
			continue
		}
		name = moderation + name[len(root):]
		all = append(all, node{name: name, parent: true})
		for _, v := range verdictNames {
			all = append(all, node{name: name + "/" + v.name, list: l, verdict: v.action, leaf: true})
		}
		all = append(all, node{name: name + "/" + pendingName, list: l, held: true, leaf: true})
	}
	return all, nil
}

// mayModerate says whether the person still decides on a list.
func (s *session) mayModerate(list int64) (bool, error) {
	lists, err := s.front.srv.opt.Moderation.Moderates(s.ctx, s.who)
	for i := range lists {
		if lists[i].ID == list {
			return true, nil
		}
	}
	return false, err
}

// Copy decides what is copied to a mailbox that decides; else it is refused
// (RFC 9051 6.4.7).
func (s *session) Copy(set imap.NumSet, dest string) (*imap.CopyData, error) {
	return nil, s.decide(set, dest)
}

// Move decides like Copy (RFC 9051 6.4.8). That the posts are gone is told with
// the outcome.
func (s *session) Move(_ *imapserver.MoveWriter, set imap.NumSet, dest string) error {
	return s.decide(set, dest)
}

func (s *session) decide(set imap.NumSet, dest string) error {
	n, err := s.find(s.ctx, dest)
	if err != nil {
		return err
	}
	if n.verdict == model.Defer {
		return s.postTo(dest)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sel, err := s.mailbox()
	switch {
	case err != nil:
		return err
	case !sel.held || sel.list.ID != n.list.ID:
		return no(imap.ResponseCodeCannot, "What is moved here comes from the list's "+pendingName+" mailbox")
	case sel.readOnly:
		return no(imap.ResponseCodeNoPerm, "The mailbox was opened read-only")
	}
	spans := sel.spans(set)
	if count(spans) > maxDecisions {
		return no(imap.ResponseCodeLimit, fmt.Sprintf("At most %d messages are decided at once", maxDecisions))
	}
	failed := s.decideAll(sel, spans, n.verdict)
	if err := sel.box.index.Refresh(s.ctx, 0); err != nil {
		return s.failed("look for held posts", err)
	}
	sel.box.tell() // the others who look at it
	return failed
}

// decideAll decides each post; of those that cannot be, the first says why.
func (s *session) decideAll(sel *selected, spans []span, action model.Action) (failed error) {
	for _, span := range spans {
		for _, r := range sel.rows[span.from:span.to] {
			err := s.decideOne(sel, r.UID, action)
			switch {
			case err == nil || failed != nil:
			case fault.Is(err, fault.Conflict), fault.Is(err, fault.Expired):
				failed = no(expungeIssued, s.readable("Too late: "+fault.Text(err)))
			case fault.Is(err, fault.NotFound):
				failed = no(expungeIssued, "The message does not wait any more")
			default:
				failed = s.failed("decide a post", err)
			}
			if s.ctx.Err() != nil {
				return failed
			}
		}
	}
	return failed
}

func (s *session) decideOne(sel *selected, uid model.UID, action model.Action) error {
	p, ok := sel.box.index.(*pending)
	if !ok {
		return fault.New(fault.Internal, "not a mailbox of what waits")
	}
	return s.front.srv.opt.Moderation.Decide(s.ctx, p.number(uid), action, s.who.Email)
}
