package gen

import (
	"html"
	"strings"
)

// htmlForm makes the HTML form of the text: hand-written when the source has
// one, otherwise what the client makes of the plain text.
func (m *Message) htmlForm() string {
	body := m.html
	if body == "" {
		body = m.htmlText()
	}
	dir := ""
	if m.Lang == "ar" {
		dir = ` dir="rtl"`
	}
	if m.client.html == "web" && m.html == "" {
		return "<div" + first(dir, ` dir="ltr"`) + ">" + body + "</div>\n"
	}
	return "<!DOCTYPE html>\n<html lang=\"" + m.Lang + "\"" + dir + ">\n<head>\n" +
		"<meta http-equiv=\"Content-Type\" content=\"text/html; charset=" + m.Charset + "\">\n" +
		"<title>" + html.EscapeString(m.Subject) + "</title>\n</head>\n" +
		"<body style=\"font-family: sans-serif; font-size: 11pt\">\n" + body + "</body>\n</html>\n"
}

// htmlText turns the lines of the text into paragraphs and quotes.
func (m *Message) htmlText() string {
	quote := `<blockquote style="margin:0 0 0 0.8ex;border-left:1px solid #ccc;padding-left:1ex">`
	var out strings.Builder
	depth, open := 0, false
	for _, p := range m.paras {
		if open && (p.depth != depth || strings.TrimSpace(p.text) == "") {
			out.WriteString("</p>\n")
			open = false
		}
		for ; depth < p.depth; depth++ {
			out.WriteString(quote + "\n")
		}
		for ; depth > p.depth; depth-- {
			out.WriteString("</blockquote>\n")
		}
		if strings.TrimSpace(p.text) == "" {
			continue
		}
		if open {
			out.WriteString("<br>\n")
		} else {
			out.WriteString("<p>")
			open = true
		}
		out.WriteString(links(strings.Join(p.lines, "\n")))
	}
	if open {
		out.WriteString("</p>\n")
	}
	out.WriteString(strings.Repeat("</blockquote>\n", depth))
	return out.String()
}

// links escapes a line and makes its web addresses clickable.
func links(s string) string {
	words := strings.SplitAfter(html.EscapeString(s), " ")
	for i, w := range words {
		if !strings.HasPrefix(w, "https://") {
			continue
		}
		u := strings.TrimRight(w, " .,;)\n")
		words[i] = `<a href="` + u + `">` + u + `</a>` + w[len(u):]
	}
	return strings.Join(words, "")
}
