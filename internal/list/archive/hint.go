package archive

import (
	"encoding/binary"
	"slices"
	"strings"

	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// What the parent of an answer is guessed by that names none, or one that is not
// here (model.ThreadHint.Guess): marks of what it quotes are compared with marks of
// what others wrote. A mark is a 16-bit hash of three words in a row, so that
// other line breaks and other punctuation do not matter; every fourth sequence
// of a text has one, chosen by its hash, so that two texts choose alike. About
// fifty octets a post are kept.
const (
	markWords = 3
	markEvery = 4
	maxMarks  = 128 // of a text, from its beginning
)

// hint makes what guessing keeps of a post. answered is what it answers, when it
// names no parent, or one alone.
func hint(topic string, r *message.Reading, answered string) model.ThreadHint {
	var h model.ThreadHint
	if topic == "" {
		return h
	}
	h.Topic = keyOf("topic", foldSeen(topic))
	h.Own = marksOf(message.WithoutSignature(r.Body))
	h.Answered = marksOf(answered)
	if !h.Seeks() {
		h.Answered = nil
	}
	if !h.Useful() {
		return model.ThreadHint{}
	}
	return h
}

// marksOf gives the sorted marks of a text.
func marksOf(text string) []byte {
	const fnvStart, fnvPrime = 14695981039346656037, 1099511628211
	if len(text) > maxColumn {
		text = text[:maxColumn]
	}
	var last [markWords]uint64 // hashes of the words before
	n := 0
	var out []uint16
	cutWords(text, false, func(s span) bool {
		if s.last { // said already, in a pair
			return true
		}
		h := uint64(fnvStart)
		for i := range len(s.word) {
			h = (h ^ uint64(s.word[i])) * fnvPrime
		}
		copy(last[:], last[1:])
		last[markWords-1] = h
		if n++; n < markWords {
			return true
		}
		all := uint64(fnvStart)
		for _, w := range last {
			all = (all ^ w) * fnvPrime
			all ^= all >> 29
		}
		if mark := uint16(all >> 48); all>>40%markEvery == 0 && !slices.Contains(out, mark) {
			out = append(out, mark)
		}
		return len(out) < maxMarks
	})
	slices.Sort(out)
	b := make([]byte, 0, model.GuessMark*len(out))
	for _, m := range out {
		b = binary.BigEndian.AppendUint16(b, m)
	}
	return b
}

// answers gives what a message says it answers.
//
// An answer to a digest names the digest, which is no post. When it quotes one
// article with its Message-ID, it belongs there; else the article is guessed by
// the quoted Subject and the quoted words. Answers to such an answer name it, and
// need no help.
func answers(list *model.List, h message.Header, base string, r *message.Reading) (a answer) {
	ids := h.References()
	digest := isDigestSubject(base)
	if a.topic = base; digest {
		a.topic = ""
	}
	if len(ids) > 1 || !digest && (len(ids) == 0 || !isDigestID(ids[0])) {
		a.refs = references(ids)
		if alone := len(ids) == 1 && r.Quoted != ""; a.topic != "" && (len(ids) == 0 || alone) { // the one may not be here
			a.text = r.Answered()
		}
		return a
	}
	article := quotedArticles(r.Quoted, list.SubjectTag)
	switch {
	case len(article.ids) == 1:
		a.refs, a.quotes = references(article.ids), true
	case !digest: // Mailman gives such ids to posts without one, too
		a.refs = references(ids)
	case len(article.subjects) == 1:
		a.topic, a.text = article.subjects[0], article.text
	}
	return a
}

// answer is what a message says it answers.
type answer struct {
	refs   []model.Reference
	quotes bool   // refs name an article of a digest it quotes
	topic  string // by which a parent may be guessed
	text   string // what it quotes of its parent, when it names none or one
}

// articles is what an answer quotes of a digest.
type articles struct {
	ids, subjects []string // each once
	text          string   // of the last article, without its header
}

func quotedArticles(quoted, tag string) (a articles) {
	lines, last := strings.Split(quoted, "\n"), 0
	for i, line := range lines {
		switch name, value, _ := strings.Cut(strings.Trim(line, "* \t"), ":"); {
		case strings.EqualFold(name, "Message-ID"):
			for _, more := range lines[i+1 : min(i+4, len(lines))] {
				if strings.Contains(value, ">") {
					break
				}
				value += more
			}
			// Archives write "a at b".
			value = strings.Join(strings.Fields(strings.Replace(value, " at ", "@", 1)), "")
			id := message.ParseHeader([]byte("Message-ID: " + value + "\r\n")).MessageID()
			if strings.Contains(id, "@") && !slices.Contains(a.ids, id) && !isDigestID(id) {
				a.ids = append(a.ids, id)
			}
		case strings.EqualFold(name, "Subject"):
			base, _ := message.BaseSubject(strings.TrimSpace(value), tag)
			if base != "" && !isDigestSubject(base) && !slices.ContainsFunc(a.subjects, func(s string) bool { return Fold(s) == Fold(base) }) {
				a.subjects = append(a.subjects, base)
			}
			last = i
		}
	}
	if n := slices.Index(lines[last:], ""); n >= 0 {
		a.text = strings.Join(lines[last+n:], "\n")
	}
	return a
}

// isDigestSubject tells the base subject of a digest: "L Digest, Vol 12, Issue 3"
// of Mailman and ourselves, "L Digest - 1 Mar 2026 (#2026-61)" of LISTSERV,
// "l-digest V1 #23" of majordomo.
func isDigestSubject(base string) bool {
	s := strings.ToLower(base)
	at := strings.LastIndex(s, "digest")
	if at < 0 || at > 0 && s[at-1] != ' ' && s[at-1] != '-' {
		return false
	}
	rest := strings.TrimLeft(s[at+len("digest"):], " ")
	switch {
	case strings.HasPrefix(rest, ", vol"), strings.HasPrefix(rest, "vol"):
		return strings.Contains(rest, "issue") || strings.Contains(rest, "nr") || strings.Contains(rest, "#")
	case strings.HasPrefix(rest, "- "):
		n := strings.LastIndex(rest, "(#")
		return n > 0 && strings.Contains(rest[n:], "-")
	case strings.HasPrefix(rest, "v"):
		return strings.Contains(rest, " #")
	}
	return false
}

// isDigestID tells a Message-ID that Mailman 2 makes for digests, and for
// nothing that people answer on the list: mailman.1.1356368401.8385.talk@...
func isDigestID(id string) bool {
	rest, ok := strings.CutPrefix(id, "mailman.")
	if !ok {
		return false
	}
	for range 3 {
		number, after, ok := strings.Cut(rest, ".")
		if !ok || number == "" || strings.Trim(number, "0123456789") != "" {
			return false
		}
		rest = after
	}
	return strings.Contains(rest, "@")
}
