package message

import (
	"sort"
	"strconv"
	"strings"

	"plenary/internal/mail/message/word"
)

// Param is one parameter of a MIME field as BODYSTRUCTURE shows it: the
// continuations of RFC 2231 are joined, and a name that ends in "*" has a value
// that is still charset'language'percent-encoded. Part.Param decodes.
type Param struct{ Name, Value string }

// parseContentType reads a Content-Type; typ and sub are as written, and empty
// when the value begins with no type/subtype.
func parseContentType(value string) (typ, sub string, params []Param) {
	p := paramReader{in: value}
	p.space()
	typ = p.token()
	p.space()
	if typ == "" || !p.skip('/') {
		return "", "", nil
	}
	p.space()
	if sub = p.token(); sub == "" {
		return "", "", nil
	}
	return typ, sub, p.params()
}

// parseDisposition reads a Content-Disposition.
func parseDisposition(value string) (disposition string, params []Param) {
	p := paramReader{in: value}
	p.space()
	disposition = p.token()
	return disposition, p.params()
}

// paramReader walks over the value of a structured MIME field.
type paramReader struct {
	in string
	at int
}

// space skips white space and comments.
func (p *paramReader) space() {
	depth := 0
	for ; p.at < len(p.in); p.at++ {
		switch c := p.in[p.at]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '\\' && depth > 0:
			p.at++
		case c != ' ' && c != '\t' && depth == 0:
			return
		}
	}
	p.at = min(p.at, len(p.in))
}

func (p *paramReader) skip(c byte) bool {
	if p.at < len(p.in) && p.in[p.at] == c {
		p.at++
		return true
	}
	return false
}

// token reads an RFC 2045 token, 8-bit octets tolerated.
func (p *paramReader) token() string {
	start := p.at
	for p.at < len(p.in) && p.in[p.at] > ' ' && p.in[p.at] != 0x7F && strings.IndexByte(`()<>@,;:\"/[]?=`, p.in[p.at]) < 0 {
		p.at++
	}
	return p.in[start:p.at]
}

// params reads ;name=value pairs to the end. What is no pair is skipped up to
// the next semicolon.
func (p *paramReader) params() []Param {
	var list []Param
	for p.at < len(p.in) && len(list) < maxParams {
		p.space()
		p.skip(';')
		p.space()
		name := p.token()
		p.space()
		if name == "" || !p.skip('=') {
			if p.at < len(p.in) && name == "" {
				p.at++
			}
			p.toSemicolon()
			continue
		}
		p.space()
		list = append(list, Param{Name: name, Value: p.value(name)})
	}
	return joinContinuations(list)
}

// toSemicolon moves to the next semicolon.
func (p *paramReader) toSemicolon() {
	if n := strings.IndexByte(p.in[p.at:], ';'); n >= 0 {
		p.at += n
		return
	}
	p.at = len(p.in)
}

// value reads a quoted string, or everything up to the semicolon: file names
// with spaces and without quotes are common.
func (p *paramReader) value(name string) string {
	if p.at < len(p.in) && p.in[p.at] == '"' {
		return p.quoted()
	}
	start := p.at
	p.toSemicolon()
	v := p.in[start:p.at]
	if !strings.Contains(strings.ToLower(name), "name") {
		if i := strings.Index(v, " ("); i >= 0 {
			v = v[:i]
		}
		if i := strings.IndexAny(v, " \t"); i >= 0 && strings.IndexByte(v[i:], '=') > 0 { // the semicolon was forgotten
			v, p.at = v[:i], start+i
		}
	}
	return strings.TrimRight(v, " \t")
}

// quoted reads a quoted string; an unclosed one goes to the end.
func (p *paramReader) quoted() string {
	var out strings.Builder
	for p.at++; p.at < len(p.in); p.at++ {
		c := p.in[p.at]
		if c == '"' {
			p.at++
			return out.String()
		}
		if c == '\\' && p.at+1 < len(p.in) {
			p.at++
			c = p.in[p.at]
		}
		out.WriteByte(c)
	}
	return out.String()
}

// section is one piece of an RFC 2231 continuation: name*index or name*index*.
type section struct {
	name, value string
	index       int
	extended    bool
}

// joinContinuations joins name*0, name*1 ... to one parameter each. They follow
// the others, by name. Pieces with a gap before them stay as they are.
func joinContinuations(list []Param) []Param {
	var plain []Param
	var pieces []section
	for _, p := range list {
		if s, ok := asSection(p); ok {
			pieces = append(pieces, s)
		} else {
			plain = append(plain, p)
		}
	}
	sort.SliceStable(pieces, func(i, k int) bool {
		if a, b := strings.ToLower(pieces[i].name), strings.ToLower(pieces[k].name); a != b {
			return a < b
		}
		return pieces[i].index < pieces[k].index
	})
	for len(pieces) > 0 {
		n := 0
		for n < len(pieces) && pieces[n].index == n && strings.EqualFold(pieces[n].name, pieces[0].name) {
			n++
		}
		if n == 0 {
			p := pieces[0]
			plain = append(plain, Param{Name: p.name + "*" + strconv.Itoa(p.index), Value: p.value})
			pieces = pieces[1:]
			continue
		}
		plain = append(plain, joinSections(pieces[:n]))
		pieces = pieces[n:]
	}
	return plain
}

// asSection reads the index in the name of a continuation.
func asSection(p Param) (section, bool) {
	name, rest, ok := strings.Cut(p.Name, "*")
	if !ok || rest == "" || name == "" {
		return section{}, false
	}
	digits := strings.TrimSuffix(rest, "*")
	index, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return section{}, false
	}
	return section{name: name, value: p.Value, index: int(index), extended: digits != rest}, true
}

// joinSections makes one parameter of the pieces. When any is extended the
// others are percent-encoded, so that the whole can be decoded at once.
func joinSections(pieces []section) Param {
	extended := false
	for _, s := range pieces {
		extended = extended || s.extended
	}
	var out strings.Builder
	if extended && !pieces[0].extended {
		out.WriteString("''")
	}
	for _, s := range pieces {
		if extended && !s.extended {
			escapePercent(&out, s.value)
			continue
		}
		out.WriteString(s.value)
	}
	name := pieces[0].name
	if extended {
		name += "*"
	}
	return Param{Name: name, Value: out.String()}
}

func escapePercent(out *strings.Builder, s string) {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == '%' || c <= ' ' || c >= 0x7F {
			out.WriteByte('%')
			out.WriteByte(hex[c>>4])
			out.WriteByte(hex[c&15])
			continue
		}
		out.WriteByte(s[i])
	}
}

// paramValue gives the decoded value of a parameter: the RFC 2231 form before
// the plain one, RFC 2047 words decoded because senders put them there. One
// line of valid UTF-8.
func paramValue(params []Param, name string) string {
	for _, p := range params {
		if n := len(p.Name) - 1; n == len(name) && p.Name[n] == '*' && strings.EqualFold(p.Name[:n], name) {
			return word.Line(decodeExtended(p.Value))
		}
	}
	for _, p := range params {
		if strings.EqualFold(p.Name, name) {
			return word.Line(word.Decode(p.Value))
		}
	}
	return ""
}

// decodeExtended reads charset'language'percent-encoded (RFC 2231 4).
func decodeExtended(s string) string {
	charset, text := "", s
	if first, rest, ok := strings.Cut(s, "'"); ok {
		if _, value, ok := strings.Cut(rest, "'"); ok {
			charset, text = first, value
		}
	}
	octets := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if v, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				octets = append(octets, byte(v))
				i += 2
				continue
			}
		}
		octets = append(octets, text[i])
	}
	out, _ := word.FromCharset(octets, charset)
	return out
}
