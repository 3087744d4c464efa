package compose

import (
	"bytes"
	"sort"

	"plenary/internal/mail/message"
)

// Step is one change to every post.
type Step struct {
	Name, Doc string
	Apply     func(*Draft)
}

// piece is a stretch of the outgoing message: constant bytes, or a hole that is
// filled for each copy.
type piece struct {
	data []byte
	hole func(o *Options, r Recipient) []byte
}

// edit replaces raw[start:end] by its pieces.
type edit struct {
	start, end int
	pieces     []piece
}

// Draft is the post in work: the received bytes and what is to be changed.
type Draft struct {
	own       message.Header // the fields Archived made
	raw       []byte
	header    message.Header
	options   *Options
	front     []piece // own lines before the first received one
	edits     []edit
	structure *message.Structure
}

func newDraft(own, raw []byte, o Options) *Draft {
	return &Draft{own: message.ParseHeader(own), raw: raw, header: message.ParseHeader(raw), options: &o}
}

// mime is the structure of the message, found at the first call.
func (d *Draft) mime() *message.Structure {
	if d.structure == nil {
		d.structure = message.Scan(d.raw)
	}
	return d.structure
}

// cut takes the fields of these names out; at most message.MaxFields fields are
// looked at.
func (d *Draft) cut(match func(name string) bool) {
	for _, f := range d.header.Fields() {
		if match(f.Name) {
			d.edits = append(d.edits, edit{start: f.Start, end: f.End})
		}
	}
}

// add puts a field of our own in front.
func (d *Draft) add(field []byte) { d.front = append(d.front, piece{data: field}) }

// insert puts pieces between two received bytes.
func (d *Draft) insert(at int, pieces ...piece) {
	d.edits = append(d.edits, edit{start: at, end: at, pieces: pieces})
}

// replace puts data in the place of raw[start:end].
func (d *Draft) replace(start, end int, data []byte) {
	d.edits = append(d.edits, edit{start, end, []piece{{data: data}}})
}

// render gives the message as few pieces as it has holes to part them.
func (d *Draft) render() []piece {
	edits := append([]edit(nil), d.edits...)
	sort.SliceStable(edits, func(i, j int) bool { return edits[i].start < edits[j].start })
	all := append(append([]piece(nil), d.front...), piece{data: guard(d.raw)})
	at := 0
	for _, e := range edits {
		if e.start < at { // inside what another edit took out already
			continue
		}
		all = append(all, piece{data: d.raw[at:e.start]})
		all = append(all, e.pieces...)
		at = e.end
	}
	all = append(all, piece{data: d.raw[at:]})
	if n := len(d.raw); n == 0 || d.raw[n-1] != '\n' {
		all = append(all, piece{data: []byte("\r\n")})
	}
	return join(all)
}

// originalLine names a line of a header that has no name of its own.
const originalLine = "X-Original-Line:"

// guard is what must stand between fields of our own and a message that begins
// with white space: its first line would else be read as a continuation of our
// last field.
func guard(raw []byte) []byte {
	if len(raw) > 0 && (raw[0] == ' ' || raw[0] == '\t') {
		return []byte(originalLine + "\r\n")
	}
	return nil
}

// join merges neighbouring constants; one that is large stays as it is, so that
// a post of some megabytes is not copied.
func join(all []piece) []piece {
	const large = 32 << 10
	var out []piece
	for _, p := range all {
		last := len(out) - 1
		switch {
		case p.hole == nil && len(p.data) == 0:
		case last >= 0 && p.hole == nil && out[last].hole == nil && len(p.data) < large && len(out[last].data) < large:
			out[last].data = append(bytes.Clone(out[last].data), p.data...)
		default:
			out = append(out, p)
		}
	}
	return out
}
