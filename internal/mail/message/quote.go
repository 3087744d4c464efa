package message

import "strings"

// originals are the lines by which mail programs that do not mark quoted lines
// say that all the rest is somebody else's mail.
var originals = []string{"original message", "ursprüngliche nachricht", "originalnachricht", "message d'origine", "message original", "mensaje original",
	"mensagem original", "messaggio originale", "oorspronkelijk bericht", "ursprungligt meddelande", "oprindelig meddelelse", "opprinnelig melding",
	"alkuperäinen viesti", "wiadomość oryginalna", "исходное сообщение", "reply message", "original appointment"}

// splitQuoted parts text into the author's own words and what is quoted: lines
// that begin with ">", the line that introduces them, and everything after an
// "Original Message" line, a block of copied header fields, or "On such a day
// somebody <address> wrote:" without quoted lines below. Quote marks are taken off.
func splitQuoted(text string) (own, quoted string) {
	var o, q strings.Builder
	o.Grow(len(text) + 1)
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch {
		case isQuoted(line):
			q.WriteString(unquoteLine(line))
			q.WriteByte('\n')
		case isOriginal(lines, i), isHeaderBlock(lines, i), unmarkedBelow(lines, i):
			for _, rest := range lines[i:] {
				q.WriteString(unquoteLine(rest))
				q.WriteByte('\n')
			}
			i = len(lines)
		case introduces(lines, i):
			q.WriteString(line)
			q.WriteByte('\n')
		default:
			o.WriteString(line)
			o.WriteByte('\n')
		}
	}
	return tidy(o.String()), tidy(q.String())
}

// isQuoted tells a quoted line: ">" after at most a few spaces, or after
// initials as in "JD> ".
func isQuoted(line string) bool {
	trimmed := strings.TrimLeft(line, " \t")
	if strings.HasPrefix(trimmed, ">") {
		return !strings.HasPrefix(trimmed, ">From ") // mbox quoting of an own line
	}
	n := strings.IndexByte(trimmed, '>')
	if n < 1 || n > 4 {
		return false
	}
	for _, c := range []byte(trimmed[:n]) {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return n+1 == len(trimmed) || trimmed[n+1] == ' ' || trimmed[n+1] == '>'
}

// unquoteLine takes the quote marks off; initials before them stay, they may be words.
func unquoteLine(line string) string { return strings.TrimLeft(line, "> \t") }

// isOriginal tells a line after which all is quoted.
func isOriginal(lines []string, i int) bool {
	line := strings.TrimSpace(lines[i])
	if len(line) > 80 || len(line) < 10 {
		return false
	}
	if strings.HasPrefix(line, "--") {
		word := strings.ToLower(strings.Trim(line, "- "))
		for _, o := range originals {
			if word == o {
				return true
			}
		}
		return false
	}
	if strings.Trim(line, "_") != "" || i+1 >= len(lines) { // Outlook's rule before its header block
		return false
	}
	for _, word := range []string{"From:", "Von:", "De :", "De:", "Da:", "Van:", "Från:", "Fra:", "*From:*"} {
		if strings.HasPrefix(strings.TrimSpace(lines[i+1]), word) {
			return true
		}
	}
	return false
}

// introduces tells the line before a quotation, such as "On Monday, A wrote:",
// or its first half when it was wrapped.
func introduces(lines []string, i int) bool {
	line := strings.TrimSpace(lines[i])
	if line == "" || len(line) > 250 {
		return false
	}
	if strings.HasSuffix(line, ":") && quotedSoon(lines, i+1) {
		return true
	}
	if i+1 < len(lines) && (strings.HasPrefix(line, "On ") || strings.HasPrefix(line, "Am ") || strings.HasPrefix(line, "Le ") || strings.HasPrefix(line, "El ")) {
		return strings.HasSuffix(strings.TrimSpace(lines[i+1]), ":") && len(lines[i+1]) <= 250 && quotedSoon(lines, i+2)
	}
	return false
}

// unmarkedBelow tells the line that says who wrote what comes next when that
// has no quote marks.
func unmarkedBelow(lines []string, i int) bool {
	n := isAttribution(lines, i)
	if n == 0 {
		return false
	}
	for _, line := range lines[i+n:] {
		if strings.TrimSpace(line) != "" {
			return !isQuoted(line)
		}
	}
	return false
}

// quotedSoon tells whether a quoted line comes at i or after one empty line.
func quotedSoon(lines []string, i int) bool {
	if i < len(lines) && strings.TrimSpace(lines[i]) == "" {
		i++
	}
	return i < len(lines) && isQuoted(lines[i])
}

// tidy makes runs of empty lines single and trims the ends.
func tidy(text string) string {
	var out strings.Builder
	out.Grow(len(text))
	empty := 0
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, " \t")
		if line == "" {
			empty++
			continue
		}
		if out.Len() > 0 {
			out.WriteByte('\n')
			if empty > 0 {
				out.WriteByte('\n')
			}
		}
		empty = 0
		out.WriteString(line)
	}
	return out.String()
}
