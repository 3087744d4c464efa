package message

import (
	"strings"
	"unicode/utf8"
)

// replyWords are what mail programs put before a colon to say "answer" or
// "forwarded", besides the Re and Fwd of RFC 5256. Words of one letter are left
// out: "R:" is Italian for an answer and a language to discuss.
var replyWords = map[string]bool{
	"re": true, "fw": true, "fwd": true,
	"aw": true, "antw": true, "antwort": true, "wg": true, // German, Dutch
	"sv": true, "vs": true, "vl": true, "vb": true, "vá": true, "fs": true, // Nordic, Finnish, Hungarian, Icelandic
	"tr": true, "rép": true, "rép.": true, // French
	"rv": true, "res": true, "enc": true, "rif": true, // Spanish, Portuguese, Italian
	"odp": true, "pd": true, "ynt": true, "ilt": true, "bls": true, "trs": true, "doorst": true, "atb": true, // Polish, Turkish, Malay, Dutch, Welsh
	"на": true, "отв": true, "ответ": true, "απ": true, "σχετ": true, "πρθ": true, "תגובה": true, "הועבר": true,
	"回复": true, "回覆": true, "答复": true, "答覆": true, "转发": true, "轉寄": true, "转寄": true, "返信": true, "転送": true,
}

// maxReplyWord is the longest of replyWords in octets.
const maxReplyWord = 12

// BaseSubject gives the subject that all posts of a conversation share
// (RFC 5256 2.1): leading Re, Fwd and their kin in other languages, bracketed
// blobs such as list tags, and the marks of forwarding are removed, white space
// is made single. tags are further tags to remove, for lists whose tag has no
// brackets. reply tells whether anything said answer or forwarded. decoded is a
// decoded one-line value, as Header.Text gives.
func BaseSubject(decoded string, tags ...string) (base string, reply bool) {
	s := strings.Join(strings.Fields(decoded), " ")
	for {
		var again bool
		s, again = trimTrailer(s)
		reply = reply || again
		rest, was := trimLeaders(s, tags)
		s, reply = rest, reply || was
		inner, ok := forwarded(s)
		if !ok {
			return s, reply
		}
		s, reply = inner, true
	}
}

// trimTrailer removes "(fwd)" from the end, as often as it stands there.
func trimTrailer(s string) (rest string, found bool) {
	const trailer = "(fwd)"
	for {
		s = strings.TrimRight(s, " ")
		n := len(s) - len(trailer)
		if n < 0 || !strings.EqualFold(s[n:], trailer) {
			return s, found
		}
		s, found = s[:n], true
	}
}

// trimLeaders removes everything in front that is no subject: reply words with
// the blobs before them, tags, and blobs as long as something follows. One walk:
// blobs are passed once, however many there are.
func trimLeaders(s string, tags []string) (rest string, reply bool) {
	at, lastBlob := spaces(s), -1 // lastBlob: nothing but blobs since the last leader
	for at < len(s) {
		if n := blob(s[at:]); n > 0 {
			lastBlob = at
			at += n
			continue
		}
		if n := leader(s[at:]); n > 0 {
			at, lastBlob, reply = at+n, -1, true
		} else if n := tagAt(s[at:], tags); n > 0 {
			at, lastBlob = at+n, -1
		} else {
			break
		}
		at += spaces(s[at:])
	}
	if at == len(s) && lastBlob >= 0 {
		at = lastBlob
	}
	return s[at:], reply
}

// tagAt gives the length of one of the tags at the start of s, if something follows it.
func tagAt(s string, tags []string) int {
	for _, t := range tags {
		if t = strings.TrimSpace(t); t != "" && len(s) > len(t) && strings.EqualFold(s[:len(t)], t) {
			return len(t)
		}
	}
	return 0
}

// leader gives the length of a reply word with its colon at the start of s
// (RFC 5256 5: subj-refwd), or 0.
func leader(s string) int {
	at := replyWord(s)
	if at == 0 {
		return 0
	}
	at += counter(s[at:])
	at += spaces(s[at:])
	at += blob(s[at:])
	switch {
	case strings.HasPrefix(s[at:], ":"):
		return at + 1
	case strings.HasPrefix(s[at:], "："):
		return at + len("：")
	}
	return 0
}

// replyWord gives the length of a reply word at the start of s.
func replyWord(s string) int {
	window := s[:min(len(s), maxReplyWord+4)]
	n := strings.IndexAny(window, " :[(^-0123456789")
	if i := strings.Index(window, "："); i >= 0 && (n < 0 || i < n) {
		n = i
	}
	if n <= 0 || !utf8.ValidString(window[:n]) || !replyWords[strings.ToLower(window[:n])] {
		return 0
	}
	return n
}

// counter gives the length of the count some programs add: Re[2] is a blob and
// left alone here, Re^2, Re(2), Re-2 and Re2 are read.
func counter(s string) int {
	at := 0
	if at < len(s) && strings.IndexByte("^(-", s[at]) >= 0 {
		at++
	}
	digits := at
	for at < len(s) && at < digits+4 && s[at] >= '0' && s[at] <= '9' {
		at++
	}
	if at == digits {
		return 0
	}
	if s[0] == '(' {
		if at == len(s) || s[at] != ')' {
			return 0
		}
		at++
	}
	return at
}

// blob gives the length of "[...]" at the start of s with the spaces after it, or 0.
func blob(s string) int {
	if s == "" || s[0] != '[' {
		return 0
	}
	n := strings.IndexAny(s[1:], "[]")
	if n < 0 || s[n+1] == '[' {
		return 0
	}
	return n + 2 + spaces(s[n+2:])
}

func spaces(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }

// forwarded opens "[Fwd: ...]".
func forwarded(s string) (inner string, ok bool) {
	const head = "[fwd:"
	if len(s) <= len(head) || !strings.EqualFold(s[:len(head)], head) || s[len(s)-1] != ']' {
		return "", false
	}
	return strings.TrimSpace(s[len(head) : len(s)-1]), true
}
