package imapd

import (
	"context"
	"strings"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// forests are the algorithms of THREAD (RFC 5256 3).
var forests = map[string]func(Archive, context.Context, int64, []model.UID) ([]archive.Branch, error){
	"REFERENCES": Archive.ThreadForest, "ORDEREDSUBJECT": Archive.SubjectForest,
}

// answerThread answers THREAD and UID THREAD (RFC 5256 3).
func (f *front) answerThread(c *command) error {
	return f.answered(c, f.sess.thread(c))
}

func (s *session) thread(c *command) error {
	r, done, err := s.reading(c)
	if err != nil {
		return err
	}
	defer done()
	algorithm, after, _ := strings.Cut(r.rest, " ")
	draw, ok := forests[strings.ToUpper(algorithm)]
	if !ok {
		return &syntaxError{text: "Threads are made by REFERENCES or ORDEREDSUBJECT"}
	}
	r.rest = strings.TrimLeft(after, " ")
	if err := r.charset(); err != nil {
		return err
	}
	found, err := s.matching(r, searchOptions{})
	if err != nil {
		return err
	}
	var forest []archive.Branch
	if len(found) > 0 {
		ctx, cancel := context.WithTimeout(s.ctx, s.front.srv.times.search)
		defer cancel()
		if forest, err = draw(r.sel.box.texts, ctx, r.sel.list.ID, r.sel.uids(found)); err != nil {
			return s.failed("thread", err)
		}
	}
	number := func(uid model.UID) int64 { return int64(uid) }
	if !strings.HasPrefix(c.name, "UID ") {
		number = func(uid model.UID) int64 { i, _ := rowOf(r.sel.rows, uid); return int64(i + 1) }
	}
	return s.front.render(func(b []byte) []byte {
		if b = append(b, "* THREAD"...); len(forest) > 0 {
			b = appendForest(append(b, ' '), forest, number)
		}
		return append(b, "\r\n"...)
	})
}

// appendForest writes a thread list (RFC 5256 5): an only child follows its
// parent, several stand in brackets each. However deep a thread is, nothing
// recurses.
func appendForest(b []byte, forest []archive.Branch, number func(model.UID) int64) []byte {
	kids := make([]int32, len(forest))
	var path []int // of the line at each depth
	for i, line := range forest {
		path = append(path[:line.Depth], i)
		if line.Depth > 0 {
			kids[path[line.Depth-1]]++
		}
	}
	path = path[:0]
	var open []bool // brackets at each depth
	for i, line := range forest {
		b = closed(b, open[line.Depth:])
		path, open = append(path[:line.Depth], i), open[:line.Depth]
		bracket, space := true, false
		if d := line.Depth - 1; d >= 0 {
			parent := path[d]
			bracket = kids[parent] > 1
			space = forest[parent].Post != 0 && (!bracket || parent == i-1)
		}
		if space {
			b = append(b, ' ')
		}
		if bracket {
			b = append(b, '(')
		}
		if line.Post != 0 {
			b = appendInt(b, number(line.Post.UID()))
		}
		open = append(open, bracket)
	}
	return closed(b, open)
}

func closed(b []byte, open []bool) []byte {
	for _, bracket := range open {
		if bracket {
			b = append(b, ')')
		}
	}
	return b
}
