package message

import (
	"slices"
	"strings"

	"plenary/internal/mail/message/word"
)

// MessageID gives the id of the message without brackets, normalised as
// RFC 5256 2.2 asks: <"a"@b> is <a@b>. It is empty when the field is missing or
// holds nothing usable.
func (h Header) MessageID() string {
	value := h.Get("Message-ID")
	if ids := messageIDs(value, 1); len(ids) > 0 {
		return ids[0]
	}
	if value = strings.Trim(value, "<> \t"); value == "" || len(value) > maxID || strings.ContainsAny(value, " \t<>,") {
		return ""
	}
	return normaliseID(value)
}

// References gives the ids of the messages this one follows, oldest first and
// the parent last, without brackets and doubles, at most the last 100: those of
// References, then the first of In-Reply-To. Beside References an In-Reply-To
// counts only when it begins with an id: old programs write the name and the
// address of the author there, which is no id (RFC 5322 3.6.4, JWZ).
func (h Header) References() []string {
	var ids []string
	for _, value := range h.All("References") {
		ids = append(ids, messageIDs(value, len(value))...)
	}
	value := h.Get("In-Reply-To")
	if parent := messageIDs(value, 1); len(parent) == 1 && (len(ids) == 0 || value[0] == '<' && !slices.Contains(ids, parent[0])) {
		ids = append(ids, parent[0])
	}
	return lastUnique(ids, maxRefs)
}

// lastUnique drops repeated ids, keeping the last of each, and all but the last max.
func lastUnique(ids []string, max int) []string {
	seen := make(map[string]bool, min(len(ids), max))
	at := len(ids)
	for i := len(ids) - 1; i >= 0 && len(ids)-at < max; i-- {
		if !seen[ids[i]] {
			seen[ids[i]] = true
			at--
			ids[at] = ids[i]
		}
	}
	if at == len(ids) {
		return nil
	}
	return ids[at:]
}

// messageIDs finds at most max ids in brackets. A bracket inside a quoted
// string is no bracket; an id that is never closed is none.
func messageIDs(s string, max int) []string {
	var ids []string
	start := -1
	for i := 0; i < len(s) && len(ids) < max; i++ {
		switch s[i] {
		case '<':
			start = i + 1
		case '>':
			if start >= 0 {
				if id := normaliseID(s[start:i]); id != "" {
					ids = append(ids, id)
				}
			}
			start = -1
		}
	}
	return ids
}

// normaliseID drops white space and needless quoting; "" when nothing usable is left.
func normaliseID(id string) string {
	if len(id) > maxID {
		return ""
	}
	if strings.HasPrefix(id, `"`) {
		id = unquoteID(id)
	} else if strings.ContainsAny(id, " \t") {
		id = strings.Join(strings.Fields(id), "")
	}
	return word.Line(word.Guess([]byte(id)))
}

// unquoteID removes the quotes of a local part that needs none.
func unquoteID(id string) string {
	end := strings.Index(id, `"@`)
	if end < 1 {
		return id
	}
	local := strings.ReplaceAll(id[1:end], `\`, "")
	for i := 0; i < len(local); i++ {
		if local[i] != '.' && !word.IsAtext(local[i]) {
			return id
		}
	}
	if local == "" {
		return id
	}
	return local + id[end+1:]
}
