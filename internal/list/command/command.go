// Package command carries out what people ask for by mail.
//
// A mail comes to one of the addresses that are not for posts (Entry). The join
// and leave addresses are one command each, whatever the mail says. A mail that
// carries a token of ours (in the address, the subject, or as an answer to our
// Message-ID) is an answer to a question; answer.go reads it. All other mail is
// read as commands, one a line, subject first: lex.go makes lines and words of it,
// parse.go finds the command, table.go lists them, one file each has what they do.
// The forms of LISTSERV, Mailman, Sympa and Majordomo are understood where they do
// not contradict each other.
//
// Mail is written by people and by machines. Machines get no answer and nothing
// is done for them (RFC 3834). People write sentences to the request address: what
// holds no command goes to the owners, with a short help for the writer. So an
// everyday word (help, join, leave, list) is a command only where what follows
// fits it, and a misread is always towards the human reader. One mail gets at most
// one answer: the letter a command causes, or one that lists what became of each
// line.
//
// Whoever writes in somebody's name must not reach her with words of his own: where
// the return address is not the author's, only joining, leaving and codes are taken,
// which cause letters without a word of the mail, and what asks for our own fixed text;
// all else gets one fixed letter.
// What an answer repeats of a mail is little, and no link (job.go).
//
// From is not proof. Joining is always confirmed by the address itself; leaving
// too, unless the mail was authenticated; moderators decide by a token that only
// moderators got.
package command

import (
	"context"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"plenary/internal/fault"
	"plenary/internal/list/membership"
	"plenary/internal/list/moderation"
	"plenary/internal/list/notify"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	plain "plenary/internal/mail/message/word"
	"plenary/internal/model"
)

// Limits.
const (
	maxLines     = 25  // command lines of one mail that are read
	maxErrors    = 3   // lines that are no commands before the rest is left
	maxLineShown = 40  // characters of a line that an answer repeats
	maxRepeated  = 3   // lines of which an answer repeats more than the command
	maxOthers    = 10  // other addresses that one mail names
	maxSubject   = 80  // characters of a subject that an answer repeats
	maxWords     = 40  // words of one line that are looked at
	maxListed    = 500 // lists in one answer
	maxLeaving   = 50  // lists that one SIGNOFF * leaves
)

// Entry is the function of the address a mail came to.
type Entry uint8

// The entries.
const (
	AtRequest Entry = iota // L-request@: commands, the list is implied
	AtServer               // listserv@ and its aliases: commands that name their list
	AtJoin                 // L-join@: one command, the mail is not read
	AtLeave                // L-leave@
	AtConfirm              // L-confirm+TOKEN@: an answer
	AtHelp                 // L-help@
)

// Mail is one mail to a command address.
type Mail struct {
	Raw         []byte
	Header      message.Header
	ReversePath string // without brackets; empty is the null reverse-path
	From        address.Address
	Entry       Entry
	List        *model.List // nil for AtServer
	Domain      string      // the domain of the address it came to, A-labels
	Token       string      // of the confirm address
	// Line is what the address itself says: at AtRequest the one command, and the
	// mail is not read; at AtConfirm the answer, OK or NO. Empty: the mail is read.
	Line string
	// Authenticated: the peer or a signature proved that the mail is From's.
	Authenticated bool
	Source        string // where it came from, for the record: "mail from 192.0.2.1"
}

// Store finds lists and people.
type Store interface {
	FindList(ctx context.Context, local, domain string) (*model.List, error)
	Lists(ctx context.Context) ([]model.List, error)
	FindSubscriber(ctx context.Context, listID int64, emailKey string) (*model.Subscriber, error)
	SubscriptionsOf(ctx context.Context, emailKeys []string) ([]model.Subscriber, error)
}

// Membership brings people onto lists and off them.
type Membership interface {
	RequestJoin(ctx context.Context, r membership.JoinRequest) (spent bool, err error)
	RequestLeave(ctx context.Context, r membership.LeaveRequest) (spent bool, err error)
	Leave(ctx context.Context, e membership.Exit) (left bool, err error)
	Kind(tok string) model.PendingKind
	Confirm(ctx context.Context, tok string) (membership.Confirmed, error)
	Decline(ctx context.Context, tok string) (membership.Confirmed, error)
	DecideJoin(ctx context.Context, tok string, agree bool, by, comment string) (membership.Confirmed, error)
}

// Moderation decides held posts.
type Moderation interface {
	IsToken(tok string) bool
	Find(ctx context.Context, tok string) (*model.Held, *model.List, error)
	Decide(ctx context.Context, d moderation.Decision) error
}

// Letters writes the house letters.
type Letters interface {
	Send(ctx context.Context, l notify.Letter) error
}

// Owners takes mail for the people who run a list.
type Owners interface {
	// Forward passes a message on, as it came, to the owners of the list.
	Forward(ctx context.Context, list *model.List, raw []byte) error
}

// Deps is what the service stands on.
type Deps struct {
	Store      Store
	Membership Membership
	Moderation Moderation
	Letters    Letters
	Owners     Owners                   // nil: mail without a command only gets the help
	ArchiveURL func(*model.List) string // nil: no archive on the web
	// Search looks into the archive of a list for an address, as Find of the other
	// doors does, access included; nil: there is no SEARCH.
	Search func(ctx context.Context, from address.Address, l *model.List, query string, limit int) (Found, error)
	Count  func(command string) // counts commands for the metrics; may be nil
	Log    *slog.Logger         // nil: silent
}

// Service carries out commands. It is safe for use by many goroutines.
type Service struct {
	Deps
	table []command
}

// New makes the service.
func New(d Deps) *Service {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Count == nil {
		d.Count = func(string) {}
	}
	if d.ArchiveURL == nil {
		d.ArchiveURL = func(*model.List) string { return "" }
	}
	return &Service{d, verbs()}
}

// Handle carries out one mail. What is wrong with the mail is said in an answer
// to its author; an error means that the mail should be offered again later.
func (s *Service) Handle(ctx context.Context, m Mail) error {
	if m.List != nil {
		m.Domain = m.List.Domain
	}
	if why, machine := message.IsAutomatic(m.Header, m.ReversePath); machine {
		s.Log.Info("command mail not answered: a machine wrote it", "sign", why, "from", m.From.String())
		return nil
	}
	if own, err := s.isOwn(ctx, m.From, m.Domain); err != nil || own || m.From.IsZero() {
		s.Log.Info("command mail not answered: no author, or an address of ours", "from", m.From.String())
		return err
	}
	if absence(m.Header.Text("Subject")) {
		s.Log.Info("command mail not answered: it reads like an absence notice", "from", m.From.String())
		return nil
	}
	switch m.Entry {
	case AtJoin:
		s.Count("join")
		_, err := s.Membership.RequestJoin(ctx, membership.JoinRequest{List: m.List, Email: m.From,
			Name: fromName(m), Source: m.Source, InReplyTo: m.Header.MessageID()})
		return s.refuse(ctx, m, err)
	case AtLeave:
		s.Count("leave")
		_, err := s.leave(ctx, m, m.List, m.From)
		return s.refuse(ctx, m, err)
	case AtHelp:
		s.Count("help")
		return s.send(ctx, m, notify.Letter{Kind: notify.Help})
	case AtConfirm:
		return s.answer(ctx, m, m.Token)
	}
	if m.Line != "" {
		return s.commands(ctx, m)
	}
	if tok := s.findToken(m.Header); tok != "" {
		return s.answer(ctx, m, tok)
	}
	return s.commands(ctx, m)
}

// fromName is the display name of the author.
func fromName(m Mail) string {
	for _, box := range m.Header.Addresses("From") {
		if box.Address.Key() == m.From.Key() {
			return box.Name
		}
	}
	return ""
}

// leave takes an address off a list: at once when it is proved that its owner
// asks, else by asking the address. spent tells that it had its share of letters.
func (s *Service) leave(ctx context.Context, m Mail, list *model.List, email address.Address) (spent bool, err error) {
	if m.Authenticated && email.Key() == m.From.Key() {
		left, err := s.Membership.Leave(ctx, membership.Exit{List: list, Email: email, Reason: "asked by authenticated " + m.Source})
		if left || err != nil {
			return false, err
		}
	}
	return s.Membership.RequestLeave(ctx, membership.LeaveRequest{List: list, Email: email, Source: m.Source, InReplyTo: m.Header.MessageID()})
}

// refuse tells the author what a fault says; a failure of ours goes back to the
// caller, who lets the mail come again.
func (s *Service) refuse(ctx context.Context, m Mail, err error) error {
	if err == nil || ours(err) {
		return err
	}
	return s.reply(ctx, m, sentence(fault.Text(err)), false)
}

// ours tells failures that are not the author's doing.
func ours(err error) bool {
	switch fault.KindOf(err) {
	case fault.Internal, fault.Temporary, fault.StorageFull:
		return err != nil
	}
	return false
}

// sentence makes a fault's text one.
func sentence(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return s
	}
	if first, n := utf8.DecodeRuneInString(s); first != utf8.RuneError {
		s = string(unicode.ToUpper(first)) + s[n:]
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?:") {
		s += "."
	}
	return s
}

// strange tells that the author may well not have sent the mail.
func (m *Mail) strange() bool {
	return !m.Authenticated && !notify.SpeaksFor(m.ReversePath, m.From)
}

// reply writes the one answer to a mail. The subject comes back where it is a
// command or holds a code of ours; any other may be meant for a victim's eyes.
func (s *Service) reply(ctx context.Context, m Mail, text string, help bool) error {
	subject, _ := message.BaseSubject(m.Header.Text("Subject"))
	if m.strange() || plain.Harmless(subject, maxSubject) != subject || !s.means(ctx, m, subject) {
		subject = ""
	}
	return s.send(ctx, m, notify.Letter{Kind: notify.CommandReply, Data: notify.Data{Text: text, Subject: subject, Help: help}})
}

// means tells a subject that is a command or holds a code of ours.
func (s *Service) means(ctx context.Context, m Mail, subject string) bool {
	j := &job{s: s, ctx: ctx, mail: m, lists: map[string]*model.List{}}
	_, ok := j.parse(line{text: subject})
	return ok || s.findToken(m.Header) != ""
}

func (s *Service) send(ctx context.Context, m Mail, l notify.Letter) error {
	l.List, l.Domain, l.To, l.InReplyTo = m.List, m.Domain, m.From, m.Header.MessageID()
	return s.Letters.Send(ctx, l)
}
