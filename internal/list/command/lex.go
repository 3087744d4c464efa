package command

import (
	"regexp"
	"strings"

	"plenary/internal/mail/message"
)

// line is one command line as written.
type line struct {
	text    string
	subject bool // it is the subject
	apart   bool // an empty line stands before it
}

// wrote matches the line that introduces a quotation.
var wrote = regexp.MustCompile(`(?i)^(on|am|le|el|il|op|den|em|w dniu) .{4,200}(wrote|schrieb|a écrit|escribió|ha scritto|schreef|skrev|escreveu|napisał\S*)\s?:$`)

// quotedHeader matches the first line of a message quoted without marks.
var quotedHeader = regexp.MustCompile(`(?i)^\*?(from|von|de|da|van|fra|från|od)\s?:\*?\s.*[@<]`)

// stops tells a line after which nothing is the author's command: a signature, a
// quotation, a disclaimer's rule.
func stops(s string) bool {
	trimmed := strings.TrimSpace(s)
	switch {
	case s == "-- ", trimmed == "--", strings.HasPrefix(trimmed, "---"), strings.HasPrefix(trimmed, "___"), strings.HasPrefix(trimmed, "==="):
		return true
	case strings.HasPrefix(trimmed, ">"), wrote.MatchString(trimmed), quotedHeader.MatchString(trimmed):
		return true
	}
	lower := strings.ToLower(trimmed)
	for _, mobile := range []string{"sent from my ", "von meinem ", "envoyé de mon ", "enviado desde mi ", "get outlook for ", "sent via "} {
		if strings.HasPrefix(lower, mobile) {
			return true
		}
	}
	return false
}

// bodyLines gives the lines of the text that may be commands, joined where they
// are continued; left is how many were over the limit.
func bodyLines(text string) (lines []line, left int) {
	var cards []string // of a command continued by LISTSERV job cards
	joined := ""       // of a command continued by a backslash
	apart := false
	for raw := range strings.Lines(text) {
		raw = strings.TrimRight(raw, "\n")
		if stops(raw) {
			break
		}
		s := strings.TrimSpace(raw)
		if card, ok := strings.CutPrefix(s, "//"); ok { // "// SUBSCRIBE x ," goes on, "// JOB" is skipped
			cards = append(cards, strings.TrimSuffix(strings.TrimSpace(card), ","))
			if strings.HasSuffix(s, ",") {
				continue
			}
			s, cards = strings.TrimSpace(strings.Join(cards, " ")), nil
			if first, _, _ := strings.Cut(strings.ToUpper(s)+" ", " "); first == "JOB" || first == "EOJ" {
				continue
			}
		}
		if s == "" {
			apart = true
			continue
		}
		if strings.HasPrefix(s, "#") || strings.HasPrefix(s, "/*") {
			continue
		}
		if part, ok := strings.CutSuffix(s, `\`); ok {
			joined += strings.TrimSpace(part) + " "
			continue
		}
		s, joined = joined+s, ""
		if len(lines) >= maxLines {
			left++
			continue
		}
		lines = append(lines, line{text: s, apart: apart})
		apart = false
	}
	if joined != "" && len(lines) < maxLines {
		lines = append(lines, line{text: strings.TrimSpace(joined)})
	}
	return lines, left
}

// spaces part the words of a line: also those of web pages and of East Asian
// keyboards.
const spaces = " \t\u00a0\u3000"

// words splits a line; words in double quotes stay together, brackets around
// addresses go.
func words(s string) []string {
	var out []string
	for s = strings.TrimSpace(s); s != "" && len(out) < maxWords; s = strings.TrimLeft(s, spaces) {
		var word string
		if rest, ok := strings.CutPrefix(s, `"`); ok && strings.Contains(rest, `"`) {
			word, s, _ = strings.Cut(rest, `"`)
		} else if at := strings.IndexAny(s, spaces); at >= 0 {
			word, s = s[:at], s[at:]
		} else {
			word, s = s, ""
		}
		if len(word) > 2 && word[0] == '<' && word[len(word)-1] == '>' {
			word = word[1 : len(word)-1]
		}
		if word != "" {
			out = append(out, word)
		}
	}
	return out
}

// subjectLine gives the subject as a line that may be a command.
func subjectLine(h message.Header, tags ...string) line {
	base, _ := message.BaseSubject(h.Text("Subject"), tags...)
	return line{text: strings.TrimSpace(base), subject: true}
}
