package gen

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
)

// entity is a MIME part: its own fields and its body, LF line ends.
type entity struct {
	kind     string // value of Content-Type
	encoding string
	fields   []string
	body     []byte
}

// content builds the MIME structure of m from the inside out: text, its HTML
// form, the images of that, the attachments, the signature.
func (b *builder) content(m *Message) (*entity, error) {
	e, err := m.textPart()
	if err != nil {
		return nil, err
	}
	if m.client.html != "" && m.set["html"] != "no" || m.html != "" {
		if e, err = b.alternative(m, e); err != nil {
			return nil, err
		}
	}
	parts := []*entity{e}
	for _, a := range m.attach {
		part, err := b.attachment(m, a)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if key := m.set["forward"]; key != "" {
		f := b.byKey[key]
		if f == nil {
			return nil, fmt.Errorf("forward %q: no such message", key)
		}
		part := &entity{kind: "message/rfc822", fields: []string{"Content-Disposition: attachment; filename=\"forwarded message.eml\""}, body: f.Raw}
		part.encoding = bits(f.Raw)
		parts = append(parts, part)
	}
	if len(parts) > 1 {
		e = multipart(m, "mixed", parts)
	}
	if how := m.set["sign"]; how != "" {
		return b.signed(m, e, how)
	}
	return e, nil
}

func (m *Message) textPart() (e *entity, err error) {
	text := m.plain()
	if m.Charset, err = m.choose(text); err != nil {
		return nil, err
	}
	kind := "text/plain; charset=" + m.Charset
	if m.client.flowed {
		kind += "; format=flowed"
	}
	return m.textEntity(kind, text)
}

// textEntity encodes a text for the wire as the client does, or as "enc:" says.
func (m *Message) textEntity(kind, text string) (*entity, error) {
	coded, err := encode(m.Charset, text)
	if err != nil {
		return nil, err
	}
	how := first(m.set["enc"], m.client.encoding)
	ascii := isASCII(coded) || m.Charset == "iso-2022-jp"
	if m.set["enc"] == "" && ascii && !(m.client.always && m.Charset != "iso-2022-jp") && !longLines(coded) {
		how = "7bit"
	}
	return &entity{kind: kind, encoding: how, body: transfer(how, coded)}, nil
}

func (b *builder) alternative(m *Message, plain *entity) (*entity, error) {
	page := m.htmlForm()
	var images []*entity
	for _, name := range m.inline {
		data, err := fs.ReadFile(b.src, "files/"+name)
		if err != nil {
			return nil, err
		}
		cid := hex.EncodeToString(digest(m.Key, name)[:6]) + "@" + domain(m.Author.Address)
		page = strings.ReplaceAll(page, "cid:"+name, "cid:"+cid)
		images = append(images, &entity{
			kind: mediaType(name) + "; name=\"" + name + "\"", encoding: "base64", body: lines76(data),
			fields: []string{"Content-ID: <" + cid + ">", "Content-Disposition: inline; filename=\"" + name + "\""},
		})
	}
	form, err := m.textEntity("text/html; charset="+m.Charset, page)
	if err != nil {
		return nil, err
	}
	if len(images) > 0 {
		form = multipart(m, "related", append([]*entity{form}, images...))
	}
	return multipart(m, "alternative", []*entity{plain, form}), nil
}

func multipart(m *Message, sub string, parts []*entity) *entity {
	mark := boundary(m, sub)
	var out bytes.Buffer
	if m.client.name == "desk" || m.client.name == "old" {
		out.WriteString("This is a multi-part message in MIME format.\n")
	}
	for _, p := range parts {
		out.WriteString("--" + mark + "\n")
		out.Write(p.bytes())
		out.WriteString("\n")
	}
	out.WriteString("--" + mark + "--\n")
	return &entity{kind: "multipart/" + sub + "; boundary=\"" + mark + "\"", encoding: bits(out.Bytes()), body: out.Bytes()}
}

func boundary(m *Message, sub string) string {
	h := hex.EncodeToString(digest(m.Key, sub))
	switch m.client.name {
	case "desk":
		return "------------" + h[:24]
	case "office":
		return "----=_NextPart_000_" + strings.ToUpper(h[:4]+"_"+h[4:12]+"."+h[12:20])
	case "pocket":
		return "Pocket-Mail=_" + strings.ToUpper(h[:8]+"-"+h[8:12]+"-"+h[12:24])
	}
	return h[:28]
}

// bytes is the part with its fields.
func (e *entity) bytes() []byte {
	var out bytes.Buffer
	out.WriteString(foldField("Content-Type", e.kind))
	out.WriteString(foldField("Content-Transfer-Encoding", e.encoding))
	for _, f := range e.fields {
		name, value, _ := strings.Cut(f, ": ")
		out.WriteString(foldField(name, value))
	}
	out.WriteString("\n")
	out.Write(e.body)
	return out.Bytes()
}
