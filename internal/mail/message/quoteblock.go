package message

import "strings"

// headWords are how mail programs begin the lines of a header they copy into
// the text: the author, the date, the subject.
var headWords = [3][]string{
	{"from", "von", "de", "da", "van", "från", "fra", "lähettäjä", "od", "от", "kimden", "发件人", "寄件者", "差出人", "보낸 사람"},
	{"sent", "date", "gesendet", "datum", "envoyé", "enviado", "fecha", "data", "inviato", "verzonden", "skickat", "sendt", "dato", "lähetetty", "wysłano", "отправлено", "дата", "发送时间", "日期", "送信日時", "보낸 날짜"},
	{"subject", "betreff", "objet", "asunto", "assunto", "oggetto", "onderwerp", "ämne", "emne", "aihe", "temat", "тема", "konu", "主题", "主旨", "件名", "제목"},
}

// maxBlock is how many lines such a header has.
const maxBlock = 8

// headWord tells which of headWords a line begins with, -1 for none.
func headWord(line string) int {
	line = strings.TrimLeft(line, " \t*")
	n := headColon(line)
	if n < 1 {
		return -1
	}
	word := strings.ToLower(strings.TrimRight(line[:n], " *"))
	for kind, words := range headWords {
		for _, w := range words {
			if word == w {
				return kind
			}
		}
	}
	return -1
}

// maxHeadWord is how many octets stand before the colon.
const maxHeadWord = 30

// headColon gives the place of the first colon, a wide one or not, -1 for none
// near the beginning.
func headColon(line string) int {
	for i := range min(len(line), maxHeadWord+1) {
		if c := line[i]; c == ':' || c == wideColon[0] && strings.HasPrefix(line[i:], wideColon) {
			return i
		}
	}
	return -1
}

const wideColon = "："

// isHeaderBlock tells the first line of a copied header: author, date and
// subject within a few lines, in this order, as Outlook and web mail write it.
func isHeaderBlock(lines []string, i int) bool {
	if headWord(lines[i]) != 0 {
		return false
	}
	date := false
	for _, line := range lines[i+1 : min(i+maxBlock, len(lines))] {
		switch kind := headWord(line); {
		case kind == 1:
			date = true
		case kind == 2:
			return date
		case strings.TrimSpace(line) == "" && !date:
			return false
		}
	}
	return false
}

// wroteWords end the line that says who wrote what comes next.
var wroteWords = []string{"wrote", "writes", "said", "schrieb", "geschrieben", "écrit", "escribió", "escreveu", "scritto", "schreef", "geschreven", "skrev", "skreiv",
	"kirjoitti", "napisał", "napisał(a)", "написал", "написал(а)", "пишет", "yazdı", "írta", "napsal", "napsal(a)", "写道", "書きました"}

// maxAttribution is how many lines "On such a day, A wrote:" takes.
const maxAttribution = 3

// isAttribution gives the number of lines, from i on, that say when and by whom
// what follows was written; 0 when they do not. It must name an address or a
// time, and a verb before the colon: less could be a sentence of the author.
func isAttribution(lines []string, i int) int {
	last := strings.TrimSpace(lines[i])
	if last == "" || last[0] == '<' {
		return 0
	}
	for n, size := 1, len(last); size <= 300; n++ {
		if _, ok := cutColon(last); ok {
			if saysWho(lines[i : i+n]) {
				return n
			}
			return 0
		}
		if n == maxAttribution || i+n >= len(lines) {
			return 0
		}
		if last = strings.TrimSpace(lines[i+n]); last == "" {
			return 0
		}
		size += 1 + len(last)
	}
	return 0
}

// saysWho tells whether lines that end in a colon say when and by whom.
func saysWho(lines []string) bool {
	trimmed := make([]string, len(lines))
	for i, line := range lines {
		trimmed[i] = strings.TrimSpace(line)
	}
	head, _ := cutColon(strings.Join(trimmed, " "))
	return strings.ContainsAny(head, "0123456789") && (strings.Contains(head, "@") || strings.Contains(head, " at ") || strings.ContainsAny(head, ":"+wideColon)) && endsWrote(head)
}

func cutColon(text string) (string, bool) {
	if head, ok := strings.CutSuffix(text, ":"); ok {
		return head, true
	}
	return strings.CutSuffix(text, wideColon)
}

func endsWrote(head string) bool {
	head = strings.ToLower(strings.TrimSpace(head))
	for _, w := range wroteWords {
		if strings.HasSuffix(head, w) {
			return true
		}
	}
	return false
}

// answeredText gives, of the lines a text quotes, those that stood in the
// message it answers as that one's own words: quoted once, not what was older
// there, no signature. It is how an answer without References is known.
func answeredText(text string) string {
	var out strings.Builder
	q := quotation{lines: strings.Split(text, "\n")}
	q.depths = make([]int, len(q.lines))
	for i, line := range q.lines {
		if isQuoted(line) {
			q.depths[i] = quoteDepth(line)
			q.lines[i] = unquoteLine(line)
		}
	}
	older := false // what is left of this quotation was quoted in the message answered
	for i := 0; i < len(q.lines); i++ {
		line := q.lines[i]
		switch depth := q.depth(i); {
		case strings.TrimSpace(line) == "":
		case depth == 0:
			older = false
			i += q.unmarked(i)
		case depth > 1 || older:
		default:
			n := isAttribution(q.lines, i)
			switch {
			case n > 0 && q.next(i+n) > 1:
				i += n - 1
			case n > 0, isOriginal(q.lines, i), isHeaderBlock(q.lines, i), isSignature(line):
				if older = true; q.all {
					return out.String()
				}
			default:
				out.WriteString(line)
				out.WriteByte('\n')
			}
		}
	}
	return out.String()
}

// quotation is text whose quote marks are counted and taken off.
type quotation struct {
	lines  []string
	depths []int
	all    bool // what has no mark is quoted too
}

func (q *quotation) depth(i int) int {
	if q.all {
		return q.depths[i] + 1
	}
	return q.depths[i]
}

// next is the depth of the first line with text from i on.
func (q *quotation) next(i int) int {
	for ; i < len(q.lines); i++ {
		if strings.TrimSpace(q.lines[i]) != "" {
			return q.depth(i)
		}
	}
	return 0
}

// unmarked looks at an own line after which all may be quoted without marks,
// and gives how many lines more belong to it.
func (q *quotation) unmarked(i int) int {
	if isOriginal(q.lines, i) || isHeaderBlock(q.lines, i) {
		q.all = true
		n := 0
		for i+n+1 < len(q.lines) && strings.TrimSpace(q.lines[i+n+1]) != "" {
			n++
		}
		return n
	}
	n := isAttribution(q.lines, i)
	if n > 0 && q.next(i+n) == 0 {
		q.all = true
	}
	return max(n-1, 0)
}

func quoteDepth(line string) (n int) {
	for _, c := range line {
		switch {
		case c == '>':
			n++
		case n > 0 && c != ' ' && c != '\t':
			return n
		}
	}
	return n
}

// isSignature tells the line above a signature, or above what a list appends.
func isSignature(line string) bool {
	line = strings.TrimRight(line, " \t")
	return line == "--" || len(line) >= 20 && strings.Trim(line, "_") == "" || len(line) >= 20 && strings.Trim(line, "-") == ""
}

// WithoutSignature cuts own words where the signature begins.
func WithoutSignature(text string) string {
	at := 0
	for line := range strings.Lines(text) {
		if isSignature(strings.TrimSuffix(line, "\n")) {
			return text[:at]
		}
		at += len(line)
	}
	return text
}
