package command

import (
	"context"
	"strings"

	"plenary/internal/fault"
	"plenary/internal/list/moderation"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// word is what an answer to a question says.
type word uint8

// The words. The zero value decides nothing.
const (
	unclear word = iota
	yes
	no
	drop
	never // does not want what a letter offers: no to joining, yes to leaving
)

// reply is an answer as read.
type reply struct {
	word    word
	comment string // what follows a no
}

// The first words of answers, lower case.
var firstWords = map[string]word{
	"ok": yes, "okay": yes, "yes": yes, "y": yes, "confirm": yes, "confirmed": yes, "accept": yes, "accepted": yes, "approve": yes, "approved": yes,
	"distribute": yes, "release": yes, "ja": yes, "oui": yes, "si": yes, "sí": yes, "sim": yes, "tak": yes, "da": yes, "kyllä": yes, "はい": yes,
	"no": no, "reject": no, "rejected": no, "deny": no, "denied": no, "refuse": no, "refused": no, "nein": no, "non": no, "nej": no, "nee": no, "nei": no, "não": no, "nie": no,
	"discard": drop, "spam": drop, "delete": drop, "drop": drop, "junk": drop, "cancel": never, "ignore": never,
}

// afterYes may follow a yes without changing its meaning. Anything else makes it
// unclear: "OK but ask her first" must not release a post.
var afterYes = map[string]bool{"ok": true, "yes": true, "please": true, "thanks": true, "thank": true, "you": true, "danke": true, "merci": true, "gracias": true,
	"bitte": true, "release": true, "approve": true, "approved": true, "accept": true, "it": true, "this": true, "that": true, "post": true, "message": true, "go": true,
	"ahead": true, "from": true, "me": true, "for": true, "fine": true, "by": true, "with": true, "confirm": true, "join": true, "let": true, "through": true, "list": true, "the": true}

// noButYes follow a "no" that is none: "no problem", "no objection".
var noButYes = map[string]bool{"problem": true, "problems": true, "objection": true, "objections": true, "worries": true, "issue": true, "issues": true, "idea": true,
	"need": true, "doubt": true, "comment": true, "comments": true, "matter": true, "harm": true, "reason": true, "clue": true, "opinion": true, "more": true, "longer": true, "one": true}

// wantsOff begin answers of people who want no mail from a list.
var wantsOff = []string{"unsubscribe", "remove", "leave", "signoff", "sign off", "stop", "please remove", "please unsubscribe", "please stop", "take me off", "spam",
	"delete", "unwanted", "never", "no"}

// denials begin answers of people who did not ask for what a letter offers.
var denials = []string{"i did not", "i didn't", "i have not", "i haven't", "not me", "wrong", "abuse", "please do not", "please don't", "do not", "don't", "this was not me", "it was not me"}

// readReply reads the first words of an answer; the comment runs to the end of the
// author's own words. Unclear is everything that a person might have meant
// otherwise.
func readReply(text string) reply {
	lines := ownLines(text)
	if len(lines) == 0 {
		return reply{}
	}
	fields := strings.Fields(strings.ToLower(lines[0]))
	for i := range fields {
		fields[i] = trimWord(fields[i])
	}
	w := firstWords[fields[0]]
	rest := fields[1:]
	switch {
	case w == yes:
		for _, f := range rest {
			if f != "" && !afterYes[f] {
				return reply{}
			}
		}
		return reply{word: yes}
	case w == no && fields[0] == "no" && meansYes(rest):
		return reply{}
	case w == drop && len(rest) > 3, w == never && len(rest) > 3:
		return reply{}
	case w == no:
		return reply{word: no, comment: comment(lines)}
	}
	return reply{word: w}
}

// meansYes tells what follows a "no" that may be none: "no problem", "no, let it
// through".
func meansYes(rest []string) bool {
	if len(rest) == 0 || len(rest) > 8 {
		return false
	}
	for _, f := range rest {
		switch f {
		case "ok", "okay", "fine", "release", "approve", "accept", "let", "through":
			return true
		}
	}
	return noButYes[rest[0]]
}

// ownLines gives the author's lines before signature and quotation; empty lines
// inside stay.
func ownLines(text string) []string {
	var lines []string
	for raw := range strings.Lines(text) {
		raw = strings.TrimRight(raw, "\n")
		if stops(raw) {
			break
		}
		if s := strings.TrimSpace(raw); s != "" || len(lines) > 0 {
			lines = append(lines, s)
		}
		if len(lines) >= 200 {
			break
		}
	}
	return lines
}

// comment is what stands after the first word, or between two lines of %%%, as
// ezmlm has it.
func comment(lines []string) string {
	text := strings.Join(lines, "\n")
	if _, after, ok := strings.Cut(text, "%%%"); ok {
		inner, _, _ := strings.Cut(after, "%%%")
		return strings.TrimSpace(inner)
	}
	first, more, _ := strings.Cut(text, "\n")
	_, rest, _ := strings.Cut(first, " ")
	return strings.TrimSpace(strings.TrimLeft(rest, ":,;.!- ") + "\n" + more)
}

// reason is what a mail to an address that says NO gives as its reason: the text
// between two lines of %%%. Whatever else stands there was not meant for it.
func reason(text string) string {
	if _, after, ok := strings.Cut(text, "%%%"); ok {
		inner, _, _ := strings.Cut(after, "%%%")
		return strings.TrimSpace(inner)
	}
	return ""
}

// answer carries out the answer a mail gives to the question of a token.
func (s *Service) answer(ctx context.Context, m Mail, tok string) error {
	text := message.Read(m.Raw).Body
	if m.Line != "" {
		text = m.Line + "\n" + reason(text)
	}
	r := readReply(text)
	switch s.Membership.Kind(tok) {
	case model.PendingJoin:
		if r.word == drop || r.word == no || begins(text, wantsOff) || begins(text, denials) {
			r.word = never
		}
		if r.word == unclear && isAway(text) && !agrees(text) {
			s.Log.Info("answer not taken: it reads like an absence notice", "from", m.From.String())
			return nil // an answer to it would be answered again
		}
		if r.word == unclear { // "simply reply"
			r.word = yes
		}
	case model.PendingLeave:
		if begins(text, denials) {
			r.word = never
		}
		if r.word == unclear || r.word == drop {
			r.word = yes
		}
	}
	s.Count("answer")
	out, err := s.act(ctx, m, tok, r)
	if err != nil || out.letter {
		return err
	}
	return s.reply(ctx, m, out.text, false)
}

// begins tells an answer whose first line begins with one of these.
func begins(text string, with []string) bool {
	lines := ownLines(text)
	if len(lines) == 0 {
		return false
	}
	first := strings.ToLower(strings.ReplaceAll(lines[0], "’", "'"))
	for _, w := range with {
		if rest, ok := strings.CutPrefix(first, w); ok && (rest == "" || strings.ContainsAny(rest[:1], " .,!?:;")) {
			return !strings.HasPrefix(first, "no problem") && !strings.HasPrefix(first, "no worries")
		}
	}
	return false
}

// act does what an answer says; its result has the words for the author.
func (s *Service) act(ctx context.Context, m Mail, tok string, r reply) (result, error) {
	var out result
	var err error
	switch s.Membership.Kind(tok) {
	case model.PendingJoin, model.PendingLeave:
		out, err = s.actRequest(ctx, tok, r)
	case model.PendingApprove:
		out, err = s.actJoin(ctx, m, tok, r)
	default:
		out, err = s.actHeld(ctx, m, tok, r)
	}
	if err != nil && !ours(err) {
		return result{text: sentence(fault.Text(err))}, nil
	}
	return out, err
}

// actRequest answers the address's own request to join or leave.
func (s *Service) actRequest(ctx context.Context, tok string, r reply) (result, error) {
	if r.word != yes {
		done, err := s.Membership.Decline(ctx, tok)
		if err != nil {
			return result{}, err
		}
		return result{text: "Understood: nothing is changed for " + done.Email.Unicode() + " on " + address.ForPeople(done.List.Address()) + "."}, nil
	}
	done, err := s.Membership.Confirm(ctx, tok)
	switch {
	case err != nil:
		return result{}, err
	case done.Changed, done.Waiting:
		return result{letter: true}, nil
	case done.Kind == model.PendingLeave:
		return result{text: done.Email.Unicode() + " is not on " + address.ForPeople(done.List.Address()) + " any more."}, nil
	}
	return result{text: done.Email.Unicode() + " is on " + address.ForPeople(done.List.Address()) + " already."}, nil
}

const howToDecide = "Nothing was done, because the answer was not clear. Reply to the letter\nagain with one of these in the first line:\n\n"

// actJoin answers for a moderator whether somebody may join.
func (s *Service) actJoin(ctx context.Context, m Mail, tok string, r reply) (result, error) {
	if r.word != yes && r.word != no {
		return result{text: howToDecide + "OK           the address joins the list\nNO reason    it does not; the reason is sent to the person"}, nil
	}
	done, err := s.Membership.DecideJoin(ctx, tok, r.word == yes, m.From.String(), r.comment)
	if err != nil {
		return result{}, err
	}
	if r.word == yes {
		return result{text: done.Email.Unicode() + " is now on " + address.ForPeople(done.List.Address()) + "."}, nil
	}
	return result{text: done.Email.Unicode() + " was told that a moderator did not agree."}, nil
}

// actHeld answers for a moderator what becomes of a held post.
func (s *Service) actHeld(ctx context.Context, m Mail, tok string, r reply) (result, error) {
	h, _, err := s.Moderation.Find(ctx, tok)
	if err != nil {
		return result{}, err
	}
	actions := map[word]struct {
		do   model.Action
		said string
	}{
		yes:  {model.Accept, "The message was released. It is on its way to the list."},
		no:   {model.Reject, "The message was refused, and its author is told."},
		drop: {model.Discard, "The message was thrown away. Its author is not told."},
	}
	a, clear := actions[r.word]
	if !clear {
		return result{text: howToDecide + "OK           the message goes out to the list\nNO reason    it is refused; the reason is sent to the author\n" +
			"DISCARD      it is thrown away and nobody is told"}, nil
	}
	if err := s.Moderation.Decide(ctx, moderation.Decision{HeldID: h.ID, Action: a.do, Comment: r.comment, By: m.From.String()}); err != nil {
		return result{}, err
	}
	return result{text: a.said}, nil
}
