package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// Dates outside of these do not sort a post: clocks were wrong.
const (
	earliestSent = 365 * 24 * time.Hour // after 1970-01-01
	latestSent   = 48 * time.Hour       // after it was received
)

// maxLine is how much of a subject or name the light row keeps, in octets.
const maxLine = 1000

// Source is a message on its way into an archive.
type Source struct {
	Raw        []byte           // the message as received
	Own        []byte           // our own header fields in front; nil for an imported message, which is kept exactly
	Text       *message.Reading // of Raw; nil: not read yet
	ReceivedAt model.Instant
	Imported   bool
}

// reading gives the text of data, the message with our fields in front. That is
// the text of the message alone, unless our fields change how it is read: a
// message that does not begin with a field gets a header, a long header becomes
// too long.
func (s *Source) reading(data []byte, st *message.Structure) message.Reading {
	if s.Text == nil || s.Text.Opaque != st.Opaque || len(s.Own) > 0 && !beginsWithField(s.Raw) {
		return st.Read(data)
	}
	return *s.Text
}

func beginsWithField(raw []byte) bool {
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	fields := message.ParseHeader(line).Fields()
	return len(fields) > 0 && fields[0].Name != ""
}

// Make is MakeRead of a message that was not read yet.
func Make(list *model.List, raw, own []byte, receivedAt model.Instant, imported bool) *model.NewPost {
	return MakeRead(list, Source{Raw: raw, Own: own, ReceivedAt: receivedAt, Imported: imported})
}

// MakeRead makes a message ready to be archived. It never fails: what is damaged
// is kept and read as far as it goes. Distribution, Event and HeldID are the
// caller's.
func MakeRead(list *model.List, s Source) *model.NewPost {
	data, own, receivedAt, imported := s.Raw, s.Own, s.ReceivedAt, s.Imported
	if len(own) > 0 {
		data = append(append(make([]byte, 0, len(own)+len(s.Raw)), own...), s.Raw...)
	}
	h := message.ParseHeader(data)
	st := message.Scan(data)
	reading := s.reading(data, st)
	author := firstMailbox(h)
	base, reply := message.BaseSubject(h.Text("Subject"), list.SubjectTag)
	to := answers(list, h, base, &reading)
	p := &model.NewPost{
		ListID: list.ID,
		Bytes:  data,
		Post: model.Post{
			Size: int64(len(data)), HeaderLen: int64(h.Len()), OwnLen: int64(len(own)),
			ReceivedAt: receivedAt, SentAt: sentAt(h, receivedAt),
			Author: line(authorName(author, h)), AuthorKey: author.Address.Key(), Subject: line(h.Text("Subject")),
			BodyStructure: st.BodyStructure(data),
		},
		Envelope:   message.Envelope(h),
		Header:     message.UsualHeader(h),
		Columns:    Columns(h),
		Text:       searchText(h, reading),
		References: to.refs,
		Quotes:     to.quotes,
		Hint:       hint(to.topic, &reading, to.text),
		RawKey:     RawKey(data),
	}
	p.Post.Flags = flags(reading, st, reply, imported)
	if id := h.MessageID(); id != "" {
		p.MessageKey = MessageKey(id)
		p.Self = model.Reference{Key: ThreadKey(id), MessageID: id}
	} else {
		p.Self = model.Reference{Key: keyOf("raw", string(p.RawKey))}
	}
	if !imported { // the rule against duplicates looks at new posts only
		p.BodyKey = BodyKey(p.Post.AuthorKey, reading)
	}
	p.Hint.Era, p.Hint.SentAt = model.GuessEra(p.Post.SentAt), p.Post.SentAt
	return p
}

func flags(r message.Reading, st *message.Structure, reply, imported bool) model.PostFlags {
	var f model.PostFlags
	for _, on := range []struct {
		is   bool
		flag model.PostFlags
	}{{len(r.Files) > 0, model.PostHasAttachment}, {imported, model.PostImported},
		{st.Opaque, model.PostOpaque}, {reply, model.PostIsReply}} {
		if on.is {
			f |= on.flag
		}
	}
	return f
}

func firstMailbox(h message.Header) address.Mailbox {
	for _, field := range []string{"From", "Sender"} {
		if boxes := h.Addresses(field); len(boxes) > 0 {
			return boxes[0]
		}
	}
	return address.Mailbox{}
}

// authorName is what a listing shows: the name, else the address, else the
// field as it stands (archives write "a at b (Name)").
func authorName(m address.Mailbox, h message.Header) string {
	switch {
	case m.Name != "":
		return m.Name
	case !m.Address.IsZero():
		return m.Address.Unicode()
	}
	return h.Text("From")
}

// line makes text fit for a light row.
func line(s string) string {
	s = strings.ReplaceAll(message.CleanText(s), "\n", " ")
	if len(s) > maxLine {
		s = strings.ToValidUTF8(s[:maxLine], "")
	}
	return strings.TrimSpace(s)
}

// sentAt is the Date field, unless it makes no sense.
func sentAt(h message.Header, receivedAt model.Instant) model.Instant {
	d, ok := h.Date()
	at := model.At(d)
	if !ok || at < model.Instant(earliestSent.Microseconds()) || at > receivedAt.Add(latestSent) {
		return receivedAt
	}
	return at
}

func searchText(h message.Header, r message.Reading) model.SearchText {
	people := func(fields ...string) string {
		var b strings.Builder
		for _, f := range fields {
			boxes := h.Addresses(f)
			for _, m := range boxes {
				b.WriteString(m.Name + " " + m.Address.Unicode() + "\n")
			}
			if len(boxes) == 0 {
				b.WriteString(h.Text(f) + "\n")
			}
		}
		return b.String()
	}
	return model.SearchText{
		Subject:    IndexWords(h.Text("Subject")),
		Author:     IndexWords(people("From")),
		Recipients: IndexWords(people("To", "Cc")),
		Body:       IndexWords(r.Body + "\n" + r.Attached),
		Quoted:     IndexWords(r.Quoted),
		Files:      IndexWords(strings.Join(r.Files, "\n")),
	}
}

func references(ids []string) []model.Reference {
	refs := make([]model.Reference, len(ids))
	for i, id := range ids {
		refs[i] = model.Reference{Key: ThreadKey(id), MessageID: id}
	}
	return refs
}

// MessageKey is the identity of a Message-ID: 16 octets.
func MessageKey(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:16]
}

// ThreadKey names a Message-ID in the graph of threads: 63 bits, never 0.
func ThreadKey(id string) int64 { return keyOf("id", id) }

func keyOf(kind, text string) int64 {
	sum := sha256.Sum256([]byte(kind + "\x00" + text))
	return int64(binary.BigEndian.Uint64(sum[:8])>>1 | 1)
}

// RawKey is the identity of the exact bytes of a message, but for line breaks
// at its end, which archives add and lose.
func RawKey(data []byte) []byte {
	end := len(data)
	for end > 0 && (data[end-1] == '\n' || data[end-1] == '\r') {
		end--
	}
	sum := sha256.Sum256(data[:end])
	return sum[:16]
}

// BodyKey is the identity of what an author wrote, white space apart; nil when
// the body is empty.
func BodyKey(authorKey string, r message.Reading) []byte {
	text := append(make([]byte, 0, len(authorKey)+len(r.Body)+len(r.Quoted)+64), authorKey...)
	empty := true
	for _, part := range []string{r.Body, r.Quoted, strings.Join(r.Files, "\n")} {
		for word := range strings.FieldsSeq(part) {
			text = append(append(text, 0), word...)
			empty = false
		}
		text = append(text, 1)
	}
	if empty {
		return nil
	}
	sum := sha256.Sum256(text)
	return sum[:16]
}
