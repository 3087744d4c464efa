package bulk

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// makeWords makes words of syllables, the frequent ones short.
func makeWords(r *rand.Rand, n int) []string {
	starts := strings.Fields("b br c ch d dr f g gr h j k kl l m n p pr qu r s sch sl st t tr v w z th sh a e o i u")
	middles := strings.Fields("a e i o u ai ea ou ee oo é ü ö ä ô")
	ends := strings.Fields("n r s t l m d ng st nd rt ck x th ly er ing ion ed al")
	seen := map[string]bool{}
	words := make([]string, 0, n)
	for len(words) < n {
		var b strings.Builder
		for s := 0; s <= len(words)*3/n+r.IntN(2); s++ {
			b.WriteString(starts[r.IntN(len(starts))])
			m := r.IntN(len(middles))
			if m > 9 && r.IntN(4) > 0 {
				m -= 10
			}
			b.WriteString(middles[m])
			if r.IntN(3) == 0 {
				b.WriteString(ends[r.IntN(len(ends))])
			}
		}
		if w := b.String(); !seen[w] {
			seen[w] = true
			words = append(words, w)
		}
	}
	return words
}

func makePeople(r *rand.Rand, n int) []person {
	hosts := []string{"example.org", "example.net", "example.com", "mail.example.org", "dept.example.net", "list.example.com"}
	first := strings.Fields("Ann Ben Carla Dov Eva Finn Gül Hana Ivo Jörg Kim Lena Mira Noa Ole Pia Quin Rosa Sven Tess Uma Vera Wim Xenia Yan Zoë")
	names := makeWords(r, 4000)
	people := make([]person, n)
	for i := range people {
		last := names[r.IntN(len(names))]
		f := first[r.IntN(len(first))]
		people[i] = person{f + " " + strings.ToUpper(last[:1]) + last[1:], fmt.Sprintf("user%d", i), hosts[r.IntN(len(hosts))]}
	}
	return people
}

func (g *Generator) word() string { return g.words[g.common.Uint64()] }

func (g *Generator) title() string {
	var b strings.Builder
	for i := range 3 + g.r.IntN(6) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(g.words[g.r.IntN(len(g.words)/(1+g.r.IntN(40)))])
	}
	return b.String()
}

// opaque are octets that compress badly, as signatures and pictures do.
func (g *Generator) opaque(n int) string {
	raw := make([]byte, n*3/4+1)
	for i := 0; i < len(raw); i += 8 {
		v := g.r.Uint64()
		for k := i; k < min(i+8, len(raw)); k++ {
			raw[k] = byte(v)
			v >>= 8
		}
	}
	return base64.StdEncoding.EncodeToString(raw)[:n]
}

// folded breaks a value into lines.
func folded(s string) string {
	var b strings.Builder
	for len(s) > 70 {
		b.WriteString(s[:70] + "\r\n ")
		s = s[70:]
	}
	return b.String() + s
}

const dateLayout = "Mon, 2 Jan 2006 15:04:05 -0700"

// trace writes what servers on the way add: a third of it does not compress.
func (g *Generator) trace(b *strings.Builder, p *profile, from person) {
	want := p.header[0] + g.r.IntN(p.header[1]-p.header[0])
	at := g.at
	for hop := 0; b.Len() < want; hop++ {
		switch hop % 4 {
		case 1:
			fmt.Fprintf(b, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s; s=s%d;\r\n h=from:to:subject:date:message-id;\r\n bh=%s=;\r\n b=%s\r\n",
				from.host, g.r.IntN(9), g.opaque(43), folded(g.opaque(344)))
		case 3:
			fmt.Fprintf(b, "Authentication-Results: mx%d.example.org; dkim=pass header.d=%s; spf=pass\r\n smtp.mailfrom=%s@%s; dmarc=pass\r\n",
				g.r.IntN(5), from.host, from.address, from.host)
		default:
			fmt.Fprintf(b, "Received: from mail%d.%s (mail%d.%s [192.0.2.%d])\r\n\tby mx%d.example.org (Postfix) with ESMTPS id %s\r\n\tfor <list@lists.example.org>; %s\r\n",
				g.r.IntN(40), from.host, g.r.IntN(40), from.host, g.r.IntN(250), g.r.IntN(9), g.opaque(12), at.Format(dateLayout))
		}
		at = at.Add(-time.Duration(g.r.IntN(9)) * time.Second)
	}
}

// fields writes what people see.
func (g *Generator) fields(b *strings.Builder, t *thread, from person, subject string) {
	date := g.at.Add(-time.Duration(g.r.IntN(600)) * time.Second).In(time.FixedZone("", (g.r.IntN(26)-12)*3600)).Format(dateLayout)
	switch g.r.IntN(200_000) {
	case 0:
		date = "Fri, 2 Nov 1945 10:00:00 +0000"
	case 1:
		date = "Wed, 20 Jan 2038 03:14:08 +0000"
	}
	if g.r.IntN(80) == 0 {
		subject = "=?utf-8?B?" + base64.StdEncoding.EncodeToString([]byte(subject)) + "?="
	}
	name := from.name
	if len(name) != len([]rune(name)) {
		name = "=?utf-8?B?" + base64.StdEncoding.EncodeToString([]byte(name)) + "?="
	}
	fmt.Fprintf(b, "Date: %s\r\nFrom: %s <%s@%s>\r\nTo: list@lists.example.org\r\nSubject: %s\r\n", date, name, from.address, from.host, subject)
	if len(t.copies) > 0 {
		fmt.Fprintf(b, "Cc: %s\r\n", strings.Join(t.copies, ",\r\n "))
	}
	if len(t.copies) < t.profile.copies && g.r.IntN(3) > 0 {
		t.copies = append(t.copies, from.address+"@"+from.host)
	}
	b.WriteString("List-Id: <list.lists.example.org>\r\nMIME-Version: 1.0\r\n")
}

// text writes lines of words, what is answered quoted before them.
func (g *Generator) text(t *thread, answer bool, size int) string {
	var b strings.Builder
	size = min(max(size, 300), 40_000)
	if t.profile.html > g.r.Float64() {
		size /= 3 // the rest is its HTML
	}
	if answer && t.last != "" {
		for line := range strings.SplitSeq(t.last, "\r\n") {
			if b.Len() > size*2/3 {
				break
			}
			b.WriteString("> " + line + "\r\n")
		}
	}
	own := b.Len()
	for line := 0; b.Len() < size || b.Len() == own; line++ {
		start := b.Len()
		for b.Len()-start < 58+g.r.IntN(10) {
			b.WriteString(g.word())
			b.WriteByte(' ')
		}
		b.WriteString("\r\n")
		if g.r.IntN(7) == 0 {
			b.WriteString("\r\n")
		}
	}
	s := b.String()
	t.last = s[own:min(len(s), own+2000)]
	return s
}

// body writes the text as one part, or with HTML, or with an attachment that
// fills the message to its size.
func (g *Generator) body(b *strings.Builder, p *profile, text string, size int) {
	const plain = "Content-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
	html, attached := g.r.Float64() < p.html, g.r.Float64() < p.attached || size > 60_000
	if !html && !attached {
		if g.r.IntN(12) == 0 {
			b.WriteString("Content-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines(base64.StdEncoding.EncodeToString([]byte(text))))
			return
		}
		b.WriteString(plain + text)
		return
	}
	cut := fmt.Sprintf("=_%x", g.r.Uint64())
	kind := "alternative"
	if attached {
		kind = "mixed"
	}
	fmt.Fprintf(b, "Content-Type: multipart/%s; boundary=\"%s\"\r\n\r\n--%s\r\n%s%s\r\n", kind, cut, cut, plain, text)
	if html {
		fmt.Fprintf(b, "--%s\r\nContent-Type: text/html; charset=\"utf-8\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<html><head><style>p { margin: 0; font-family: sans-serif }</style></head><body>\r\n", cut)
		for line := range strings.SplitSeq(text, "\r\n") {
			b.WriteString("<p class=\"MsoNormal\"><span style=\"font-size: 11pt\">" + strings.ReplaceAll(line, ">", "&gt;") + "</span></p>\r\n")
		}
		b.WriteString("</body></html>\r\n")
	}
	if rest := size - b.Len(); attached && rest > 400 {
		fmt.Fprintf(b, "--%s\r\nContent-Type: application/octet-stream; name=\"%s.bin\"\r\nContent-Disposition: attachment; filename=\"%s.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n%s",
			cut, g.word(), g.word(), lines(g.opaque(rest)))
	}
	b.WriteString("--" + cut + "--\r\n")
}

func lines(s string) string {
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return b.String() + s + "\r\n"
}

// Word gives one of the words the posts are made of, 0 being the most frequent.
func (g *Generator) Word(n int) string { return g.words[n%len(g.words)] }
