package message

// Section finds what BODY[path.what] means (RFC 9051 6.4.5), as offsets into
// raw. what is "", HEADER, TEXT or MIME, in upper case. ok is false when the
// message has no such section; IMAP then answers with an empty string or NIL.
func (s *Structure) Section(raw []byte, path []int, what string) (start, end int, ok bool) {
	if len(path) == 0 {
		return sectionOf(s.Root, what, 0, len(raw))
	}
	p := s.find(path)
	if p == nil {
		return 0, 0, false
	}
	switch what {
	case "":
		return p.BodyStart, p.End, true
	case "MIME":
		return p.HeaderStart, p.BodyStart, true
	}
	if p.Message == nil {
		return 0, 0, false
	}
	return sectionOf(p.Message, what, 0, 0)
}

// sectionOf gives a section of a whole message; start and end are for "".
func sectionOf(m *Part, what string, start, end int) (int, int, bool) {
	switch what {
	case "":
		return start, end, true
	case "HEADER":
		return m.HeaderStart, m.BodyStart, true
	case "TEXT":
		return m.BodyStart, m.End, true
	}
	return 0, 0, false
}

// Find gives the part of that number, or nil.
func (s *Structure) Find(path []int) *Part { return s.find(path) }

func (s *Structure) find(path []int) *Part {
	message, p := s.Root, (*Part)(nil) // message: its number is that of the part p around it
	for _, n := range path {
		switch {
		case p != nil && p.Message != nil:
			message = p.Message
		case p != nil:
			message = p
		}
		switch {
		case message.isMultipart():
			if n < 1 || n > len(message.Children) {
				return nil
			}
			p = message.Children[n-1]
		case n == 1 && (p == nil || p.Message != nil):
			p = message
		default:
			return nil
		}
	}
	return p
}
