package imapd

import (
	"bytes"

	"plenary/internal/mail/message"
)

// section gives the bytes of one item, as they are stored. There is no such
// section when ok is false.
func (m *part) section(s *section) (data []byte, ok bool) {
	switch {
	case s.usual:
		m.scratch = appendFields(m.scratch[:0], m.usual, s)
		return m.scratch, true
	case s.binary:
		return m.decoded(s.path)
	case len(s.path) > 0:
		start, end, ok := m.structure.Section(m.raw, s.path, s.what)
		if !ok {
			return nil, false
		}
		data = m.raw[start:end]
	default:
		header := min(max(m.headerLen, 0), len(m.raw))
		switch s.what {
		case "HEADER":
			data = m.raw[:header]
		case "TEXT":
			data = m.raw[header:]
		case "":
			data = m.raw
		default: // MIME needs a part
			return nil, false
		}
	}
	if s.fields != nil {
		m.scratch = appendFields(m.scratch[:0], data, s)
		data = m.scratch
	}
	return data, true
}

// appendFields keeps the fields of a header that are named, or with not the
// others, as they are and in their order, and an empty line (RFC 9051 6.4.5).
func appendFields(out, header []byte, s *section) []byte {
	keep := false
	for len(header) > 0 {
		n := bytes.IndexByte(header, '\n') + 1
		if n == 0 {
			n = len(header)
		}
		line := header[:n]
		header = header[n:]
		if (line[0] == '\r' || line[0] == '\n') && len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		if line[0] != ' ' && line[0] != '\t' {
			colon := bytes.IndexByte(line, ':')
			keep = colon >= 0 && s.names(trimmed(line[:colon])) != s.not
		}
		if keep {
			out = append(out, line...)
		}
	}
	return append(out, "\r\n"...)
}

// trimmed leaves out the space there may be before a colon.
func trimmed(name []byte) []byte {
	for len(name) > 0 && (name[len(name)-1] == ' ' || name[len(name)-1] == '\t') {
		name = name[:len(name)-1]
	}
	return name
}

// names reports whether the section names the field.
func (s *section) names(field []byte) bool {
	for _, f := range s.fields {
		if len(f) == len(field) && len(f) > 0 && (f[0]^field[0])|0x20 == 0x20 && bytes.EqualFold(f, field) {
			return true
		}
	}
	return false
}

// decoded is the body of a part without its transfer encoding (RFC 3516). What
// is broken is decoded all the same; with an unknown encoding there is none, and
// the message is strange.
func (m *part) decoded(path []int) ([]byte, bool) {
	if len(path) == 0 {
		return m.raw, true
	}
	start, end, ok := m.structure.Section(m.raw, path, "")
	p := m.structure.Find(path)
	if !ok || p == nil {
		return nil, false
	}
	octets, known := message.DecodeTransfer(m.raw[start:end], p.Encoding)
	m.strange = m.strange || !known
	return octets, known
}
