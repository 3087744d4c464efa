package message

import (
	"fmt"
	"strconv"
	"strings"
)

// node is one element of an IMAP data form: a list, a string, or an atom.
type node struct {
	list []node
	text string
	kind byte // ( " or a
}

// parseWire reads one parenthesised form strictly (RFC 9051 9) and fails on
// anything a client would stumble over.
func parseWire(b []byte) (node, error) {
	root := &node{kind: '('}
	cur := root
	stack := []*node{}
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '(':
			cur.list = append(cur.list, node{kind: '('})
			stack = append(stack, cur)
			cur = &cur.list[len(cur.list)-1]
			i++
		case c == ')':
			if len(stack) == 0 {
				return *root, fmt.Errorf("unbalanced ) at %d", i)
			}
			cur, stack = stack[len(stack)-1], stack[:len(stack)-1]
			i++
		case c == ' ':
			if i == 0 || i+1 == len(b) || b[i-1] == ' ' || b[i-1] == '(' || b[i+1] == ')' {
				return *root, fmt.Errorf("misplaced space at %d", i)
			}
			i++
		case c == '"':
			var text strings.Builder
			for i++; ; i++ {
				if i >= len(b) {
					return *root, fmt.Errorf("string not closed")
				}
				if b[i] == '"' {
					i++
					break
				}
				if b[i] == '\\' {
					i++
					if b[i] != '"' && b[i] != '\\' {
						return *root, fmt.Errorf("bad escape at %d", i)
					}
				}
				if b[i] == 0 || b[i] == '\r' || b[i] == '\n' || b[i] >= 0x80 {
					return *root, fmt.Errorf("octet %#x in quotes at %d", b[i], i)
				}
				text.WriteByte(b[i])
			}
			cur.list = append(cur.list, node{kind: '"', text: text.String()})
		case c == '{':
			end := strings.Index(string(b[i:min(len(b), i+16)]), "}\r\n")
			if end < 0 {
				return *root, fmt.Errorf("bad literal at %d", i)
			}
			n, err := strconv.Atoi(string(b[i+1 : i+end]))
			i += end + 3
			if err != nil || i+n > len(b) || strings.IndexByte(string(b[i:i+n]), 0) >= 0 {
				return *root, fmt.Errorf("bad literal of %d at %d", n, i)
			}
			cur.list = append(cur.list, node{kind: '"', text: string(b[i : i+n])})
			i += n
		default:
			start := i
			for i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i] >= 'A' && b[i] <= 'Z') {
				i++
			}
			if i == start {
				return *root, fmt.Errorf("unexpected %q at %d", b[i], i)
			}
			cur.list = append(cur.list, node{kind: 'a', text: string(b[start:i])})
		}
	}
	if len(stack) != 0 || len(root.list) != 1 || root.list[0].kind != '(' {
		return *root, fmt.Errorf("%d lists open, %d elements", len(stack), len(root.list))
	}
	return root.list[0], nil
}

func (n node) isNil() bool     { return n.kind == 'a' && n.text == "NIL" }
func (n node) isString() bool  { return n.kind == '"' }
func (n node) isNString() bool { return n.isNil() || n.isString() }
func (n node) isNumber() bool {
	_, err := strconv.ParseUint(n.text, 10, 32)
	return n.kind == 'a' && err == nil
}

// checkEnvelope holds an envelope against the grammar.
func checkEnvelope(n node) error {
	if n.kind != '(' || len(n.list) != 10 {
		return fmt.Errorf("envelope of %d elements", len(n.list))
	}
	for i, e := range n.list {
		if i < 2 || i > 7 {
			if !e.isNString() {
				return fmt.Errorf("envelope element %d is no nstring", i)
			}
			continue
		}
		if e.isNil() {
			continue
		}
		if e.kind != '(' || len(e.list) == 0 {
			return fmt.Errorf("envelope element %d is no address list", i)
		}
		depth := 0
		for _, a := range e.list {
			if a.kind != '(' || len(a.list) != 4 || !a.list[0].isNString() || !a.list[1].isNString() || !a.list[2].isNString() || !a.list[3].isNString() {
				return fmt.Errorf("bad address %v", a)
			}
			switch {
			case !a.list[3].isNil():
			case a.list[2].isNil():
				depth--
			default:
				depth++
			}
			if depth < 0 || depth > 1 {
				return fmt.Errorf("groups do not match")
			}
		}
		if depth != 0 {
			return fmt.Errorf("a group is not closed")
		}
	}
	return nil
}

// checkBody holds a BODYSTRUCTURE (extended) or BODY against the grammar, part
// by part, and against the tree it was made of.
func checkBody(n node, p *Part, extended bool) error {
	type pair struct {
		n node
		p *Part
	}
	todo := []pair{{n, p}}
	for len(todo) > 0 {
		n, p := todo[0].n, todo[0].p
		todo = todo[1:]
		if n.kind != '(' || len(n.list) == 0 {
			return fmt.Errorf("a body that is no list")
		}
		var rest []node
		if n.list[0].kind == '(' {
			k := 0
			for k < len(n.list) && n.list[k].kind == '(' && k < len(p.Children) {
				todo = append(todo, pair{n.list[k], p.Children[k]})
				k++
			}
			if k != len(p.Children) || k >= len(n.list) || !n.list[k].isString() {
				return fmt.Errorf("multipart with %d children, %d wanted", k, len(p.Children))
			}
			rest = n.list[k+1:]
			if extended {
				if len(rest) != 4 || !isParams(rest[0]) {
					return fmt.Errorf("multipart with %d extensions", len(rest))
				}
				rest = rest[1:]
			}
		} else {
			want := 7
			if p.Type == "text" {
				want = 8
			}
			if p.Message != nil {
				want = 10
			}
			if len(n.list) < want || !n.list[0].isString() || !n.list[1].isString() || !isParams(n.list[2]) || !n.list[3].isNString() ||
				!n.list[4].isNString() || !n.list[5].isString() || !n.list[6].isNumber() || n.list[6].text != strconv.Itoa(p.End-p.BodyStart) {
				return fmt.Errorf("bad fields of %s/%s", p.Type, p.Subtype)
			}
			if want == 8 && !n.list[7].isNumber() || want == 10 && !n.list[9].isNumber() {
				return fmt.Errorf("lines missing in %s/%s", p.Type, p.Subtype)
			}
			if p.Message != nil {
				if err := checkEnvelope(n.list[7]); err != nil {
					return err
				}
				todo = append(todo, pair{n.list[8], p.Message})
			}
			rest = n.list[want:]
			if extended {
				if len(rest) != 4 || !rest[0].isNString() {
					return fmt.Errorf("%s/%s with %d extensions", p.Type, p.Subtype, len(rest))
				}
				rest = rest[1:]
			}
		}
		if !extended {
			if len(rest) != 0 {
				return fmt.Errorf("BODY with extensions")
			}
			continue
		}
		if !(rest[0].isNil() || len(rest[0].list) == 2 && rest[0].list[0].isString() && isParams(rest[0].list[1])) || !rest[2].isNString() {
			return fmt.Errorf("bad disposition or location")
		}
		if !rest[1].isNString() && len(rest[1].list) == 0 {
			return fmt.Errorf("bad language")
		}
	}
	return nil
}

func isParams(n node) bool {
	if n.isNil() {
		return true
	}
	if n.kind != '(' || len(n.list) == 0 || len(n.list)%2 != 0 {
		return false
	}
	for _, e := range n.list {
		if !e.isString() {
			return false
		}
	}
	return true
}

// checkTree tells whether the offsets of a structure make sense.
func checkTree(s *Structure, raw []byte) error {
	if s.Root.HeaderStart != 0 || s.Root.End != len(raw) {
		return fmt.Errorf("the root covers %d to %d of %d", s.Root.HeaderStart, s.Root.End, len(raw))
	}
	todo := []*Part{s.Root}
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if p.HeaderStart < 0 || p.BodyStart < p.HeaderStart || p.End < p.BodyStart || p.End > len(raw) {
			return fmt.Errorf("part %v: %d %d %d", p.Path, p.HeaderStart, p.BodyStart, p.End)
		}
		if p.isMultipart() != (len(p.Children) > 0) || p.isMessage() != (p.Message != nil) || p.Type == "" || p.Subtype == "" {
			return fmt.Errorf("part %v: %s/%s with %d children", p.Path, p.Type, p.Subtype, len(p.Children))
		}
		at := p.BodyStart
		for _, c := range p.Children {
			if c.HeaderStart < at || c.End > p.End {
				return fmt.Errorf("part %v at %d to %d is not inside its parent, %d to %d", c.Path, c.HeaderStart, c.End, at, p.End)
			}
			at = c.End
			todo = append(todo, c)
		}
		if m := p.Message; m != nil {
			if m.HeaderStart != p.BodyStart || m.End != p.End {
				return fmt.Errorf("message in %v: %d to %d", p.Path, m.HeaderStart, m.End)
			}
			todo = append(todo, m)
		}
		if start, end, ok := s.Section(raw, p.Path, ""); len(p.Path) > 0 && !p.isMultipart() && (!ok || start != p.BodyStart || end != p.End) {
			return fmt.Errorf("section %v: %d %d %v", p.Path, start, end, ok)
		}
	}
	return nil
}

// checkAll runs everything over one message and tells what is wrong.
func checkAll(raw []byte) error {
	h := ParseHeader(raw)
	env, err := parseWire(Envelope(h))
	if err == nil {
		err = checkEnvelope(env)
	}
	if err != nil {
		return fmt.Errorf("ENVELOPE: %w", err)
	}
	s := Scan(raw)
	if err := checkTree(s, raw); err != nil {
		return err
	}
	for _, extended := range []bool{true, false} {
		wire := s.BodyStructure(raw)
		if !extended {
			wire = s.Body(raw)
		}
		body, err := parseWire(wire)
		if err == nil {
			err = checkBody(body, s.Root, extended)
		}
		if err != nil {
			return fmt.Errorf("BODYSTRUCTURE (extended %v): %w in %.2000s", extended, err, wire)
		}
	}
	return checkReading(s.Read(raw), s)
}
